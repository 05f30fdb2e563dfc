"""A table as text: what every reader of tables gives, with one rule for missing cells and one for numbers."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

MISSING = ("", "na", "n/a", "nan", "null", "none", "?", "-")
NUMBER = re.compile(r"[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|inf(inity)?)", re.ASCII | re.IGNORECASE)
Cell = str | None


@dataclass(frozen=True)
class Cells:
    """Named columns of cells, None where one is missing, and the line (of text) or row on which each row begins.

    >>> table = Cells("t.csv", ("a", "b"), (["1", None], ["x", "y"]), (2, 3))
    >>> len(table), table.place(1, 0)
    (2, 't.csv:3:1')
    """

    source: str
    names: tuple[str, ...]
    columns: tuple[Sequence[Cell], ...]
    lines: Sequence[int]

    def __post_init__(self) -> None:
        check_names(self.names, self.source)
        if {len(column) for column in self.columns} != {len(self.lines)} or len(self.columns) != len(self.names):
            raise ValueError(f"{self.source}: needed {len(self.names)} columns of {len(self.lines)} cells; got others")

    def __len__(self) -> int:
        return len(self.lines)

    def place(self, row: int, column: int) -> str:
        """file:line:column of a cell, both counted from 1."""
        return f"{self.source}:{self.lines[row]}:{column + 1}"


def check_names(names: Sequence[str], where: str) -> None:
    """Refuse an empty name and one that stands twice: ValueError with its column.

    >>> check_names(["a", "a"], "t.csv:1")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    ValueError: t.csv:1:2: needed a name of its own for every column; got the name 'a' a second time; ...
    """
    for i, name in enumerate(names):
        if not name or name in names[:i]:
            what = f"the name {name!r} a second time" if name else "an empty name"
            raise ValueError(
                f"{where}:{i + 1}: needed a name of its own for every column; got {what}; rename the column, or leave "
                "it out of the file"
            )


def with_holes(cells: Sequence[str], missing: Sequence[str] = ()) -> list[Cell]:
    """The cells without the space around them, and None for those that are missing.

    Missing are empty cells, NA, N/A, NaN, null, None (in small or capital letters), ? and -, and what ``missing``
    says, where a number stands for itself however it is written. Raises ValueError for a ``missing`` of no texts.

    >>> with_holes([" 1", "n/a", "-999.0", "-9"], missing=["-999"])
    ['1', None, None, '-9']
    """
    if isinstance(missing, str) or not all(isinstance(token, str) for token in missing):
        raise ValueError(f"missing must be a list of texts, as in missing=['-999', 'unknown']; got {missing!r}")
    words = {*MISSING, *(token.strip().lower() for token in missing)}
    values = {value for token in missing if (value := number(token.strip())) is not None}
    read: dict[str, Cell] = {}
    for cell in set(cells):
        text = cell.strip()
        gone = text.lower() in words or (bool(values) and number(text) in values)
        read[cell] = None if gone else text
    return [read[cell] for cell in cells]


def number(text: str) -> float | None:
    """The number that a text spells in ASCII digits with a decimal point, or None.

    >>> number("-1.5e3"), number("1,5"), number("1_000")
    (-1500.0, None, None)
    """
    return float(text) if NUMBER.fullmatch(text) else None


def numbers(cells: Sequence[Cell]) -> tuple[np.ndarray, set[str]]:
    """The float64 numbers of the cells, NaN where there is none, and the texts among them that are no number.

    >>> numbers(["1", None, "x"])
    (array([ 1., nan, nan]), {'x'})
    """
    read: dict[Cell, float | None] = {text: number(text) for text in set(cells) if text is not None}
    words = {text for text, value in read.items() if value is None and text is not None}
    values = (read.get(cell) for cell in cells)
    return np.array([np.nan if value is None else value for value in values], np.float64), words


def as_text(values: Iterable[object]) -> list[str]:
    """Python or NumPy values as the cells of a text table: the fewest digits that give a number back.

    >>> as_text([3.0, np.float32(0.1), 7, True, "x", None])
    ['3', '0.1', '7', 'True', 'x', '']
    """
    return ["" if value is None else str(value).removesuffix(".0") if _real(value) else str(value) for value in values]


def _real(value: object) -> bool:
    return isinstance(value, (float, np.floating))
