"""Columns that tell rows apart and say nothing of them: identifiers, dates, row numbers."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from iwax.formats.cells import Cells
from iwax.formats.refusals import Option, Words

FEW = 3  # cells from which a column tells rows apart
MANY_LEVELS = 50
DISTINCT = 0.9  # share of distinct cells above which a column of texts, or one with such a name, holds identifiers
IDENTIFIER = re.compile(r"(?i:(?:.*[\W_])?(?:id|ids|uuid|guid|index|idx|key|rowid|rownames?))|.*[a-z]I[Dd]|.*[a-z]Key")
ROW_NUMBER = re.compile(r"(?i:row|line|record|obs|observation|nr|no|no\.|#)|X|\.\.\.1|Unnamed: \d+")
YEAR, MONTH, DAY = r"(?:1[5-9]|2[01])\d\d", r"(?:0?[1-9]|1[0-2])", r"(?:0?[1-9]|[12]\d|3[01])"
NAME_OF_MONTH = r"(?:[A-Za-z\u00c0-\u017f]{3,9}\.?)"
TIME = r"(?:[T ]+\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?(?: ?[AaPp][Mm])?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?)?"
DATE = re.compile(
    rf"(?:{YEAR}([-/.]){MONTH}\1{DAY}|{YEAR}[-/]{MONTH}|{DAY}([-/.]){MONTH}\2(?:{YEAR}|\d\d)"
    rf"|{MONTH}([-/]){DAY}\3(?:{YEAR}|\d\d)|{DAY}[-. ]+{NAME_OF_MONTH}[-. ]+(?:{YEAR}|\d\d)"
    rf"|{NAME_OF_MONTH}[-. ]+{DAY},? +{YEAR}){TIME}",
    re.ASCII,
)
FIRST_DATE, LAST_DATE = 19_000_000, 21_000_000  # as numbers of eight digits
COMPACT = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])", re.ASCII)


@dataclass(frozen=True)
class LeftOut:
    """A column that is not modelled: why, and the kind with which it would be, where there is any.

    >>> LeftOut("id", "an identifier", "categorical").words.typed
    'id: an identifier; to keep it, train with --kind id=categorical'
    """

    name: str
    reason: str
    keep: str | None = None

    @property
    def shown(self) -> str:
        """The name, quoted where it would not stand on one line.

        >>> LeftOut("an\\nid", "an identifier", "categorical").shown
        "'an\\\\nid'"
        """
        return self.name if self.name.isprintable() else repr(self.name)

    @property
    def words(self) -> Words:
        """In a sentence, with the option that keeps it."""
        if self.keep is None:
            return Words(f"{self.shown}: {self.reason}")
        return Words(f"{self.shown}: {self.reason}; to keep it, train with ", Option("kinds", self.keep, self.name))


def set_apart(table: Cells, column: int) -> LeftOut | None:
    """Whether a column is no data, by its own name and cells, by the first rule that fits.

    1. No name and no value, as lines that end in delimiters make it.
    2. The index of a frame, as pandas' notes in a Parquet file say.
    3. Dates: every cell is one, with or without a time (or eight digits, 20240131, in three or more different ones).

    >>> from iwax.formats.table import read_cells
    >>> set_apart(read_cells(b"day\\n2024-01-31\\nNA\\n2024-02-01\\n", name="t.csv"), 0).reason
    "dates, such as '2024-01-31'"
    """
    name = table.names[column]
    if not table.holds(column):
        if name not in table.unnamed:
            return None
        last = len(table.names) - table.trailing
        ends = f" (every line ends in {last} delimiter{'s' * (last != 1)})" if column >= table.trailing else ""
        return LeftOut(name, f"no name and no value{ends}")
    keep = "categorical" if table.numbers(column)[1] else "continuous"
    if name in table.index:
        return LeftOut(name, "the index of a pandas frame, as the file notes", keep)
    return LeftOut(name, f"dates, such as {min(table.texts(column))!r}", keep) if _dates(table, column) else None


def tells_rows_apart(table: Cells, column: int) -> LeftOut | None:
    """Whether a column numbers or names the rows of a table, by the first rule that fits.

    1. Row numbers: whole numbers in order, by ones from 0 or 1; or, in a column with such a name or none, growing.
    2. Identifiers: more than nine in ten cells are distinct, of three or more, and they are texts (or codes of digits),
       or whole numbers in a column with such a name (id, customer_id, PassengerId ...); or texts, more than 50 and
       than half of the cells.

    >>> from iwax.formats.table import read_cells
    >>> table = read_cells(b"id,a\\nx1,5\\nx2,3\\nx7,5\\n", name="t.csv")
    >>> tells_rows_apart(table, 0).reason, tells_rows_apart(table, 1)
    ('an identifier, 3 distinct texts in 3 cells', None)
    """
    values, words = table.numbers(column)
    if words or table.are_codes(column):
        return _of_texts(table.names[column], table.columns[column], table.texts(column))
    return _of_numbers(table, column, values)


def _dates(table: Cells, column: int) -> bool:
    values, words = table.numbers(column)
    if words:
        return bool(np.isnan(values).all()) and all(DATE.fullmatch(word) for word in words)
    if not (np.nanmin(values) > FIRST_DATE and np.nanmax(values) < LAST_DATE):
        return False
    texts = table.texts(column)
    return len(texts) >= FEW and all(COMPACT.fullmatch(text) for text in texts)


def _of_texts(name: str, cells: Iterable[str | None], texts: set[str]) -> LeftOut | None:
    observed = sum(cell is not None for cell in cells)
    what = "identifiers or free text"
    if len(texts) >= FEW and len(texts) > DISTINCT * observed:
        what = "an identifier"
    elif len(texts) <= max(MANY_LEVELS, observed / 2):
        return None
    return LeftOut(name, f"{what}, {len(texts):,} distinct texts in {observed:,} cells", "categorical")


def _of_numbers(table: Cells, column: int, values: np.ndarray) -> LeftOut | None:
    name, found = table.names[column], values[~np.isnan(values)]
    if len(found) < FEW or not np.isfinite(found).all() or not (np.floor(found) == found).all() or found.min() < 0:
        return None
    steps, unnamed = np.diff(found), name in table.unnamed
    if len(found) == len(values) and found[0] in (0, 1) and (steps == 1).all():
        return LeftOut(name, f"row numbers, {found[0]:.0f} to {found[-1]:.0f}", "continuous")
    if (steps > 0).all() and (unnamed or ROW_NUMBER.fullmatch(name) or IDENTIFIER.fullmatch(name)):
        return LeftOut(name, f"row numbers, growing from {found[0]:.0f} to {found[-1]:.0f}", "continuous")
    distinct = len(np.unique(found))
    if (unnamed or IDENTIFIER.fullmatch(name)) and distinct > DISTINCT * len(found):
        return LeftOut(name, f"an identifier, {distinct:,} distinct numbers in {len(found):,} cells", "continuous")
    return None
