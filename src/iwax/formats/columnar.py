"""The cells of one column in little more memory than their letters; a list of texts would take ten times as much."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from itertools import chain, pairwise
from typing import overload

import numpy as np

from iwax.formats.cell import Cell, as_text, number

__all__ = ["Column", "Levels", "Numbers", "Packed", "joined", "packed"]

FIRST, PIECE = 2**8, 2**16  # cells that are texts of their own at once: of the first piece, and at most
DIGITS = 15  # of any whole number that float64 tells from the next one
MOST_DIGITS = 309  # of any that is not infinite there


class Column(Sequence[Cell]):
    """Cells by their places, read only: texts, None where one is missing."""

    @abstractmethod
    def part(self, start: int, stop: int) -> "Column":
        """The cells from ``start`` to ``stop``, as a column."""

    @abstractmethod
    def cells(self) -> list[Cell]:
        """All cells as a list, which takes ten times the memory."""

    @overload
    def __getitem__(self, place: int) -> Cell: ...
    @overload
    def __getitem__(self, place: slice) -> "Column": ...
    def __getitem__(self, place: int | slice) -> "Cell | Column":
        if isinstance(place, slice):
            start, stop, step = place.indices(len(self))
            if step != 1:
                raise ValueError(f"a column is cut in steps of 1, got {step}")
            return self.part(start, max(start, stop))
        at = range(len(self))[place]
        return self.part(at, at + 1).cells()[0]

    def pieces(self) -> Iterator[list[Cell]]:
        """The cells as lists of at most ``PIECE`` cells; the first are short, for those who look at a few cells."""
        at, size = 0, FIRST
        while at < len(self):
            yield self.part(at, at + size).cells()
            at, size = at + size, min(2 * size, PIECE)

    def __iter__(self) -> Iterator[Cell]:
        return chain.from_iterable(self.pieces())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(list(self))

    def distinct(self) -> set[str]:
        """The different cells that are not missing."""
        return {cell for cell in self if cell is not None}

    def numbers(self) -> tuple[np.ndarray, set[str]]:
        """The float64 numbers of the cells, NaN where there is none, and the texts among them that are no number.

        >>> packed(["1", None, "x"]).numbers()
        (array([ 1., nan, nan]), {'x'})
        """
        values, words, at = np.empty(len(self)), set[str](), 0
        for piece in self.pieces():
            read: dict[Cell, float] = {None: np.nan}
            for text in set(piece):
                if text is not None:
                    value = number(text)
                    read[text] = np.nan if value is None else value
                    if value is None:
                        words.add(text)
            values[at : at + len(piece)] = np.fromiter(map(read.__getitem__, piece), np.float64, len(piece))
            at += len(piece)
        return values, words

    def are_codes(self) -> bool:
        """Whether all cells are rows of digits that are no numbers.

        One has a zero in front, and no two are one number (1 and 01); or one has more digits than float64 holds.

        >>> [packed(cells).are_codes() for cells in (["00123", "94110"], ["12345678901234567891"], ["0", "10", "0.5"])]
        [True, True, False]
        """
        padded = long = False
        for cell in self:
            if cell is not None:
                if not (cell.isascii() and cell.isdigit()):
                    return False
                padded = padded or (cell[0] == "0" and len(cell) > 1)
                long = long or (len(cell) > DIGITS and not (len(cell) < MOST_DIGITS and int(float(cell)) == int(cell)))
        if padded and not long:
            texts = self.distinct()
            return len({text.lstrip("0") for text in texts}) == len(texts)
        return long


class Packed(Column):
    """Texts end to end: cell i is ``text[starts[i]:starts[i + 1]]``, and None where that is empty.

    >>> packed(["a", None, "bc"])[1:]
    [None, 'bc']
    """

    def __init__(self, text: str, starts: np.ndarray) -> None:
        self.text, self.starts = text, starts

    def __len__(self) -> int:
        return len(self.starts) - 1

    def part(self, start: int, stop: int) -> "Packed":
        """The cells from ``start`` to ``stop``, of the same text."""
        return Packed(self.text, self.starts[start : stop + 1])

    def __contains__(self, cell: object) -> bool:
        return (not isinstance(cell, str) or cell in self.text) and super().__contains__(cell)

    def cells(self) -> list[Cell]:
        """All cells, each a text of its own."""
        return [self.text[start:stop] or None for start, stop in pairwise(self.starts.tolist())]


def packed(cells: Sequence[Cell]) -> Packed:
    """Cells as one text; an empty one and None are one."""
    texts = [cell or "" for cell in cells]
    return Packed("".join(texts), _starts(np.fromiter(map(len, texts), np.int64, len(texts))))


def joined(pieces: Sequence[Packed]) -> Packed:
    """One column of several, one below the other.

    >>> joined([packed(["a"]), packed(["b", ""])])
    ['a', 'b', None]
    """
    if len(pieces) == 1:
        return pieces[0]
    lengths = np.concatenate([np.diff(piece.starts) for piece in pieces])
    text = "".join(piece.text[piece.starts[0] : piece.starts[-1]] for piece in pieces)
    return Packed(text, _starts(lengths))


def _starts(lengths: np.ndarray) -> np.ndarray:
    """Where texts of these lengths begin, and where the last one ends."""
    small = lengths.sum(dtype=np.int64) < 2**31
    starts = np.zeros(len(lengths) + 1, np.int32 if small else np.int64)
    np.cumsum(lengths, out=starts[1:])
    return starts


class Numbers(Column):
    """Real or whole numbers ``found``, and where one is ``missing``.

    >>> column = Numbers(np.array([1.5, 2.0]), np.array([False, True]))
    >>> column, column.numbers(), column.distinct()
    (['1.5', None], (array([1.5, nan]), set()), {'1.5'})
    """

    def __init__(self, found: np.ndarray, missing: np.ndarray) -> None:
        self.found, self.missing = found, missing

    def __len__(self) -> int:
        return len(self.found)

    def part(self, start: int, stop: int) -> "Numbers":
        """The numbers from ``start`` to ``stop``."""
        return Numbers(self.found[start:stop], self.missing[start:stop])

    def cells(self) -> list[Cell]:
        """All numbers as texts."""
        pairs = zip(self.found, self.missing.tolist(), strict=True)
        return [None if missing else as_text(value) for value, missing in pairs]

    def numbers(self) -> tuple[np.ndarray, set[str]]:
        """As float64, NaN where one is missing; there are no words among them."""
        return np.where(self.missing, np.nan, self.found.astype(np.float64)), set()

    def distinct(self) -> set[str]:
        """The different numbers that are not missing, as texts."""
        return {as_text(value) for value in np.unique(self.found[~self.missing])}

    def are_codes(self) -> bool:
        """Whether they are whole numbers from 0, of which float64 does not hold one."""
        if self.found.dtype.kind not in "iu" or not len(self.found) or self.found.min() < 0:
            return False
        if self.found.max() <= 2**53:
            return False
        return any(int(float(value)) != value for value in map(int, self.found[~self.missing]))


class Levels(Column):
    """Texts by their places in a list of levels, -1 where one is missing.

    >>> Levels(["a", "b"], np.array([1, -1, 0]))
    ['b', None, 'a']
    """

    def __init__(self, levels: Sequence[str], codes: np.ndarray) -> None:
        self.levels, self.codes = levels, codes

    def __len__(self) -> int:
        return len(self.codes)

    def part(self, start: int, stop: int) -> "Levels":
        """The cells from ``start`` to ``stop``, of the same levels."""
        return Levels(self.levels, self.codes[start:stop])

    def cells(self) -> list[Cell]:
        """All cells, which share the texts of their levels."""
        levels = [*self.levels, None]
        return [levels[code] for code in self.codes.tolist()]

    def distinct(self) -> set[str]:
        """The different cells that are not missing."""
        return {self.levels[int(code)] for code in np.unique(self.codes) if code >= 0}
