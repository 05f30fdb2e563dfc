"""Links held out of a graph, with as many pairs that are not linked: a split that cannot leak."""

from dataclasses import dataclass, replace

import numpy as np

from iwax.data.bits import bits64, permutation
from iwax.data.graph import Graph
from iwax.printed import printed
from iwax.streams import Bits

__all__ = ["HeldOut", "LinkSplit", "split_links"]


@printed()
@dataclass(frozen=True)
class HeldOut:
    """Pairs [pairs, 2] of nodes, lower number first: ``links``, and ``absent`` ones, which are not linked."""

    links: np.ndarray
    absent: np.ndarray

    @property
    def pairs(self) -> np.ndarray:
        """All of them, the links first."""
        return np.concatenate([self.links, self.absent])


@printed()
@dataclass(frozen=True)
class LinkSplit:
    """A graph with the training links alone, and the pairs that were held out of it."""

    train: Graph
    valid: HeldOut
    test: HeldOut

    @property
    def held_out(self) -> np.ndarray:
        """Validation and test pairs [pairs, 2], linked or not: what a model of the training links says nothing of."""
        return np.concatenate([self.valid.pairs, self.test.pairs])


def split_links(graph: Graph, *, seed: int, valid: float = 0.05, test: float = 0.1) -> LinkSplit:
    """Hold out shares of the links, drawn uniformly, and as many pairs that are linked nowhere in the graph.

    The protocol of Kipf and Welling (2016, arXiv:1611.07308): a tenth of the links, rounded down, for testing, a
    twentieth for validation. A pair is held out in both directions, no pair is held out twice, and an absent one is a
    link of no split; the split is a function of the graph and the seed. Raises ValueError where shares leave no
    training link, or there are too few absent pairs.

    >>> path = Graph("path", tuple("abcdefghijklmnopqrst"), np.array([[i, i + 1] for i in range(19)]))
    >>> split = split_links(path, seed=0)
    >>> len(split.train.links), len(split.test.links), len(split.test.absent)
    (18, 1, 1)
    """
    sizes = {"valid": int(len(graph.links) * valid), "test": int(len(graph.links) * test)}
    held = sum(sizes.values())
    if min(valid, test) < 0 or held >= len(graph.links):
        raise ValueError(
            f"shares of links from 0, which leave some for training, are needed; got valid={valid}, test={test} of "
            f"{len(graph.links)} links"
        )
    if graph.pair_count - len(graph.links) < 2 * held:
        raise ValueError(
            f"{held:,} pairs without a link are to be held out, drawn at random; the graph has "
            f"{graph.pair_count - len(graph.links):,}, too few"
        )
    order = permutation(seed, Bits.HELD_OUT_LINKS, len(graph.links))
    absent = _absent(graph, held, seed)
    last = sizes["test"]
    test_links, valid_links, kept = np.split(graph.links[order], [last, held])
    return LinkSplit(
        train=replace(graph, links=kept[np.lexsort((kept[:, 1], kept[:, 0]))]),
        valid=HeldOut(valid_links, absent[last:]),
        test=HeldOut(test_links, absent[:last]),
    )


def _absent(graph: Graph, count: int, seed: int) -> np.ndarray:
    """Different pairs that are not linked [count, 2], drawn uniformly: rejection among pairs of whole numbers."""
    nodes = np.uint64(len(graph.nodes))
    taken = set(map(tuple, graph.links.tolist()))
    found: list[tuple[int, int]] = []
    drawn = 0
    while len(found) < count:
        drawn = 2 * (drawn + count)
        words = bits64(seed, Bits.ABSENT_LINKS, drawn)
        pairs = np.sort(np.stack([(words >> np.uint64(32)) % nodes, (words & np.uint64(2**32 - 1)) % nodes], 1), axis=1)
        found, seen = [], set(taken)
        for pair in map(tuple, pairs.astype(np.int64).tolist()):
            if pair[0] != pair[1] and pair not in seen:
                seen.add(pair)
                found.append(pair)
    return np.array(found[:count], np.int32).reshape(-1, 2)
