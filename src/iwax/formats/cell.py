"""One cell of a table as text: one rule for what is missing and one for what is a number."""

import re
from collections.abc import Collection, Sequence
from decimal import Decimal, InvalidOperation

import numpy as np

Cell = str | None

MISSING = (
    *("", "na", "n/a", "n.a.", "nan", "-nan", "null", "none", "?", "-", "--", "\u2013", "\u2014"),
    *("#n/a", "#n/a n/a", "#na", "<na>", "nat", "1.#qnan", "-1.#qnan", "1.#ind", "-1.#ind"),  # Excel, pandas, C
    *(".", "\\n"),  # SAS and Stata; SQL
)
ERRORS = ("#div/0!", "#value!", "#ref!", "#name?", "#num!", "#null!", "#spill!", "#calc!")  # of a formula: no value
MINUS = "\u2212"
NUMBER = re.compile(  # possessive: of a long row of digits no part is tried again
    rf"[+\-{MINUS}]?+(?:(?:\d++(?:\.\d*+)?+|\.\d++)(?:e[+\-{MINUS}]?+\d++)?+|inf(?:inity)?+)", re.ASCII | re.IGNORECASE
)


def mark_missing(
    cells: Sequence[str], missing: Sequence[str] = (), levels: Collection[str] = ()
) -> tuple[list[Cell], set[str]]:
    """The cells without the space around them, None for those that are missing, and the words that marked them.

    Missing are empty cells, NA, N/A, NaN, null, None (in small or capital letters), ?, - and the other marks of
    spreadsheets, pandas, SQL, SAS and Stata in ``MISSING``, and the texts in ``missing``, where a number stands for
    itself however it is written; but not the texts in ``levels``. Of the words, those that nobody named, as they are
    written: neither empty nor in ``missing``. Raises ValueError for a ``missing`` that is no list of texts.

    >>> mark_missing([" 1", "n/a", "", "-999.0", "-9", "None"], missing=["-999"], levels=["None"])
    (['1', None, None, None, '-9', 'None'], {'n/a'})
    """
    if isinstance(missing, str) or not all(isinstance(token, str) for token in missing):
        raise ValueError(f"missing must be a list of texts, as in missing=['-999', 'unknown']; got {missing!r}")
    named = {token.strip().lower() for token in missing}
    values = {value for token in missing if (value := number(token.strip())) is not None}
    words, usual = {*MISSING, *named}, {*MISSING} - named - {""}
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
    return [*map(read.__getitem__, cells)], marks


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
    >>> exact("1e99999999999999999999")  # an exponent beyond any that Decimal has
    Decimal('Infinity')
    """
    if not NUMBER.fullmatch(text):
        return None
    try:
        return Decimal(text.replace(MINUS, "-"))
    except InvalidOperation:
        return Decimal(float(text.replace(MINUS, "-")))


def as_text(value: object) -> str:
    """A Python or NumPy value as the cell of a text table: the fewest digits that give a number back.

    >>> [as_text(value) for value in (3.0, np.float32(0.1), 7, True, "x", None)]
    ['3', '0.1', '7', 'True', 'x', '']
    """
    if value is None:
        return ""
    return str(value).removesuffix(".0") if isinstance(value, (float, np.floating)) else str(value)
