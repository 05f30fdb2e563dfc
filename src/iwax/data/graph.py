"""A graph: nodes by name, links without direction, and what is known of each node."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from iwax.formats.cells import Cells
from iwax.formats.dialect import AS_SHOWN, Dialect
from iwax.formats.npy import read_npz
from iwax.formats.parquet import read_parquet
from iwax.formats.table import read_cells
from iwax.formats.whole import read_whole
from iwax.printed import printed

__all__ = ["Graph", "ListedGraph", "read_graph"]

_TEXTS = (".csv", ".tsv", ".txt")


@printed()
@dataclass(frozen=True)
class Graph:
    """An undirected graph without loops or weights: ``links`` [links, 2] of node numbers, each once, the lower first.

    ``nodes`` are the names; ``features`` [nodes, features] and ``labels`` [nodes] are None where there are none, and a
    label of -1 is not known. ``notes`` say what of a file was left out. Raises ValueError for anything else.

    >>> Graph("path", ("a", "b", "c"), np.array([[0, 1], [1, 2]])).degree.tolist()
    [1, 2, 1]
    """

    name: str
    nodes: tuple[str, ...]
    links: np.ndarray
    features: np.ndarray | None = None
    labels: np.ndarray | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        links = self.links
        if links.ndim != 2 or links.shape[1] != 2 or links.dtype.kind not in "iu":
            raise ValueError(f"a graph needs links [links, 2] of whole numbers, got {links.dtype} {links.shape}")
        if len(links) and not (links.min() >= 0 and links.max() < len(self.nodes)):
            raise ValueError(f"links need nodes from 0 to {len(self.nodes) - 1}, got {links.min()} to {links.max()}")
        if (links[:, 0] >= links[:, 1]).any():
            row = int(np.argmax(links[:, 0] >= links[:, 1]))
            raise ValueError(
                f"links need the lower of two different nodes first, got {links[row].tolist()} in row {row}"
            )
        if len(np.unique(links, axis=0)) < len(links):
            raise ValueError("links need to be listed once each, got some of them twice")
        for what, found in (("features", self.features), ("labels", self.labels)):
            if found is not None and len(found) != len(self.nodes):
                raise ValueError(f"{what} need a row for each of {len(self.nodes)} nodes, got {len(found)}")

    @property
    def degree(self) -> np.ndarray:
        """How many links each node has, [nodes]."""
        return np.bincount(self.links.ravel(), minlength=len(self.nodes))

    @property
    def pair_count(self) -> int:
        """How many pairs of nodes there are, linked or not."""
        return len(self.nodes) * (len(self.nodes) - 1) // 2

    @property
    def density(self) -> float:
        """The share of pairs that are linked."""
        return len(self.links) / max(self.pair_count, 1)


@printed()
@dataclass(frozen=True, eq=False)
class ListedGraph:
    """A graph as a row of numbers: its links, and other pairs, listed [pairs, 2]; the ``part`` of a pair is its split.

    0 is training, 1 validation, 2 testing. Pairs that are not listed have no link.
    """

    graph: Graph
    pairs: np.ndarray
    part: np.ndarray

    @property
    def nodes(self) -> int:
        """How many nodes there are."""
        return len(self.graph.nodes)

    @property
    def features(self) -> int:
        """How many numbers are known of each node."""
        return 0 if self.graph.features is None else self.graph.features.shape[1]

    def update(self, state: "hashlib._Hash") -> None:
        """Put names, pairs and features into a digest."""
        state.update(repr(self.graph.nodes).encode())
        state.update(np.ascontiguousarray(self.pairs, np.int32).data)
        if self.graph.features is not None:
            state.update(np.ascontiguousarray(self.graph.features).data)


def read_graph(path: str | Path, *, dialect: Dialect = AS_SHOWN, directed: bool = False) -> Graph:
    """A graph from a list of links with the names of two nodes a row, or from the arrays of an .npz file.

    A table (.csv, .tsv, .txt, .parquet) has two columns of names, and none besides but a column of weights that are
    all 1. A file .npz holds ``edges`` [edges, 2] of node numbers, and may hold ``nodes`` (their number), ``features``
    [nodes, features] or, of zeros and ones, ``feature_indptr`` and ``feature_indices`` (the rows of a sparse matrix)
    with ``features`` (its number of columns), and ``labels`` [nodes]. A link that is listed twice, in either direction,
    is one, and links of a node to itself are left out: ``notes`` say how many. Where every link has its opposite the
    list is taken to hold both directions. Raises ValueError, with file and line, for weights, missing names, and for
    lists where some links have an opposite and some have none, which is what a directed graph looks like: ``directed``
    reads such a list without its directions.
    """
    path = Path(path).expanduser()
    if path.suffix == ".npz":
        return _of_arrays(read_npz(path, name=path.name), path)
    if path.suffix not in (*_TEXTS, ".parquet"):
        raise ValueError(
            f"{path.name}: a graph is read from {', '.join((*_TEXTS, '.parquet', '.npz'))}; got {path.suffix}"
        )
    if path.suffix == ".parquet":
        cells = read_parquet(read_whole(path), name=path.name, dialect=dialect)
    else:
        cells = read_cells(read_whole(path), name=path.name, dialect=dialect)
    return _of_table(cells, path, directed=directed)


def _of_table(cells: Cells, path: Path, *, directed: bool) -> Graph:
    if len(cells.names) not in (2, 3):
        raise ValueError(
            f"{path.name}: a list of links needs two columns of node names (and weights of 1 at most), got "
            f"{len(cells.names)}: {', '.join(cells.names[:5])}"
        )
    ends = [_names(cells, column) for column in (0, 1)]
    if len(cells.names) == 3:
        weights, others = cells.numbers(2)
        if others or (weights != 1).any():
            row = int(np.argmax(weights != 1))
            raise ValueError(
                f"{cells.place(row, 2)}: needed no weight, or 1, since links are there or not; got "
                f"{cells.columns[2][row]!r}: leave the column {cells.names[2]!r} out"
            )
    nodes, numbers = np.unique(np.array([*ends[0], *ends[1]]), return_inverse=True)
    links, notes = simple(numbers.reshape(2, -1).T, name=path.name, directed=directed)
    return Graph(path.stem, tuple(map(str, nodes)), links, notes=notes)


def _names(cells: Cells, column: int) -> list[str]:
    found = []
    for row, cell in enumerate(cells.columns[column]):
        if cell is None:
            raise ValueError(f"{cells.place(row, column)}: needed the name of a node; got an empty cell")
        found.append(str(cell))
    return found


def simple(pairs: np.ndarray, *, name: str, directed: bool = False) -> tuple[np.ndarray, tuple[str, ...]]:
    """The links of a list [rows, 2], each once, and what was left out; ValueError for a list that has directions.

    >>> links, notes = simple(np.array([[1, 0], [2, 2], [0, 1]]), name="list")
    >>> links.tolist(), notes
    ([[0, 1]], ('1 link of a node to itself was left out',))
    """
    pairs = np.asarray(pairs, np.int32).reshape(-1, 2)
    loops = pairs[:, 0] == pairs[:, 1]
    rows = np.unique(pairs[~loops], axis=0)
    links = np.unique(np.sort(rows, axis=1), axis=0)
    both = len(rows) - len(links)  # links that are listed in both directions
    if 0 < both < len(links) and not directed:
        raise ValueError(
            f"{name}: needed a graph without directions; {both:,} links are listed in both directions and "
            f"{len(links) - both:,} in one: give directed=True (--set data.directed=true) to leave the directions out"
        )
    again = int(len(pairs) - loops.sum() - len(rows))
    notes = [
        f"{count:,} {what}"
        for count, what in (
            (int(loops.sum()), _were(int(loops.sum()), "link", "of a node to itself", "left out")),
            (again, _were(again, "row", "listed before", "left out")),
        )
        if count
    ]
    return links, tuple(notes)


def _were(count: int, noun: str, which: str, what: str) -> str:
    return f"{noun}{'s' * (count != 1)} {which} {'was' if count == 1 else 'were'} {what}"


def _of_arrays(arrays: dict[str, np.ndarray], path: Path) -> Graph:
    if "edges" not in arrays:
        raise ValueError(f"{path.name}: needed an array 'edges' [edges, 2]; got {', '.join(sorted(arrays)) or 'none'}")
    edges = arrays["edges"]
    if edges.ndim != 2 or edges.shape[1] != 2 or edges.dtype.kind not in "iu":
        raise ValueError(f"{path.name}: needed edges [edges, 2] of whole numbers; got {edges.dtype} {edges.shape}")
    nodes = int(arrays["nodes"]) if "nodes" in arrays else int(edges.max(initial=-1)) + 1
    links, notes = simple(edges, name=path.name)
    features = _features(arrays, nodes, path)
    labels = arrays["labels"].astype(np.int32) if "labels" in arrays else None
    return Graph(path.stem, tuple(map(str, range(nodes))), links, features, labels, notes)


def _features(arrays: dict[str, np.ndarray], nodes: int, path: Path) -> np.ndarray | None:
    if "feature_indptr" in arrays:
        first, columns = arrays["feature_indptr"], arrays["feature_indices"]
        if len(first) != nodes + 1 or first[-1] != len(columns):
            raise ValueError(f"{path.name}: needed feature_indptr of {nodes + 1} numbers up to {len(columns)}")
        found = np.zeros((nodes, int(arrays["features"])), np.float32)
        found[np.repeat(np.arange(nodes), np.diff(first)), columns] = 1
        return found
    found = arrays.get("features")
    if found is None or found.ndim == 0:
        return None
    return found.astype(np.float32)
