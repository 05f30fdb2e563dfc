"""A data set as models see it: rows of numbers, the shape of one row as a picture, and a written protocol."""

import hashlib
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from iwax.data.columns import Column
from iwax.data.graph import ListedGraph
from iwax.data.on_disk import RowsOnDisk
from iwax.data.recognition import LeftOut
from iwax.formats.refusals import Words
from iwax.printed import printed

Kind = Literal["binary", "grey", "real", "table", "graph"]


@printed()
@dataclass(frozen=True)
class Split:
    """Rows ``values`` [n, D], in memory or on disk, and, where there are any, one integer label per row [n].

    >>> len(Split(np.zeros((3, 4), np.uint8)))
    3
    """

    values: np.ndarray | RowsOnDisk
    labels: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or 0 in self.values.shape:
            raise ValueError(f"a split needs values of shape [n, D] with n, D >= 1; got {self.values.shape}")
        if self.values.dtype not in (np.uint8, np.float32):
            raise ValueError(f"a split needs uint8 or float32 values; got {self.values.dtype}")
        if self.labels is not None and self.labels.shape != self.values.shape[:1]:
            raise ValueError(f"a split needs one label per row, shape ({len(self.values)},); got {self.labels.shape}")

    def __len__(self) -> int:
        return len(self.values)

    @property
    def array(self) -> np.ndarray:
        """The rows in memory. Raises ValueError for rows on disk that are more than should be read at once."""
        return np.asarray(self.values)

    @property
    def missing(self) -> int:
        """How many cells are missing."""
        if isinstance(self.values, RowsOnDisk):
            return self.values.missing
        return int(np.isnan(self.values).sum()) if self.values.dtype == np.float32 else 0


@printed()
@dataclass(frozen=True)
class Dataset:
    """Train, validation and test rows under one name whose ``protocol`` says how they were made.

    ``shape`` is the shape of one row as it was before flattening, e.g. ``(28, 28)`` or ``(28, 28, 3)``.
    ``kind`` is what a model is given: ``"binary"`` (0 or 1), ``"grey"`` (whole numbers 0..255), ``"real"``,
    ``"table"``, whose ``columns`` say what each feature is, ``left_out`` which columns of the file are none, and
    ``warnings`` what looks wrong, or ``"graph"``, one row of the pairs that ``graph`` lists, 1 for a link and NaN for
    what is not known. Values are float32, NaN where a cell is missing, in
    real data, in tables, in graphs, and in binary and grey data with missing cells; else they are uint8.
    With ``binarize_training`` the training values are grey uint8 that stand for probabilities value/255 and
    are drawn again to {0, 1} at every access (then ``kind`` is ``"binary"``). Validation and test values are
    final: they are never drawn again.

    >>> rows = Split(np.eye(4, dtype=np.uint8))
    >>> eye = Dataset("eye", "made by hand", (2, 2), "binary", False, rows, None, rows)
    >>> eye.features, eye.missing
    (4, 0)
    """

    name: str
    protocol: str
    shape: tuple[int, ...]
    kind: Kind
    binarize_training: bool
    train: Split
    valid: Split | None
    test: Split
    columns: tuple[Column, ...] | None = None
    left_out: tuple[LeftOut, ...] = ()
    warnings: tuple[Words, ...] = ()
    graph: ListedGraph | None = None

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"kind must be one of {', '.join(get_args(Kind))}; got {self.kind!r}")
        if (self.kind == "graph") != (self.graph is not None):
            raise ValueError(f"{self.name}: data of kind 'graph', and no other, need a graph; got kind {self.kind!r}")
        names = [column.name for column in self.columns or ()]
        if len(names) != (self.features if self.kind == "table" else 0) or len(set(names)) != len(names):
            raise ValueError(
                f"{self.name}: a table needs a column of its own name for each of its {self.features} features, and "
                f"other kinds need none; got {len(names)}, {len(set(names))} of them by name, for kind {self.kind!r}"
            )
        for part, split in self.splits().items():
            self._check(part, split)

    def _check(self, part: str, split: Split) -> None:
        if split.values.shape[1] != self.features:
            raise ValueError(
                f"{self.name}: {part} needs rows of {self.features} values (shape {self.shape}); "
                f"got {split.values.shape[1]}"
            )
        drawn_later = self.binarize_training and part == "train"
        incomplete = self.kind in ("binary", "grey") and not drawn_later and split.values.dtype == np.float32
        dtype = np.float32 if self.kind in ("real", "table", "graph") or incomplete else np.uint8
        if split.values.dtype != dtype:
            raise ValueError(
                f"{self.name}: {part} of kind {self.kind!r} needs {np.dtype(dtype)} values; got {split.values.dtype}"
            )
        if not drawn_later and isinstance(split.values, np.ndarray):  # those on disk were looked through
            self._check_support(part, split.values)

    def _check_support(self, part: str, values: np.ndarray) -> None:
        for i, column in enumerate(self.columns or ()):
            wrong = ~column.allows(values[:, i])
            if wrong.any():
                raise ValueError(
                    f"{self.name}: {part} of kind 'table' needs the values of its columns, and the places of levels "
                    f"from 0; {column.name!r} needs {column.needs}; got {values[wrong, i][0]}"
                )
        if self.kind in ("binary", "grey", "graph"):
            wrong = values > (255 if self.kind == "grey" else 1)
            if values.dtype == np.float32:
                wrong |= (values < 0) | (values != np.floor(values)) & ~np.isnan(values)
            if wrong.any():
                needed = "whole numbers 0..255" if self.kind == "grey" else "values in {0, 1}"
                raise ValueError(f"{self.name}: {part} of kind {self.kind!r} needs {needed}; got {values[wrong][0]}")

    @property
    def features(self) -> int:
        """D, the number of values in a row."""
        return int(np.prod(self.shape))

    @property
    def missing(self) -> int:
        """How many cells of all splits are missing."""
        return sum(split.missing for split in self.splits().values())

    @property
    def on_disk(self) -> bool:
        """Whether rows stay on disk, and are read as they are needed."""
        return isinstance(self.train.values, RowsOnDisk)

    def splits(self) -> dict[str, Split]:
        """The splits that exist, by name: train, valid, test."""
        found = {"train": self.train, "valid": self.valid, "test": self.test}
        return {part: split for part, split in found.items() if split is not None}

    def split(self, part: str) -> Split:
        """One split by name. Raises ValueError for a name, or a split, that this data set does not have."""
        found = self.splits()
        if part not in found:
            raise ValueError(f"{self.name} has the splits {', '.join(found)}; got {part!r}")
        return found[part]

    def digest(self) -> str:
        """SHA-256 of all values, their types, shapes and columns: equal digests mean equal data.

        Of rows on disk it is that of the files in their order, and of the split: not that of the same rows in memory.
        """
        state = hashlib.sha256()
        for part, split in self.splits().items():
            state.update(f"{part} {split.values.dtype.name} {split.values.shape}".encode())
            if isinstance(split.values, RowsOnDisk):
                state.update(split.values.digest().encode())
            else:
                state.update(np.ascontiguousarray(split.values).data)
        for column in self.columns or ():
            state.update(repr((column.name, column.kind, column.levels)).encode())
        if self.graph is not None:
            self.graph.update(state)
        return state.hexdigest()
