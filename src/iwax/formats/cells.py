"""A table as text: what every reader of tables gives, with one rule for missing cells and one for numbers."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from functools import cached_property

import numpy as np

from iwax.formats.columnar import Numbers
from iwax.formats.columnar import as_text as cell_of
from iwax.formats.packed import PIECE, Cell, Column

MISSING = (
    *("", "na", "n/a", "n.a.", "nan", "-nan", "null", "none", "?", "-", "--", "\u2013", "\u2014"),
    *("#n/a", "#n/a n/a", "#na", "<na>", "nat", "1.#qnan", "-1.#qnan", "1.#ind", "-1.#ind"),  # Excel, pandas, C
    *(".", "\\n"),  # SAS and Stata; SQL
)
ERRORS = ("#div/0!", "#value!", "#ref!", "#name?", "#num!", "#null!", "#spill!", "#calc!")  # of a formula: no value
MINUS = "\u2212"
DIGITS = 15  # of any whole number that float64 tells from the next one
MOST_COLUMNS = 100_000  # each is looked at by itself: some tens of microseconds
MOST_DIGITS = 309  # of any that is not infinite there
NUMBER = re.compile(  # possessive: of a long row of digits no part is tried again
    rf"[+\-{MINUS}]?+(?:(?:\d++(?:\.\d*+)?+|\.\d++)(?:e[+\-{MINUS}]?+\d++)?+|inf(?:inity)?+)", re.ASCII | re.IGNORECASE
)


@dataclass(frozen=True)
class Cells:
    """Named columns of cells, None where one is missing, and the line (of text) or row on which each row begins.

    ``unnamed`` are the columns that the file gives no name, ``index`` those that it says are row numbers or labels.
    ``marks`` counts, a column, the words (not empty cells) that were taken for missing though nobody said so.

    >>> table = Cells("t.csv", ("a", "b"), (["1", None], ["x", "y"]), (2, 3))
    >>> len(table), table.place(1, 0)
    (2, 't.csv:3:1')
    """

    source: str
    names: tuple[str, ...]
    columns: tuple[Sequence[Cell], ...]
    lines: Sequence[int]
    unnamed: Collection[str] = ()
    index: tuple[str, ...] = ()
    marks: tuple[Mapping[str, int], ...] = ()
    read: dict[int, tuple[np.ndarray, set[str]]] = field(default_factory=dict, init=False, repr=False, compare=False)
    latest: dict[int, set[str]] = field(default_factory=dict, init=False, repr=False, compare=False)
    wordy: list[int] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_names(self.names, self.source)
        if {len(column) for column in self.columns} != {len(self.lines)} or len(self.columns) != len(self.names):
            raise ValueError(f"{self.source}: needed {len(self.names)} columns of {len(self.lines)} cells; got others")

    def __len__(self) -> int:
        return len(self.lines)

    def place(self, row: int, column: int) -> str:
        """file:line:column of a cell, both counted from 1."""
        return f"{self.source}:{self.lines[row]}:{column + 1}"

    def numbers(self, column: int) -> tuple[np.ndarray, set[str]]:
        """`numbers` of a column, read once; those of columns of words are kept until another one is read."""
        if column not in self.read:
            self.read[column] = numbers(self.columns[column])
            if self.read[column][1]:
                for before in self.wordy:
                    del self.read[before]
                self.wordy[:] = [column]
        return self.read[column]

    def holds(self, column: int) -> bool:
        """Whether any cell of a column is not missing."""
        values, words = self.numbers(column)
        return bool(words) or not np.isnan(values).all()

    @cached_property
    def trailing(self) -> int:
        """The place after the last column that has a name or a value."""
        unnamed = set(self.unnamed)
        named = (i for i in range(len(self.names) - 1, -1, -1) if self.names[i] not in unnamed or self.holds(i))
        return next(named, -1) + 1

    def texts(self, column: int) -> set[str]:
        """The distinct cells of a column that are not missing, kept until those of another one are asked for."""
        if column not in self.latest:
            self.latest.clear()
            self.latest[column] = distinct(self.columns[column])
        return self.latest[column]


def check_width(columns: int, where: str) -> None:
    """Refuse a table of more columns than can be told apart by their cells, one by one, in reasonable time.

    >>> check_width(300_000, "t.csv:1")
    Traceback (most recent call last):
        ...
    ValueError: t.csv:1: needed at most 100,000 columns in a table; got 300,000; save them as an array (.npy), which has
    no kinds of columns
    """
    if columns > MOST_COLUMNS:
        raise ValueError(
            f"{where}: needed at most {MOST_COLUMNS:,} columns in a table; got {columns:,}; save them as an array "
            "(.npy), which has no kinds of columns"
        )


def check_names(names: Sequence[str], where: str) -> None:
    """Refuse an empty name and one that stands twice: ValueError with its column.

    >>> check_names(["a", "a"], "t.csv:1")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    ValueError: t.csv:1:2: needed a name of its own for every column; got the name 'a' a second time; ...
    """
    before: set[str] = set()
    for i, name in enumerate(names):
        if not name or name in before:
            what = f"the name {name!r} a second time" if name else "an empty name"
            raise ValueError(
                f"{where}:{i + 1}: needed a name of its own for every column; got {what}; rename the column, or leave "
                "it out of the file"
            )
        before.add(name)


def with_holes(cells: Sequence[str], missing: Sequence[str] = (), levels: Collection[str] = ()) -> list[Cell]:
    """The cells without the space around them, and None for those that are missing.

    Missing are empty cells, NA, N/A, NaN, null, None (in small or capital letters), ?, - and the other marks of
    spreadsheets, pandas, SQL, SAS and Stata in ``MISSING``, and what ``missing`` says, where a number stands for
    itself however it is written; but not what ``levels`` holds. Raises ValueError for a ``missing`` of no texts.

    >>> with_holes([" 1", "n/a", "-999.0", "-9", "None"], missing=["-999"], levels=["None"])
    ['1', None, None, '-9', 'None']
    """
    return holes_and_marks(cells, missing, levels)[0]


def holes_and_marks(
    cells: Sequence[str], missing: Sequence[str] = (), levels: Collection[str] = ()
) -> tuple[list[Cell], dict[str, int]]:
    """As ``with_holes``, and how often each word was taken for missing though neither empty nor said to be.

    >>> holes_and_marks(["NA", "", "x", "NA", "-1"], missing=["-1"])
    ([None, None, 'x', None, None], {'NA': 2})
    """
    if isinstance(missing, str) or not all(isinstance(token, str) for token in missing):
        raise ValueError(f"missing must be a list of texts, as in missing=['-999', 'unknown']; got {missing!r}")
    said = {token.strip().lower() for token in missing}
    values = {value for token in missing if (value := number(token.strip())) is not None}
    words, usual = {*MISSING, *said}, {*MISSING} - said - {""}
    read: dict[str, Cell] = {}
    marks: set[str] = set()
    for cell in set(cells):
        text = cell.strip()
        small = text.lower()
        if (small in words or (values and number(text) in values)) and text not in levels:
            read[cell] = None
            if small in usual:
                marks.add(cell)
        else:
            read[cell] = text
    counts = Counter(cell.strip() for cell in cells if cell in marks) if marks else {}
    return [*map(read.__getitem__, cells)], dict(counts)


def number(text: str) -> float | None:
    """The number that a text spells in ASCII digits with a decimal point, or None; a minus may be U+2212.

    >>> number("-1.5e3"), number("\u22122"), number("1,5"), number("1_000")
    (-1500.0, -2.0, None, None)
    """
    return float(text.replace(MINUS, "-")) if NUMBER.fullmatch(text) else None


def exact(text: str) -> Decimal | None:
    """The number that a text spells, as `number` takes it, with every digit.

    >>> exact("1.50") == exact("1.5"), exact("12345678901234567890") == exact("12345678901234567891"), exact("x")
    (True, False, None)
    >>> exact("1e99999999999999999999")  # an exponent of which no digits are kept
    Decimal('Infinity')
    """
    if not NUMBER.fullmatch(text):
        return None
    try:
        return Decimal(text.replace(MINUS, "-"))
    except InvalidOperation:
        return Decimal(float(text.replace(MINUS, "-")))


def are_codes(cells: Sequence[Cell]) -> bool:
    """Whether all cells are rows of digits that are no numbers.

    One has a zero in front, and no two are one number (1 and 01); or one has more digits than float64 holds.

    >>> are_codes(["00123", "94110", None]), are_codes(["12345678901234567891"]), are_codes(["0", "10", "0.5"])
    (True, True, False)
    """
    if isinstance(cells, Numbers):
        return cells.beyond()
    padded = long = False
    for cell in cells:
        if cell is not None:
            if not (cell.isascii() and cell.isdigit()):
                return False
            padded = padded or (cell[0] == "0" and len(cell) > 1)
            long = long or (len(cell) > DIGITS and not _held(cell))
    if padded and not long:
        texts = distinct(cells)
        return len({text.lstrip("0") for text in texts}) == len(texts)
    return long


def _held(digits: str) -> bool:
    """Whether float64 is this whole number."""
    return len(digits) < MOST_DIGITS and int(float(digits)) == int(digits)


def numbers(cells: Sequence[Cell]) -> tuple[np.ndarray, set[str]]:
    """The float64 numbers of the cells, NaN where there is none, and the texts among them that are no number.

    >>> numbers(["1", None, "x"])
    (array([ 1., nan, nan]), {'x'})
    """
    if isinstance(cells, Numbers):
        return cells.values(), set()
    values, words = np.empty(len(cells)), set[str]()
    for at in range(0, len(cells), PIECE):
        piece = list(cells[at : at + PIECE])
        read: dict[Cell, float] = {None: np.nan}
        for text in set(piece):
            if text is not None:
                value = number(text)
                read[text] = np.nan if value is None else value
                if value is None:
                    words.add(text)
        values[at : at + PIECE] = np.fromiter(map(read.__getitem__, piece), np.float64, len(piece))
    return values, words


def distinct(cells: Sequence[Cell]) -> set[str]:
    """The different cells that are not missing.

    >>> sorted(distinct(["b", None, "a", "b"]))
    ['a', 'b']
    """
    return cells.distinct() if isinstance(cells, Column) else {cell for cell in set(cells) if cell is not None}


def as_text(values: Iterable[object]) -> list[str]:
    """Python or NumPy values as the cells of a text table: the fewest digits that give a number back.

    >>> as_text([3.0, np.float32(0.1), 7, True, "x", None])
    ['3', '0.1', '7', 'True', 'x', '']
    """
    return [cell_of(value) for value in values]
