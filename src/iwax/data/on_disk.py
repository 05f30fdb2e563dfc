"""Rows that stay on disk and are read by their numbers, a few at a time."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import numpy as np

from iwax.data.bits import epoch_order
from iwax.data.block_order import BlockOrder
from iwax.memory_limit import in_words
from iwax.printed import printed

__all__ = ["Reading", "RowsOnDisk", "Source", "spread"]

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
    starts: np.ndarray  # the number of the first row of each file, and of all rows

    def __len__(self) -> int:
        """The number of rows."""
        ...

    def take(self, numbers: np.ndarray) -> np.ndarray:
        """The rows [m, *event] of these numbers, from any thread. ValueError where a file has changed since."""
        ...

    def place(self, number: int) -> tuple[str, int]:
        """The file of a row, and its number in it, from 1."""
        ...


class Reading(NamedTuple):
    """What is done to rows as they are read: ``of(values [m, ...], places [m])``, under a name for the digest."""

    name: str
    of: Callable[[np.ndarray, np.ndarray], np.ndarray]


@printed()
@dataclass(frozen=True, eq=False)
class RowsOnDisk:
    """Rows ``values`` [n, D] that are read when they are needed: those of a ``source`` with the ``numbers`` of a split.

    A slice is another such view, ``at`` other places of the split, and reads nothing; rows by their numbers are an
    array. As an array of NumPy all are read, which is refused beyond 512 MB. ``missing`` cells were counted, and the
    ``source_digest`` was taken, when the files were looked through.
    """

    source: Source
    numbers: np.ndarray
    at: range
    read: tuple[Reading, ...]
    dtype: np.dtype
    features: int
    missing: int
    source_digest: str

    @classmethod
    def of(
        cls,
        source: Source,
        numbers: np.ndarray,
        reading: Reading,
        dtype: Any,
        *,
        missing: int = 0,
        source_digest: str = "",
    ) -> "RowsOnDisk":
        """The rows of a source with these numbers."""
        features, at = int(np.prod(source.event)), range(len(numbers))
        return cls(source, numbers, at, (reading,), np.dtype(dtype), features, missing, source_digest)

    def __len__(self) -> int:
        return len(self.at)

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

    def take(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """The rows [m, D] of these numbers, counted in this view from 0."""
        wanted = np.asarray(rows)
        if wanted.size and (wanted.min() < 0 or wanted.max() >= len(self)):
            raise IndexError(f"rows 0..{len(self) - 1} were needed; got {wanted.min()}..{wanted.max()}")
        places = self.at.start + self.at.step * wanted
        return self._read(self.source.take(self.numbers[places]), places)

    def order(self, seed: int, epoch: int) -> Any:
        """The order of the rows in an epoch, a function of (seed, epoch), which an array of places indexes.

        The permutation that rows in memory have; of rows in blocks, a shuffle of blocks and of the rows in a buffer.
        """
        if self.source.bounds is None:
            return epoch_order(seed, epoch, len(self))
        bounds = np.searchsorted(self._chosen, self.source.bounds)
        return BlockOrder(seed, epoch, bounds, row_bytes=self.features * self.dtype.itemsize)

    def mapped(self, reading: Reading, dtype: Any) -> "RowsOnDisk":
        """The same rows, to which something more is done as they are read."""
        return replace(self, read=(*self.read, reading), dtype=np.dtype(dtype))

    def chunks(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """All rows once, as they follow each other in the files: their numbers there [m], and their values [m, D]."""
        chosen = self._chosen
        order = np.argsort(chosen, kind="stable")
        length = max(1, CHUNK // (self.features * max(self.dtype.itemsize, self.source.dtype.itemsize)))
        for first in range(0, len(order), length):
            here = order[first : first + length]
            numbers = chosen[here]
            low, high = int(numbers[0]), int(numbers[-1]) + 1
            if high - low <= DENSE * len(numbers):
                found = self.source.take(np.arange(low, high))[numbers - low]
            else:
                found = self.source.take(numbers)
            yield numbers, self._read(found, self.at.start + self.at.step * here)

    def digest(self) -> str:
        """The SHA-256 of what the files held, which rows of them these are, and how they are read."""
        names = " ".join(reading.name for reading in self.read)
        found = hashlib.sha256(f"{self.source_digest} {self.dtype.name} {self.shape} {names}".encode())
        found.update(np.ascontiguousarray(self._chosen, np.int64).data)
        return found.hexdigest()

    @property
    def _chosen(self) -> np.ndarray:
        """The numbers in the source of these rows."""
        return self.numbers[self.at.start : self.at.stop : self.at.step] if self.at else self.numbers[:0]

    def _read(self, found: np.ndarray, places: np.ndarray) -> np.ndarray:
        for reading in self.read:
            found = reading.of(found, places)
        return found

    def __getitem__(self, rows: Any) -> Any:
        if isinstance(rows, slice):
            chosen = self.at[rows]
            if chosen.step < 0:
                raise ValueError(f"rows on disk are sliced upwards, got a step of {rows.step}")
            return replace(self, at=chosen)
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


def spread(rows: int, most: int) -> np.ndarray:
    """The numbers of at most ``most`` rows, ascending at equal distances: all where there are no more.

    >>> spread(3, 5).tolist(), spread(10, 4).tolist()
    ([0, 1, 2], [0, 2, 5, 7])
    """
    return np.arange(min(rows, most)) * rows // min(rows, most)
