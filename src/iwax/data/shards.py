"""Files of rows as one source, one after another in the order of their names."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from iwax.formats.npy_rows import NpyRows

__all__ = ["NpyShards"]


class NpyShards:
    """Arrays of one type and one shape of row in .npy files, of which any row is read by itself.

    Raises ValueError naming the file of another type or row, or without rows.
    """

    bounds = None

    def __init__(self, paths: Sequence[Path], *, name: str) -> None:
        self.name, self.files = name, [NpyRows(path) for path in paths]
        first = self.files[0]
        self.event, self.dtype = first.event, first.dtype
        for file in self.files:
            if (file.event, file.dtype) != (first.event, first.dtype):
                raise ValueError(
                    f"{file.path}: needed rows of shape {first.event} of {first.dtype}, as in {first.path.name}; got "
                    f"{file.event} of {file.dtype}"
                )
            if not len(file):
                raise ValueError(f"{file.path}: needed at least one row; got none")
        self.starts = np.cumsum([0, *map(len, self.files)])

    def __len__(self) -> int:
        return int(self.starts[-1])

    def take(self, numbers: np.ndarray) -> np.ndarray:
        """The rows [m, *event] of these numbers."""
        if len(self.files) == 1:
            return self.files[0].take(numbers)
        found = np.empty((len(numbers), *self.event), self.dtype)
        of = np.searchsorted(self.starts, numbers, side="right") - 1
        for file in np.unique(of):
            here = of == file
            found[here] = self.files[file].take(numbers[here] - self.starts[file])
        return found

    def place(self, number: int) -> tuple[str, int]:
        """The file of a row, and its number in it, from 1."""
        file = int(np.searchsorted(self.starts, number, side="right")) - 1
        return str(self.files[file].path), number - int(self.starts[file]) + 1
