"""The columns of a table that are modelled, those that are left out, and what looks wrong."""

import difflib
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from iwax.data.columns import DROP, KINDS, LARGEST_COUNT, Column, ColumnKind, infer, listed, meant_kind
from iwax.data.oddities import refuse_oddities
from iwax.data.recognition import LeftOut, set_apart, tells_rows_apart
from iwax.formats.cells import Cells
from iwax.formats.refusals import Option, TableError, Words, raise_all

MUCH = 0.1  # share of a column of texts that words such as NA may empty before a warning


class Schema(NamedTuple):
    """The columns of a table that are modelled, those that are left out though nobody asked for it, and warnings."""

    columns: tuple[Column, ...]
    left_out: tuple[LeftOut, ...] = ()
    warnings: tuple[Words, ...] = ()


def typed(table: Cells, kinds: Mapping[str, str] | None = None) -> Schema:
    """The columns of a table: of the kind given in ``kinds``, left out if that is "drop", else inferred.

    Columns that are no data are left out unless a kind is given (`set_apart`, `tells_rows_apart`). Raises ValueError
    for an unknown name or kind, and one TableError for all columns that cannot be used: those of numbers with odd
    cells (`refuse_oddities`), and what ``infer`` refuses.

    >>> from iwax.formats.table import read_cells
    >>> table = read_cells(b"id,a\\nx1,0.5\\nx2,0\\nx3,2\\n", name="t.csv")
    >>> typed(table).columns, [each.name for each in typed(table).left_out]
    ((Column(name='a', kind='continuous', levels=()),), ['id'])
    """
    given = dict(kinds or {})
    _check_kinds(table, given)
    columns, left_out, warnings, errors = [], [], [], []
    for i, name in enumerate(table.names):
        if given.get(name) == DROP:
            continue
        try:
            found = _column(table, i, given[name]) if name in given else _inferred(table, i)
        except TableError as error:
            errors.append(error)
            continue
        if isinstance(found, LeftOut):
            left_out.append(found)
        else:
            columns.append(found)
            warnings += _warnings(table, i, found)
            if name not in given and found.levels and not table.numbers(i)[1] and table.are_codes(i):
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


def _check_kinds(table: Cells, given: Mapping[str, str]) -> None:
    for name, kind in given.items():
        if name not in table.names:
            lower = {each.lower(): each for each in table.names}
            near = difflib.get_close_matches(name.lower(), lower, n=1)
            meant = f"did you mean {lower[near[0]]!r}? " if near else ""
            raise ValueError(f"{table.source}: no column is called {name!r}; {meant}there are {listed(table.names)}")
        if kind not in (*KINDS, DROP):
            near = meant_kind(kind)
            raise ValueError(
                f"{table.source}: the kind of column {name!r} must be one of {', '.join(KINDS)} or {DROP}; got {kind!r}"
                + (f"; did you mean {near}?" if near else "")
            )


def _inferred(table: Cells, i: int) -> Column | LeftOut:
    """The column at a place, or why it is left out: before it may be an identifier it may be one of odd numbers."""
    apart = set_apart(table, i)
    if apart is not None:
        return apart
    refuse_oddities(table, i)
    return tells_rows_apart(table, i) or _column(table, i, None)


def _column(table: Cells, i: int, kind: str | None) -> Column:
    """The column at a place, of the kind given or inferred. Raises TableError."""
    chosen: ColumnKind | None = next((each for each in KINDS if each == kind), None)
    try:
        return infer(table, i, kind=chosen)
    except TableError:
        raise
    except ValueError as error:
        raise TableError(f"{error}; or leave it out with ", Option("kinds", DROP, table.names[i])) from error


def _of_codes(table: Cells, i: int, column: Column) -> Words:
    """A warning for a column of digits that may be numbers after all."""
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
