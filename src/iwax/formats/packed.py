"""The cells of one column in little more memory than their letters; a list of texts would take ten times as much."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import overload

import numpy as np

Cell = str | None
PIECE = 2**16  # cells that are texts of their own at once


class Column(Sequence[Cell]):
    """Cells by their places, read only."""

    def distinct(self) -> set[str]:
        """The different cells that are not missing."""
        return {cell for cell in self if cell is not None}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(list(self))


class Packed(Column):
    """Texts laid end to end: cell i is ``text[starts[i]:starts[i + 1]]``, and ``empty`` where that is.

    >>> packed(["a", None, "bc"])[1:]
    [None, 'bc']
    """

    __slots__ = ("empty", "starts", "text")

    def __init__(self, text: str, starts: np.ndarray, empty: Cell = None) -> None:
        self.text, self.starts, self.empty = text, starts, empty

    def __len__(self) -> int:
        return len(self.starts) - 1

    @overload
    def __getitem__(self, place: int) -> Cell: ...
    @overload
    def __getitem__(self, place: slice) -> "Packed": ...
    def __getitem__(self, place: int | slice) -> "Cell | Packed":
        if isinstance(place, slice):
            start, stop, step = place.indices(len(self))
            if step != 1:
                raise ValueError(f"a column is cut in steps of 1, got {step}")
            return Packed(self.text, self.starts[start : max(start, stop) + 1], self.empty)
        at = range(len(self))[place]
        return self.text[self.starts[at] : self.starts[at + 1]] or self.empty

    def __iter__(self) -> Iterator[Cell]:
        for at in range(0, len(self), PIECE):
            places = self.starts[at : at + PIECE + 1].tolist()
            yield from [self.text[start:stop] or self.empty for start, stop in pairwise(places)]


def packed(cells: Sequence[Cell], empty: Cell = None) -> Packed:
    """Cells as one text; an empty one and None are one, read as ``empty``."""
    texts = [cell or "" for cell in cells]
    return Packed("".join(texts), _starts(np.fromiter(map(len, texts), np.int64, len(texts))), empty)


def joined(pieces: Sequence[Packed]) -> Packed:
    """One column of several, one below the other.

    >>> joined([packed(["a"]), packed(["b", ""])])
    ['a', 'b', None]
    """
    if len(pieces) == 1:
        return pieces[0]
    lengths = np.concatenate([np.diff(piece.starts) for piece in pieces])
    text = "".join(piece.text[piece.starts[0] : piece.starts[-1]] for piece in pieces)
    return Packed(text, _starts(lengths), pieces[0].empty)


def _starts(lengths: np.ndarray) -> np.ndarray:
    """Where texts of these lengths begin, and where the last one ends."""
    small = lengths.sum(dtype=np.int64) < 2**31
    starts = np.zeros(len(lengths) + 1, np.int32 if small else np.int64)
    np.cumsum(lengths, out=starts[1:])
    return starts
