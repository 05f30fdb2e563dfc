"""Rows of .npy files, read one by one where they lie: nothing of a file is held but what was asked for.

Files are read by their descriptors and not mapped into memory. Pages of a mapped file that were touched count as
memory of the process until the system takes them back, and a file that has become shorter would end the process.
"""

import math
import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np

from iwax.formats.npy import read_npy_header

__all__ = ["NpyRows"]


class NpyRows:
    """The array of a .npy file of which rows are read by their numbers.

    Raises ValueError where the file is no whole array of numbers, or its rows do not lie one after another.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/x.npy", np.arange(6).reshape(3, 2))
    ...     NpyRows(Path(folder, "x.npy")).take(np.array([2, 0])).tolist()
    [[4, 5], [0, 1]]
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as stream:
            found = os.fstat(stream.fileno())
            shape, fortran, self.dtype, self.start = read_npy_header(stream, size=found.st_size, name=str(path))
        if (fortran and len(shape) > 1) or not shape:
            raise ValueError(
                f"{path}: needed rows that lie one after another, to read them from disk; got "
                f"{'an array in Fortran order' if shape else 'a single number'}; save it with "
                "numpy.save(file, numpy.ascontiguousarray(x))"
            )
        self.rows, self.event = shape[0], shape[1:]
        self.row_bytes = self.dtype.itemsize * math.prod(self.event)
        self.began = _state(found)

    def __len__(self) -> int:
        return self.rows

    def take(self, numbers: np.ndarray) -> np.ndarray:
        """The rows [m, *event] of these numbers, in any order. ValueError where the file has changed since."""
        order = np.argsort(numbers, kind="stable")
        ascending = numbers[order]
        found = np.empty((len(numbers), self.row_bytes), np.uint8)
        opened = os.open(self.path, os.O_RDONLY)
        try:
            if _state(os.fstat(opened)) != self.began:
                raise ValueError(f"{self.path}: it has changed since it was opened; its rows are needed as they were")
            for first, stop in _runs(ascending):
                self._read(opened, found[first:stop].reshape(-1), int(ascending[first]))
        finally:
            os.close(opened)
        if len(order) and (np.diff(order) != 1).any():
            placed = np.empty_like(found)
            placed[order] = found
            found = placed
        return found.view(self.dtype).reshape(len(numbers), *self.event)

    def _read(self, opened: int, into: np.ndarray, number: int) -> None:
        """Rows that follow each other, from a number on."""
        left, place = into.data, self.start + number * self.row_bytes
        while left:
            got = os.preadv(opened, [left], place)
            if not got:
                raise ValueError(f"{self.path}: needed {len(left)} bytes at {place}; the file ends before")
            left, place = left[got:], place + got


def _state(found: os.stat_result) -> tuple[int, int, int]:
    """What changes with the contents of a file."""
    return found.st_size, found.st_mtime_ns, found.st_ino


def _runs(ascending: np.ndarray) -> Iterator[tuple[int, int]]:
    """The places from and to which numbers follow each other by ones."""
    ends = np.flatnonzero(np.diff(ascending) != 1) + 1
    yield from pairwise([0, *ends.tolist(), len(ascending)])
