"""A graph as a data set: one row of listed pairs, of which more is known from split to split."""

import re
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from iwax.data.dataset import Dataset, Split
from iwax.data.graph import Graph, ListedGraph, read_graph
from iwax.data.link_split import split_links
from iwax.formats.dialect import AS_SHOWN, Dialect

__all__ = ["HeldOutAs", "as_dataset", "load_graph"]

HeldOutAs: TypeAlias = Literal["unknown", "absent"]


def load_graph(
    path: Path, *, seed: int, directed: bool = False, held_out: HeldOutAs = "unknown", dialect: Dialect = AS_SHOWN
) -> Dataset:
    """The data set of a list of links, or of an .npz file of a graph (`read_graph`), as `as_dataset` splits it."""
    return as_dataset(read_graph(path, directed=directed, dialect=dialect), held_out=held_out, seed=seed)


def as_dataset(graph: Graph, *, seed: int, held_out: HeldOutAs = "unknown") -> Dataset:
    """One row for each split: the training links; these and the validation pairs; all listed pairs.

    The split is that of `split_links`. In the row of a split the pairs of later ones are not known (NaN), or, if they
    are ``held_out`` as "absent", have no link.

    >>> path = Graph("path", tuple("abcdefghijklmnopqrst"), np.array([[i, i + 1] for i in range(19)]))
    >>> found = as_dataset(path, seed=0)
    >>> found.features, found.missing, int(found.test.values.sum())
    (20, 4, 19)
    """
    split = split_links(graph, seed=seed)
    parts = (split.train.links, split.valid.pairs, split.test.pairs)
    linked = (split.train.links, split.valid.links, split.test.links)
    truth = np.concatenate([np.arange(len(pairs)) < len(links) for pairs, links in zip(parts, linked, strict=True)])
    part = np.repeat(np.arange(3, dtype=np.uint8), [len(pairs) for pairs in parts])
    later = np.float32(np.nan if held_out == "unknown" else 0)
    train, valid, test = (Split(np.where(part <= known, truth, later)[None].astype(np.float32)) for known in range(3))
    notes = "".join(f"; {note}" for note in graph.notes)
    return Dataset(
        name=re.sub(r"[^A-Za-z0-9._-]+", "-", graph.name) or "graph",
        protocol=(
            f"your own graph {graph.name}: {len(graph.nodes):,} nodes, {len(graph.links):,} links without direction"
            f"{notes}; {len(split.test.links):,} links held out for testing and {len(split.valid.links):,} for "
            f"validation, with as many pairs without a link, drawn with seed {seed}; in training these are "
            f"{'not known' if held_out == 'unknown' else 'taken for pairs without a link'}."
        ),
        shape=(len(part),),
        kind="graph",
        binarize_training=False,
        train=train,
        valid=valid,
        test=test,
        graph=ListedGraph(graph, np.concatenate(parts), part),
    )
