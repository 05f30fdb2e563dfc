"""Rows that stay on disk and are read by their numbers, a few at a time."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from iwax.data.bits import epoch_order
from iwax.data.block_order import BlockOrder
from iwax.memory_limit import in_words

__all__ = ["RowsOnDisk", "Source"]

AT_ONCE = 2**29  # bytes that are read as one array, at most
CHUNK = 2**25  # bytes of a chunk of a whole pass
DENSE = 4  # rows are read with those between them where at least one in this many is wanted


class Source(Protocol):
    """Rows of one shape and type in files.

    Where ``bounds`` is None any row costs the same. Otherwise rows come in blocks, each of which is read whole:
    block i has the rows bounds[i] to bounds[i + 1] - 1.
    """

    name: str
    event: tuple[int, ...]
    dtype: np.dtype
    bounds: np.ndarray | None

    def __len__(self) -> int:
        """The number of rows."""
        ...

    def take(self, numbers: np.ndarray) -> np.ndarray:
        """The rows [m, *event] of these numbers, from any thread. ValueError where a file has changed since."""
        ...

    def place(self, number: int) -> tuple[str, int]:
        """The file of a row, and its number in it, from 1."""
        ...


@dataclass(frozen=True, eq=False)
class RowsOnDisk:
    """Rows ``values`` [n, D] that are read when they are needed: those of a ``source`` at ``numbers``, then ``read``.

    A slice is another such view, and reads nothing; rows by their numbers are an array. As an array of NumPy it is read
    whole, which is refused beyond 512 MB. ``missing`` cells were counted, and ``source_digest`` taken, when the files
    were looked through.
    """

    source: Source
    numbers: np.ndarray | range
    read: tuple[Callable[[np.ndarray], np.ndarray], ...]
    dtype: np.dtype
    features: int
    missing: int = 0
    source_digest: str = ""

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def shape(self) -> tuple[int, int]:
        """``(n, D)``."""
        return len(self), self.features

    @property
    def ndim(self) -> int:
        """2, as rows are flat."""
        return 2

    @property
    def size(self) -> int:
        """``n D``."""
        return len(self) * self.features

    @property
    def nbytes(self) -> int:
        """Bytes of all rows as an array."""
        return self.size * self.dtype.itemsize

    @property
    def in_blocks(self) -> bool:
        """Whether rows are read in blocks, and an epoch's order is a shuffle of blocks."""
        return self.source.bounds is not None

    def take(self, rows: Sequence[int] | np.ndarray | range) -> np.ndarray:
        """The rows [m, D] at these places."""
        return self._of(_at(self.numbers, rows))

    def order(self, seed: int, epoch: int) -> Any:
        """The order of the rows in an epoch, a function of (seed, epoch), which an array of places indexes.

        The permutation that rows in memory have; of rows in blocks, a shuffle of blocks and of the rows in a buffer.
        """
        if self.source.bounds is None:
            return epoch_order(seed, epoch, len(self))
        bounds = np.searchsorted(np.asarray(self.numbers), self.source.bounds)
        return BlockOrder(seed, epoch, bounds, row_bytes=self.features * self.dtype.itemsize)

    def mapped(self, function: Callable[[np.ndarray], np.ndarray], dtype: Any) -> "RowsOnDisk":
        """The same rows, of which ``function`` is taken as they are read; its name is a part of the `digest`."""
        return replace(self, read=(*self.read, function), dtype=np.dtype(dtype))

    def chunks(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """All rows once, as they follow each other in the files: their numbers there [m], and their values [m, D]."""
        ascending = np.sort(self.numbers) if isinstance(self.numbers, np.ndarray) else np.asarray(self.numbers)
        length = max(1, CHUNK // (self.features * max(self.dtype.itemsize, self.source.dtype.itemsize)))
        for first in range(0, len(ascending), length):
            wanted = ascending[first : first + length]
            low, high = int(wanted[0]), int(wanted[-1]) + 1
            if high - low <= DENSE * len(wanted):
                found = self.source.take(np.arange(low, high))[wanted - low]
            else:
                found = self.source.take(wanted)
            for function in self.read:
                found = function(found)
            yield wanted, found

    def digest(self) -> str:
        """The SHA-256 of what the files held, which rows of them these are, and how they are read."""
        found = hashlib.sha256(f"{self.source_digest} {self.dtype.name} {self.shape}".encode())
        found.update(np.ascontiguousarray(self.numbers, np.int64).data)
        found.update(" ".join(function.__qualname__ for function in self.read).encode())
        return found.hexdigest()

    def __getitem__(self, rows: Any) -> Any:
        if isinstance(rows, slice):
            return replace(self, numbers=self.numbers[rows])
        if isinstance(rows, int | np.integer):
            return self.take([range(len(self))[int(rows)]])[0]
        if isinstance(rows, np.ndarray | list) and np.ndim(rows) == 1:
            wanted = np.asarray(rows)
            return self.take(np.flatnonzero(wanted) if wanted.dtype == bool else wanted)
        return np.asarray(self)[rows]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if self.nbytes > AT_ONCE:
            raise ValueError(
                f"{self.source.name}: its rows are on disk, and at most {in_words(AT_ONCE)} of them are needed at "
                f"once; got {len(self):,} rows, {in_words(self.nbytes)}; take fewer, as by --limit N"
            )
        found = self.take(np.arange(len(self)))
        return found if dtype is None else found.astype(dtype, copy=False)

    def _of(self, numbers: np.ndarray) -> np.ndarray:
        found = self.source.take(numbers)
        for function in self.read:
            found = function(found)
        return found


def _at(numbers: np.ndarray | range, rows: Sequence[int] | np.ndarray | range) -> np.ndarray:
    """The numbers in the source of the rows at these places."""
    places = np.asarray(rows)
    if isinstance(numbers, np.ndarray):
        return numbers[places]
    if places.size and (places.min() < 0 or places.max() >= len(numbers)):
        raise IndexError(f"rows 0..{len(numbers) - 1} were needed; got {places.min()}..{places.max()}")
    return numbers.start + numbers.step * places
