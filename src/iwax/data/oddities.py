"""Cells that stop a column from being read as the numbers it holds: named with their place and with what to say."""

import re
from collections import Counter
from typing import NoReturn

from iwax.formats.cell import ERRORS, MINUS
from iwax.formats.cells import Cells
from iwax.formats.refusals import LONGEST, Option, TableError, cut

SHOWN = 3  # odd texts that are named
FEW = 3  # distinct amounts from which a column of amounts with a unit is one of numbers
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
GROUPED = re.compile(rf"[+\-{MINUS}]?[1-9]\d{{0,2}}(?:([,'\u2019 \u00a0\u2009\u202f.])\d{{3}})(?:\1\d{{3}})*", re.ASCII)
MANY_GROUPS = re.compile(
    rf"[+\-{MINUS}]?[1-9]\d{{0,2}}(?:([,'\u2019 \u00a0\u2009\u202f.])\d{{3}})(?:(?:\1\d{{3}})+|\.\d+)", re.ASCII
)
AMOUNT = re.compile(
    r"(?P<before>[<>~\u2264\u2265\u2248]=?|[$\u20ac\u00a3\u00a5])?\s*"
    r"(?P<number>[+-]?(?:\d{1,3}(?:[,.']\d{3})+(?:[.,]\d+)?|\d+(?:[.,]\d+)?|\.\d+)(?:e[+-]?\d+)?)"
    r"\s*(?P<unit>%|\u2030|[$\u20ac\u00a3\u00a5]|\u00b0?[A-Za-z\u00b5\u03a9/][A-Za-z\u00b2\u00b3\u00b50-9/*^.\u00b0-]*|\u00b0)?",
    re.ASCII | re.IGNORECASE,
)
SPACES = " \u00a0\u2009\u202f"


def refuse_oddities(table: Cells, column: int) -> None:
    """Refuse a column of numbers that is not only of numbers: TableError with the first odd cell's place.

    It is one of numbers where most cells are, or most distinct cells (three or more), amounts with a unit ('34 kg',
    '7%', '$5', '<0.01') and numbers with a decimal comma or with thousands separators among them. Errors of a
    spreadsheet's formulas (#DIV/0!) are refused in any column.
    """
    _, words = table.numbers(column)
    if not words:
        return
    counts = Counter(cell for cell in table.columns[column] if cell is not None)
    errors = {word for word in words if word.lower() in ERRORS}
    if errors:
        _refuse(table, column, errors, counts, "needs values, and an error of a formula is none")
    units = _units(words, counts)
    numeric = (counts.keys() - words) | units
    cells = sum(counts[text] for text in numeric)
    most = 2 * cells > counts.total() or (len(numeric) >= FEW and 2 * len(numeric) > len(counts))
    if not most or (units == numeric and len(units) < FEW):
        return
    odd = words - units
    if not odd or len(units) > len(odd):
        odd = units
        if all(map(separators, units)):
            _refuse_separators(table, column, units)
    _refuse(table, column, odd, counts, "needs numbers" + ("" if units == numeric else ", as most of its cells are"))


def separators(text: str) -> str | None:
    """What a text that is no number may be: "decimal" (1,5), "thousands" (1,234,567), "either" (1,234), or None.

    >>> separators("1,5"), separators("1,234,567"), separators("1,234"), separators("one")
    ('decimal', 'thousands', 'either', None)
    """
    if MANY_GROUPS.fullmatch(text):
        return "thousands"
    if GROUPED.fullmatch(text):
        return "either" if "," in text else "thousands"
    return "decimal" if DECIMAL_COMMA.fullmatch(text) else None


def _units(words: set[str], counts: Counter[str]) -> set[str]:
    """The words that are amounts, of the unit that most of them have, or of none."""
    found = {word: match for word in words if (match := AMOUNT.fullmatch(word)) or separators(word)}
    units: Counter[str] = Counter()
    for word, match in found.items():
        units[_unit(match)] += counts[word]
    if not units:
        return set()
    common = {"", units.most_common(1)[0][0]}
    return {word for word, match in found.items() if _unit(match) in common}


def _unit(match: re.Match[str] | None) -> str:
    return "" if match is None else (match["unit"] or "").lower()


def _refuse_separators(table: Cells, column: int, words: set[str]) -> NoReturn:
    """Decimal commas, or thousands separators, or what may be either."""
    found = {separators(word) for word in words}
    row = next(row for row, cell in enumerate(table.columns[column]) if cell in words)
    where, got = f"{table.place(row, column)}: column {table.names[column]!r}", table.columns[column][row]
    if "decimal" in found and "thousands" not in found:
        raise TableError(
            f"{where} needs numbers with a decimal point; got {cut(str(got))}; to read decimal commas, train with ",
            Option("decimal", ","),
        )
    grouped = next(match[1] for word in sorted(words) if (match := GROUPED.match(word)))
    thousands = Option("thousands", "space" if grouped in SPACES else "'" if grouped == "\u2019" else grouped)
    if "either" not in found or "thousands" in found:
        raise TableError(
            f"{where} needs numbers without thousands separators; got {cut(str(got))}; to read them, train with ",
            thousands,
        )
    raise TableError(
        f"{where} needs numbers; got {got!r}, which may be {str(got).replace(',', '')} or {str(got).replace(',', '.')}"
        "; if these are thousands separators, say so (",
        thousands,
        "), if decimal commas, so (",
        Option("decimal", ","),
        ")",
    )


def _refuse(table: Cells, column: int, odd: set[str], counts: Counter[str], needs: str) -> NoReturn:
    name = table.names[column]
    row = next(row for row, cell in enumerate(table.columns[column]) if cell in odd)
    got, others = str(table.columns[column][row]), sorted(odd - {str(table.columns[column][row])})
    shown = [got, *others[: SHOWN - 1]]
    many = sum(counts[word] for word in odd)
    also = ""
    if others:
        more = ", ".join(map(cut, others[: SHOWN - 1])) + (" ..." if len(others) >= SHOWN else "")
        also = f" ({many:,} such cells, {len(odd):,} different: {more})"
    elif many > 1:
        also = f" ({many:,} such cells)"
    categorical, drop = Option("kinds", "categorical", name), Option("kinds", "drop", name)
    parts: list[str | Option | list[Option]] = [
        f"{table.place(row, column)}: column {name!r} {needs}; got {cut(got)}{also}; "
    ]
    amounts = any(AMOUNT.fullmatch(word) for word in shown)
    remedy = [drop]
    if len(odd) <= SHOWN and not amounts and max(map(len, shown)) <= LONGEST:
        remedy = [Option("missing", word) for word in shown]
        parts += ["if that stands for a missing cell, train with ", remedy, ", else with "]
    else:
        parts += [f"write the number alone{' (or mark the cell as missing)' * (not amounts)}, or train with "]
    parts += [categorical, " or ", drop]
    raise TableError(*parts, remedy=remedy)
