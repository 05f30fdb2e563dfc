"""Files whose rows are read in blocks: groups of rows of Parquet tables, and whole .npz files."""

import threading
from abc import abstractmethod
from collections import OrderedDict
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from iwax.data.block_order import BUFFER
from iwax.data.columns import Column, listed
from iwax.data.encoding import encode
from iwax.data.rows import labels_of, refuse_empty_rows
from iwax.formats.dialect import Dialect
from iwax.formats.npy import read_npz
from iwax.formats.npy_rows import state
from iwax.formats.parquet_rows import ParquetRows
from iwax.memory_limit import in_words

__all__ = ["BlockShards", "NpzShards", "TableShards", "same_columns"]

LARGEST = 4 * BUFFER  # bytes of a block


class BlockShards:
    """Rows in blocks, of which the latest are remembered: as many as two buffers of `BlockOrder` have, at least two.

    ``sizes`` are the rows of the blocks of each file. A subclass reads one. Raises ValueError where a block is too
    large to be held.
    """

    def __init__(
        self, name: str, paths: Sequence[Path], sizes: Sequence[Sequence[int]], event: tuple[int, ...], dtype: np.dtype
    ) -> None:
        self.name, self.paths, self.event, self.dtype = name, list(paths), event, dtype
        self.blocks = [(file, i) for file, of in enumerate(sizes) for i in range(len(of))]
        self.ends = np.cumsum([0, *(size for of in sizes for size in of)])  # where a block ends and the next begins
        self.bounds: np.ndarray | None = self.ends
        self.starts: np.ndarray = np.cumsum([0, *map(sum, sizes)])
        self.row_bytes = max(1, dtype.itemsize * int(np.prod(event)))
        self.latest: OrderedDict[int, np.ndarray] = OrderedDict()
        self.lock = threading.Lock()
        largest = int(np.argmax(np.diff(self.ends)))
        if (needed := int(np.diff(self.ends)[largest]) * self.row_bytes) > LARGEST:
            raise ValueError(
                f"{self.paths[self.blocks[largest][0]]}: rows that are read together need to take at most "
                f"{in_words(LARGEST)}; got {in_words(needed)}; write it in groups of at most "
                f"{LARGEST // self.row_bytes:,} rows (row_group_size of a Parquet file), or as .npy"
            )

    @abstractmethod
    def read(self, file: int, block: int) -> np.ndarray:
        """The rows of a block of a file. ValueError where the file has changed since."""

    def __len__(self) -> int:
        return int(self.ends[-1])

    def take(self, numbers: np.ndarray) -> np.ndarray:
        """The rows [m, *event] of these numbers."""
        found = np.empty((len(numbers), *self.event), self.dtype)
        of = np.searchsorted(self.ends, numbers, side="right") - 1
        with self.lock:
            for block in np.unique(of):
                here = of == block
                found[here] = self._block(int(block))[numbers[here] - self.ends[block]]
        return found

    def place(self, number: int) -> tuple[str, int]:
        """The file of a row, and its number in it, from 1."""
        file = int(np.searchsorted(self.starts, number, side="right")) - 1
        return str(self.paths[file]), number - int(self.starts[file]) + 1

    def _block(self, number: int) -> np.ndarray:
        if number not in self.latest:
            room = 2 * BUFFER - int(self.ends[number + 1] - self.ends[number]) * self.row_bytes
            while len(self.latest) > 1 and sum(each.nbytes for each in self.latest.values()) > room:
                self.latest.popitem(last=False)
            self.latest[number] = self.read(*self.blocks[number])
        self.latest.move_to_end(number)
        return self.latest[number]


class NpzShards(BlockShards):
    """The arrays ``x`` of .npz files, or the only one of each; a file is a block.

    ``labels`` are the arrays ``y`` one after another, which stay in memory; None where no file has one.
    """

    def __init__(self, paths: Sequence[Path], *, name: str) -> None:
        self.began = [state(path.stat()) for path in paths]
        sizes, labels, forms = [], [], []
        for path in paths:
            x, y = _arrays(path)
            forms.append((x.shape[1:], x.dtype, y is not None))
            if forms[-1] != forms[0]:
                needed, got = (_described(*forms[i]) for i in (0, -1))
                raise ValueError(f"{path}: needed {needed}, as in {paths[0].name}; got {got}")
            if not len(x):
                raise ValueError(f"{path}: needed at least one row; got none")
            sizes.append([len(x)])
            labels += [] if y is None else [y]
        self.labels = np.concatenate(labels) if labels else None
        super().__init__(name, paths, sizes, *forms[0][:2])

    def read(self, file: int, block: int) -> np.ndarray:
        """The rows of a file."""
        if state(self.paths[file].stat()) != self.began[file]:
            raise ValueError(
                f"{self.paths[file]}: it has changed since it was opened; its rows are needed as they were"
            )
        return _arrays(self.paths[file])[0]


def _arrays(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """The array x of a .npz file, or the only one, and its labels y. ValueError where there are others."""
    found = read_npz(path, name=str(path))
    if len(found) == 1:
        return next(iter(found.values())), None
    if set(found) == {"x", "y"}:
        return found["x"], labels_of(found["y"], len(found["x"]), where=f"{path}[y]")
    raise ValueError(
        f"{path}: a shard needs one array, of rows, or x with labels y; got {', '.join(sorted(found)) or 'none'}"
    )


def _described(event: tuple[int, ...], dtype: np.dtype, labelled: bool) -> str:
    return f"rows of shape {event} of {dtype}, {'with' if labelled else 'without'} labels y"


class TableShards(BlockShards):
    """Parquet tables of the same ``columns``, their cells encoded as float32 [n, D]; a group of rows is a block.

    They may have columns that were ``dropped``. Raises ValueError as `encode`, and for a row without a value.
    """

    def __init__(
        self,
        files: Sequence[ParquetRows],
        columns: Sequence[Column],
        *,
        name: str,
        dropped: Collection[str] = (),
        dialect: Dialect,
    ) -> None:
        self.files, self.columns, self.dropped, self.dialect = files, columns, dropped, dialect
        sizes = [file.sizes for file in files]
        super().__init__(name, [file.path for file in files], sizes, (len(columns),), np.dtype(np.float32))

    def read(self, file: int, block: int) -> np.ndarray:
        """The rows of a group of a file."""
        cells = self.files[file].group(block, left_out=self.dropped, dialect=self.dialect)
        if block == len(self.files[file].sizes) - 1:
            self.files[file].close()
        values = encode(self.columns, cells, dropped=self.dropped)
        refuse_empty_rows(values, cells.lines, cells.source)
        return values


def same_columns(files: Sequence[ParquetRows]) -> None:
    """Refuse a table whose columns, by name and type, are not those of the first: ValueError with the file."""
    first = files[0].types
    for file in files[1:]:
        found = file.types
        others = [name for name in dict.fromkeys((*first, *found)) if first.get(name) != found.get(name)]
        if others:
            name = others[0]
            raise ValueError(
                f"{file.path}: needed the columns of {files[0].path.name}, {listed(list(first))}, of the same types; "
                f"got {name!r} as {found.get(name, 'none')}, there {first.get(name, 'none')} ({len(others)} in all)"
            )
        if list(first) != list(found):
            raise ValueError(f"{file.path}: needed the columns of {files[0].path.name} in their order; got another")
