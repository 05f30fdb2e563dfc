"""Whether the first line of a text table names its columns: it is seen, or asked for, and never guessed."""

import re
from collections.abc import Collection, Sequence
from itertools import pairwise

from iwax.formats.cell import mark_missing, number
from iwax.formats.columnar import Column
from iwax.formats.dialect import Dialect
from iwax.formats.refusals import Option, TableError, cut

LOOKED_AT = 100  # cells of a column whose form is compared
LARGEST = 18  # digits of a number that may count columns, or be a year
DIGITS = re.compile(r"\d+", re.ASCII)
ANSWERS = (Option("header", "none"), Option("header", "first"))


def has_header(
    first: Sequence[str], below: Sequence[Column], *, where: str, dialect: Dialect, names: Collection[str] = ()
) -> bool:
    """Whether the cells of the first line name the columns, whose other cells are ``below``.

    They do where they are all ``names`` that are expected, where ``dialect`` says so, and where one of them is
    neither a number nor missing; else they are data. Raises ValueError with file:line:column where they may be
    either: a cell of the line stands in its own column too, has the form of that column's cells (dates, identifiers)
    or is a number like them; or all of the line are whole numbers as pandas writes for an array without names.

    >>> from iwax.formats.columnar import packed
    >>> below = [packed(["1.5", "0.1"]), packed(["3.5", "7.1"])]
    >>> [has_header(first, below, where="t.csv:1", dialect=Dialect()) for first in (["age", "size"], ["0.5", "2.5"])]
    [True, False]
    """
    texts = [cell.strip() for cell in first]
    numbered = {f"column{i + 1}" for i in range(len(first))}
    if set(names) & set(texts) and set(names) <= {*texts, *numbered}:
        return True
    if dialect.header is not None:
        return dialect.header == "first"
    cells, _ = mark_missing(texts, dialect.missing)
    words = [cell for cell in cells if cell is not None and number(cell) is None]
    if names and not set(names) <= numbered:
        return bool(words)  # not the columns that are expected: whoever compares them by name says so
    if not words:
        _ask_of_numbers(texts, below, where)
        return False
    for column, (written, cell) in enumerate(zip(first, cells, strict=True)):
        if cell is not None and (why := _like(written, texts, column, below)):
            _ask(where, column, cell, why)
    return True


def _ask(where: str, column: int, cell: str, why: str) -> None:
    raise TableError(
        f"{where}:{column + 1}: needed a name in the first line; got {cut(cell)}, {why}; if the first line is data, "
        "train with ",
        ANSWERS[0],
        "; if it names the columns, with ",
        ANSWERS[1],
    )


def _like(cell: str, texts: Sequence[str], column: int, below: Sequence[Column]) -> str:
    """Why a cell of the first line is one of its column, empty where it is none. A name may be a year."""
    size = number(texts[column])
    if size is None:
        if cell in below[column]:
            return "which stands in its column too"
        return "of the form of all cells of its column" if _same_form(texts[column], below[column]) else ""
    if not texts[column].isdigit():
        return "a number"
    if _years(texts):
        return ""
    others = _texts(below[column])
    numbers = [value for other in others if (value := number(other)) is not None]
    if 2 * len(numbers) > len(others) and numbers and min(numbers) <= size <= max(numbers):
        return "a number like those of its column"
    return ""


def _texts(cells: Column) -> list[str]:
    """The first cells of a column that are not empty."""
    return [text for cell in cells[:LOOKED_AT] if (text := (cell or "").strip())]


def _same_form(text: str, cells: Column) -> bool:
    """Whether a text with digits in it and all cells are alike but for their digits, such as dates."""
    forms = {DIGITS.sub("0", other) for other in _texts(cells)}
    return len(cells) > 1 and forms == {DIGITS.sub("0", text)} and bool(DIGITS.search(text))


def _years(texts: Sequence[str]) -> bool:
    """Whether the whole numbers among the names go up in equal steps, as years do."""
    found = [int(text) for text in texts if text.isascii() and text.isdigit() and len(text) <= LARGEST]
    steps = {after - before for before, after in pairwise(found)}
    return len(steps) == 1 and min(steps) > 0


def _ask_of_numbers(texts: Sequence[str], below: Sequence[Column], where: str) -> None:
    """A line of numbers is data, unless they are whole and count the columns or are unlike what is below them."""
    small = all(text.isascii() and text.isdigit() and len(text) <= LARGEST for text in texts)
    if not small or len(set(texts)) < len(texts):
        return
    size, sizes = len(texts), [int(text) for text in texts]
    unlike = not any(_whole(column) for column in below)
    counted = sizes in ([*range(size)], [*range(1, size + 1)])
    if (size > 1 and (counted or unlike or (size > 2 and _years(texts)))) or (counted and (unlike or sizes == [0])):
        shown = ", ".join(texts[:4]) + (" ..." if size > 4 else "")
        raise TableError(
            f"{where}: needed a first line of names, or of data; got the whole numbers {shown}, which may be either; "
            "if they name the columns, train with ",
            ANSWERS[1],
            "; if the first line is data, with ",
            ANSWERS[0],
        )


def _whole(cells: Column) -> bool:
    """Whether most cells that are numbers are whole."""
    found = [value for text in _texts(cells) if (value := number(text)) is not None]
    return 2 * sum(value == int(value) for value in found if abs(value) < 1e300) > len(found)
