"""The cells of one column as its file holds them, numbers or levels and their places, read as texts one at a time."""

from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np

from iwax.formats.packed import PIECE, Cell, Column

__all__ = ["Levels", "Numbers", "as_text"]


def as_text(value: object) -> str:
    """A Python or NumPy value as the cell of a text table: the fewest digits that give a number back.

    >>> [as_text(value) for value in (3.0, np.float32(0.1), 7, True, "x", None)]
    ['3', '0.1', '7', 'True', 'x', '']
    """
    if value is None:
        return ""
    return str(value).removesuffix(".0") if isinstance(value, (float, np.floating)) else str(value)


class Numbers(Column):
    """Real or whole numbers, with ``holes`` where one is missing.

    >>> column = Numbers(np.array([1.5, 2.0]), np.array([False, True]))
    >>> column, column.values(), column.distinct()
    (['1.5', None], array([1.5, nan]), {'1.5'})
    """

    __slots__ = ("found", "holes")

    def __init__(self, found: np.ndarray, holes: np.ndarray) -> None:
        self.found, self.holes = found, holes

    def __len__(self) -> int:
        return len(self.found)

    @overload
    def __getitem__(self, place: int) -> Cell: ...
    @overload
    def __getitem__(self, place: slice) -> "Numbers": ...
    def __getitem__(self, place: int | slice) -> "Cell | Numbers":
        if isinstance(place, slice):
            return Numbers(self.found[place], self.holes[place])
        return None if self.holes[place] else as_text(self.found[place])

    def __iter__(self) -> Iterator[Cell]:
        for at in range(0, len(self), PIECE):
            found, holes = self.found[at : at + PIECE], self.holes[at : at + PIECE].tolist()
            yield from [None if hole else as_text(value) for value, hole in zip(found, holes, strict=True)]

    def values(self) -> np.ndarray:
        """As float64, NaN where one is missing."""
        return np.where(self.holes, np.nan, self.found.astype(np.float64))

    def distinct(self) -> set[str]:
        """The different cells that are not missing."""
        return {as_text(value) for value in np.unique(self.found[~self.holes])}

    def beyond(self) -> bool:
        """Whether they are whole numbers from 0, of which one is none of float64."""
        if self.found.dtype.kind not in "iu" or not len(self.found) or self.found.min() < 0:
            return False
        if self.found.max() <= 2**53:
            return False
        return any(int(float(value)) != value for value in map(int, self.found[~self.holes]))


class Levels(Column):
    """Texts by their places in a list of levels, -1 where one is missing.

    >>> Levels(["a", "b"], np.array([1, -1, 0]))
    ['b', None, 'a']
    """

    __slots__ = ("codes", "levels")

    def __init__(self, levels: Sequence[str], codes: np.ndarray) -> None:
        self.levels, self.codes = [*levels, None], codes

    def __len__(self) -> int:
        return len(self.codes)

    @overload
    def __getitem__(self, place: int) -> Cell: ...
    @overload
    def __getitem__(self, place: slice) -> "Levels": ...
    def __getitem__(self, place: int | slice) -> "Cell | Levels":
        if isinstance(place, slice):
            return Levels([str(level) for level in self.levels[:-1]], self.codes[place])
        return self.levels[self.codes[place]]

    def __iter__(self) -> Iterator[Cell]:
        for at in range(0, len(self), PIECE):
            yield from [self.levels[code] for code in self.codes[at : at + PIECE].tolist()]

    def distinct(self) -> set[str]:
        """The different cells that are not missing."""
        return {str(self.levels[code]) for code in np.unique(self.codes) if code >= 0}
