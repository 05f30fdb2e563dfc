"""The columns of a table that are modelled, those that are left out, and what looks wrong."""

import difflib
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from iwax.data.columns import DROP, KINDS, LARGEST_COUNT, Column, ColumnKind, column_of, listed
from iwax.data.oddities import refuse_oddities
from iwax.data.recognition import LeftOut, set_apart, tells_rows_apart
from iwax.formats.cells import Cells, are_codes
from iwax.formats.refusals import Option, TableError, Words, raise_all

MUCH = 0.1  # share of a column of texts that words such as NA may empty before it is said


class Schema(NamedTuple):
    """The columns of a table that are modelled, those that are not though nobody said so, and warnings."""

    columns: tuple[Column, ...]
    left_out: tuple[LeftOut, ...] = ()
    warnings: tuple[Words, ...] = ()


def typed(table: Cells, kinds: Mapping[str, str] | None = None) -> Schema:
    """A column for each one of a table: of the kind said in ``kinds``, left out if that is "drop", else inferred.

    Columns that are no data are left out unless a kind is said (`set_apart`, `tells_rows_apart`). Raises ValueError for
    a name or a kind that is none, and one TableError for all columns that cannot be used: those of numbers with odd
    cells (`refuse_oddities`), and what ``infer`` refuses.

    >>> table = Cells("t.csv", ("id", "a"), (["x1", "x2", "x3"], ["0.5", "0", "2"]), (2, 3, 4))
    >>> typed(table).columns, [each.name for each in typed(table).left_out]
    ((Column(name='a', kind='continuous', levels=()),), ['id'])
    """
    said = dict(kinds or {})
    _check_said(table, said)
    columns, left_out, warnings, errors = [], [], [], []
    for i, name in enumerate(table.names):
        if said.get(name) == DROP:
            continue
        try:
            found = _column(table, i, said[name]) if name in said else _inferred(table, i)
        except TableError as error:
            errors.append(error)
            continue
        if isinstance(found, LeftOut):
            left_out.append(found)
        else:
            columns.append(found)
            warnings += _warnings(table, i, found)
            if name not in said and found.levels and not table.numbers(i)[1] and are_codes(table.columns[i]):
                warnings.append(_of_codes(table, i, found))
    raise_all(errors, table.source)
    if not columns:
        keep = [Option("kinds", each.keep, each.name) for each in left_out if each.keep]
        raise TableError(
            f"{table.source}: needed at least one column that is not dropped; got none"
            + "".join(f"; {each.shown}: {each.reason}" for each in left_out[:3]),
            *(["; to keep them, train with ", keep] if keep else []),
        )
    return Schema(tuple(columns), tuple(left_out), tuple(warnings))


def _check_said(table: Cells, said: Mapping[str, str]) -> None:
    for name, kind in said.items():
        if name not in table.names:
            lower = {each.lower(): each for each in table.names}
            near = difflib.get_close_matches(name.lower(), lower, n=1)
            meant = f"did you mean {lower[near[0]]!r}? " if near else ""
            raise ValueError(f"{table.source}: no column is called {name!r}; {meant}there are {listed(table.names)}")
        if kind not in (*KINDS, DROP):
            raise ValueError(
                f"{table.source}: the kind of column {name!r} must be one of {', '.join(KINDS)} or {DROP}; got {kind!r}"
            )


def _inferred(table: Cells, i: int) -> Column | LeftOut:
    """The column at a place, or why it is left out: before it may be an identifier it may be one of odd numbers."""
    apart = set_apart(table, i)
    if apart is not None:
        return apart
    refuse_oddities(table, i)
    return tells_rows_apart(table, i) or _column(table, i, None)


def _column(table: Cells, i: int, kind: str | None) -> Column:
    """The column at a place, of the kind said or inferred. Raises TableError."""
    name, cells = table.names[i], table.columns[i]
    chosen: ColumnKind | None = next((each for each in KINDS if each == kind), None)
    try:
        return column_of(name, cells, table.numbers(i), kind=chosen, source=table.source)
    except TableError:
        raise
    except ValueError as error:
        drop = Option("kinds", DROP, name)
        raise TableError(f"{error}; or leave it out with ", drop, remedy=[drop]) from error


def _of_codes(table: Cells, i: int, column: Column) -> Words:
    """What was made of a column of digits that may be numbers after all."""
    largest = np.nanmax(table.numbers(i)[0])
    why = "zeros in front" if any(level[0] == "0" and len(level) > 1 for level in column.levels) else ""
    why = why or f"up to {max(map(len, column.levels))} digits, more than double precision keeps"
    return Words(
        f"column {column.name!r}: {listed(column.levels, most=2)} are read as codes, not as numbers, for they have "
        f"{why}; if they are numbers, train with ",
        Option("kinds", "nonnegative_integer" if largest <= LARGEST_COUNT else "continuous", column.name),
    )


def _warnings(table: Cells, i: int, column: Column) -> list[Words]:
    """Levels that may be one, and words for missing cells that may be levels."""
    if not column.levels:
        return []
    found = []
    alike: dict[str, list[str]] = {}
    for level in column.levels:
        alike.setdefault(level.casefold(), []).append(level)
    same = [level for levels in alike.values() if len(levels) > 1 for level in levels]
    if same:
        found.append(
            Words(
                f"column {column.name!r} has levels that differ by case alone, {listed(same, most=6)}; if they are "
                "one, write them alike"
            )
        )
    marks, rows = table.marks[i] if table.marks else {}, len(table)
    if sum(marks.values()) > MUCH * rows and any(table.numbers(i)[1]):
        word, count = max(marks.items(), key=lambda mark: mark[1])
        found.append(
            Words(
                f"column {column.name!r}: {word!r} stands in {count:,} of {rows:,} cells, read as missing; if "
                "it is a level, train with ",
                Option("levels", word, column.name),
            )
        )
    return found
