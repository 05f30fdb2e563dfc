"""From the cells of a table to the numbers a model sees, and back to values as their owner writes them."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, NoReturn

import numpy as np

from iwax.data.columns import Column, listed
from iwax.data.oddities import separators
from iwax.formats.cells import Cells, as_text, exact, number
from iwax.formats.refusals import TableError, cut, raise_all
from iwax.formats.table import quoted
from iwax.formats.text import DELIMITERS

TRUTHS = {"True", "False", "0", "1"}


def code(columns: Sequence[Column], table: Cells, *, dropped: Collection[str] = ()) -> np.ndarray:
    """The table as float32 [n, D] in the order of ``columns``: numbers, the places of levels, NaN where missing.

    Columns are found by name. The table may have those ``dropped`` in training, and no other. A level may be
    written as another text of the same number (1.0 for 1). Raises ValueError with file:line:column for the first cell
    that a column cannot hold, of each one, and for columns that lack or are unknown.

    >>> table = Cells("t.csv", ("b", "a"), (["no", None], ["1", "2.5"]), (2, 3))
    >>> code([Column("a", "continuous"), Column("b", "binary", ("no", "yes"))], table)
    array([[1. , 0. ],
           [2.5, nan]], dtype=float32)
    """
    _match([column.name for column in columns], table, dropped)
    values = np.empty((len(table), len(columns)), np.float32)
    places, errors = {name: place for place, name in enumerate(table.names)}, []
    for j, column in enumerate(columns):
        read = _codes if column.levels else _numbers
        try:
            values[:, j] = read(column, table, places[column.name])
        except TableError as error:
            errors.append(error)
    raise_all(errors, table.source)
    return values


def code_each(
    columns: Sequence[Column], table: Cells, *, dropped: Collection[str] = ()
) -> tuple[np.ndarray, dict[tuple[int, int], str]]:
    """As `code`, but a cell that its column cannot hold is NaN: the numbers, and {(row, column): why} of such cells.

    ``code`` itself says what it refuses: a column that it does is read in halves, down to the cells. Raises ValueError
    for columns that lack or are unknown.

    >>> table = Cells("t.csv", ("b", "a"), (["no", "maybe"], ["x", "2.5"]), (2, 3))
    >>> values, refused = code_each([Column("a", "continuous"), Column("b", "binary", ("no", "yes"))], table)
    >>> values.tolist(), sorted(refused)
    ([[nan, 0.0], [2.5, nan]], [(0, 0), (1, 1)])
    """
    _match([column.name for column in columns], table, dropped)
    values, refused = np.full((len(table), len(columns)), np.nan, np.float32), {}
    for j, column in enumerate(columns):
        waiting = [range(len(table))]
        while waiting:
            rows = waiting.pop()
            part = replace(
                table,
                columns=tuple(cells[rows.start : rows.stop] for cells in table.columns),
                lines=table.lines[rows.start : rows.stop],
            )
            try:
                values[rows.start : rows.stop, j] = code([column], part, dropped=table.names)[:, 0]
            except ValueError as error:
                if len(rows) == 1:
                    refused[rows.start, j] = str(error)
                else:
                    waiting += [rows[len(rows) // 2 :], rows[: len(rows) // 2]]
    return values, refused


def decode(columns: Sequence[Column], values: np.ndarray) -> list[np.ndarray | list[Any]]:
    """Each column of ``values`` [n, D] as its owner knows it: the inverse of ``code``.

    An array of real numbers with NaN where one is missing; lists of whole numbers (counts) and of level names with
    None there. Raises ValueError with row:column for a value that its column cannot hold.

    >>> decode([Column("a", "continuous"), Column("b", "binary", ("no", "yes"))], np.array([[0.5, 1], [2, np.nan]]))
    [array([0.5, 2. ]), ['yes', None]]
    """
    if values.ndim != 2 or values.shape[1] != len(columns):
        raise ValueError(f"needed values [n, {len(columns)}], a column for each one of the table; got {values.shape}")
    return [_decoded(column, values[:, j], j) for j, column in enumerate(columns)]


def texts(columns: Sequence[Column], values: np.ndarray) -> list[list[str]]:
    """Each column of ``values`` [n, D] as the cells of a text table, empty where one is missing.

    Real numbers are written in the fewest digits that give the float32 back.

    >>> texts([Column("a", "continuous"), Column("b", "binary", ("no", "yes"))], np.array([[0.1, 1], [np.nan, 0]]))
    [['0.1', ''], ['yes', 'no']]
    """
    decoded = decode(columns, values)
    single = [part.astype(np.float32) if isinstance(part, np.ndarray) else part for part in decoded]
    return [["" if text == "nan" else text for text in as_text(part)] for part in single]


def written(columns: Sequence[Column], values: np.ndarray, *, delimiter: str = ",") -> str:
    """``values`` [n, D] as csv text with a header that ``read_cells`` reads back; the cells are those of `texts`.

    >>> print(written([Column("a", "continuous"), Column("b", "count")], np.array([[0.1, 3], [np.nan, 0]])), end="")
    a,b
    0.1,3
    ,0
    """
    if delimiter not in tuple(DELIMITERS):
        raise ValueError(f"the delimiter must be one of {listed(DELIMITERS)}; got {delimiter!r}")
    alone = len(columns) == 1
    cells = [[quoted(text, alone=alone) for text in part] for part in texts(columns, values)]
    rows = [[quoted(column.name, alone=alone) for column in columns], *zip(*cells, strict=True)]
    return "".join((delimiter.join(row) or '""') + "\n" for row in rows)


def _match(wanted: Sequence[str], table: Cells, dropped: Collection[str]) -> None:
    there, known = set(table.names), {*wanted, *dropped}
    lacking = [name for name in wanted if name not in there]
    unknown = [name for name in table.names if name not in known]
    if lacking or unknown:
        parts = [f"it lacks {listed(lacking)}"] * bool(lacking) + [f"it also has {listed(unknown)}"] * bool(unknown)
        raise ValueError(
            f"{table.source}: needed the {len(wanted)} columns of training, in any order; {' and '.join(parts)}; "
            "name them as there (an empty column counts as missing), and leave others out"
        )


def _numbers(column: Column, table: Cells, place: int) -> np.ndarray:
    values, words = table.numbers(place)
    wrong = ~column.allows(values)
    if words:
        wrong |= np.fromiter((cell in words for cell in table.columns[place]), bool, len(table))
    if wrong.any():
        _refuse(column, table, int(np.argmax(wrong)), place)
    return values


def _codes(column: Column, table: Cells, place: int) -> np.ndarray:
    codes: dict[str | None, float] = {level: float(i) for i, level in enumerate(column.levels)}
    by_size = {size: codes[level] for level in column.levels if (size := exact(level)) is not None}
    cells = table.columns[place]
    for cell in dict.fromkeys(cells):
        if cell is None:
            codes[cell] = np.nan
        elif cell in codes:
            continue
        elif (size := exact(cell)) is not None and size in by_size:
            codes[cell] = by_size[size]
        else:
            _refuse(column, table, cells.index(cell), place)
    return np.fromiter(map(codes.__getitem__, cells), np.float32, len(cells))


def _refuse(column: Column, table: Cells, row: int, place: int) -> NoReturn:
    got = str(table.columns[place][row])
    needs, advice = column.needs, "mend the cell or leave it empty"
    if column.levels:
        advice = "leave the cell empty, or train on rows that have this level"
        if {got, *column.levels} <= TRUTHS:
            advice = f"write truth values as the table of training has them, {listed(column.levels)}"
    elif (found := separators(got)) == "decimal":
        needs, advice = "numbers with a decimal point", "write 1.5, not 1,5"
    elif found is not None:
        needs, advice = "numbers without thousands separators", "write 1234, not 1,234"
    elif number(got) is None:
        advice += ", or train with the kind categorical for this column"
    elif column.kind != "continuous":
        advice += f", or train with another kind than {column.kind} for this column"
    raise TableError(f"{table.place(row, place)}: column {column.name!r} needs {needs}; got {cut(got)}; {advice}")


def _decoded(column: Column, values: np.ndarray, place: int) -> np.ndarray | list[Any]:
    wrong = ~column.allows(values)
    if wrong.any():
        row = int(np.argmax(wrong))
        needs = f"a place among its {len(column.levels)} levels, from 0" if column.levels else column.needs
        raise ValueError(f"{row + 1}:{place + 1}: column {column.name!r} needs {needs}; got {values[row]}")
    if column.kind in ("continuous", "positive", "nonnegative"):
        return values
    if column.levels:
        return [None if np.isnan(value) else column.levels[int(value)] for value in values.tolist()]
    return [None if np.isnan(value) else int(value) for value in values.tolist()]
