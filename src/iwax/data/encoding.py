"""From the cells of a table to the numbers that a model sees, and back to values as their owner writes them."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from iwax.data.columns import Column, listed
from iwax.data.oddities import separators
from iwax.formats.cell import as_text, exact, number
from iwax.formats.cells import Cells
from iwax.formats.dialect import AS_SHOWN, Dialect
from iwax.formats.refusals import TableError, cut, raise_all
from iwax.formats.table import quoted
from iwax.formats.text import DELIMITERS

BOOLEANS = {"True", "False", "0", "1"}


def encode(columns: Sequence[Column], table: Cells, *, dropped: Collection[str] = ()) -> np.ndarray:
    """The table as float32 [n, D] in the order of ``columns``: numbers, the places of levels, NaN where missing.

    Columns are found by name. The table may have those ``dropped`` in training, and no other. A level may be
    written as another text of the same number (1.0 for 1). Raises ValueError with file:line:column for the first cell
    of each column that the column cannot hold, and for columns that lack or are unknown.

    >>> from iwax.formats.table import read_cells
    >>> table = read_cells(b"b,a\\nno,1\\nNA,2.5\\n", name="t.csv")
    >>> encode([Column("a", "continuous"), Column("b", "binary", ("no", "yes"))], table)
    array([[1. , 0. ],
           [2.5, nan]], dtype=float32)
    """
    values, refused = _encoded(columns, table, dropped)
    errors = [_refusal(column, table, place, int(rows[0])) for column, place, rows in refused if len(rows)]
    raise_all(errors, table.source)
    return values


def encode_each(
    columns: Sequence[Column], table: Cells, *, dropped: Collection[str] = ()
) -> tuple[np.ndarray, dict[tuple[int, int], str]]:
    """As `encode`, but a cell that its column cannot hold is NaN: the numbers, and {(row, column): why} of such cells.

    Raises ValueError for columns that lack or are unknown.

    >>> from iwax.formats.table import read_cells
    >>> table = read_cells(b"b,a\\nno,x\\nmaybe,2.5\\n", name="t.csv")
    >>> values, refused = encode_each([Column("a", "continuous"), Column("b", "binary", ("no", "yes"))], table)
    >>> values.tolist(), sorted(refused)
    ([[nan, 0.0], [2.5, nan]], [(0, 0), (1, 1)])
    """
    values, refused = _encoded(columns, table, dropped)
    reasons = {}
    for j, (column, place, rows) in enumerate(refused):
        reasons |= {(row, j): str(_refusal(column, table, place, row)) for row in rows.tolist()}
    return values, reasons


def decode(columns: Sequence[Column], values: np.ndarray) -> list[np.ndarray | list[Any]]:
    """Each column of ``values`` [n, D] as its owner knows it: the inverse of `encode`.

    An array of real numbers with NaN where one is missing; lists of whole numbers (counts) and of level names with
    None there. Raises ValueError with row:column for a value that its column cannot hold.

    >>> decode([Column("a", "continuous"), Column("b", "binary", ("no", "yes"))], np.array([[0.5, 1], [2, np.nan]]))
    [array([0.5, 2. ]), ['yes', None]]
    """
    if values.ndim != 2 or values.shape[1] != len(columns):
        raise ValueError(f"needed values [n, {len(columns)}], one column for each of the table; got {values.shape}")
    return [_decoded(column, values[:, j], j) for j, column in enumerate(columns)]


def texts(columns: Sequence[Column], values: np.ndarray) -> list[list[str]]:
    """Each column of ``values`` [n, D] as the cells of a text table, empty where one is missing.

    Real numbers are written in the fewest digits that give the float32 back.

    >>> texts([Column("a", "continuous"), Column("b", "binary", ("no", "yes"))], np.array([[0.1, 1], [np.nan, 0]]))
    [['0.1', ''], ['yes', 'no']]
    """
    decoded = decode(columns, values)
    single = [part.astype(np.float32) if isinstance(part, np.ndarray) else part for part in decoded]
    return [["" if (text := as_text(value)) == "nan" else text for value in part] for part in single]


def written(columns: Sequence[Column], values: np.ndarray, *, dialect: Dialect = AS_SHOWN) -> str:
    """``values`` [n, D] as text that ``read_cells`` reads back with this ``dialect``; the cells are those of `texts`.

    Between cells stands what the dialect says, or else a comma; without a line of names if it says so.

    >>> columns, rows = [Column("a", "continuous"), Column("b", "count")], np.array([[0.1, 3], [np.nan, 0]])
    >>> print(written(columns, rows), end="")
    a,b
    0.1,3
    ,0
    >>> written(columns, rows, dialect=Dialect(header="none", delimiter=";"))
    '0.1;3\\n;0\\n'
    """
    between = dialect.between or ","
    alone = len(columns) == 1 or between not in DELIMITERS
    parts = texts(columns, values)
    parts = [
        part if column.levels else [dialect.number(text) for text in part]
        for column, part in zip(columns, parts, strict=True)
    ]
    header = [] if dialect.header == "none" else [[column.name for column in columns]]
    empty = '""' if alone else ""
    rows = [[quoted(text, alone=alone) or empty for text in row] for row in (*header, *zip(*parts, strict=True))]
    return "".join(between.join(row) + "\n" for row in rows)


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


def _encoded(
    columns: Sequence[Column], table: Cells, dropped: Collection[str]
) -> tuple[np.ndarray, list[tuple[Column, int, np.ndarray]]]:
    """The numbers [n, D] and, for each column, its place in the table and the rows of the cells that it cannot hold."""
    _match([column.name for column in columns], table, dropped)
    values, refused = np.empty((len(table), len(columns)), np.float32), []
    places = {name: place for place, name in enumerate(table.names)}
    for j, column in enumerate(columns):
        place = places[column.name]
        found, wrong = (_places if column.levels else _numbers)(column, table, place)
        values[:, j] = np.where(wrong, np.nan, found)
        refused.append((column, place, np.flatnonzero(wrong)))
    return values, refused


def _numbers(column: Column, table: Cells, place: int) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of a column, and which cells it cannot hold."""
    values, words = table.numbers(place)
    wrong = ~column.allows(values)
    if words:
        wrong |= np.fromiter((cell in words for cell in table.columns[place]), bool, len(table))
    return values, wrong


def _places(column: Column, table: Cells, place: int) -> tuple[np.ndarray, np.ndarray]:
    """The places of a column's levels, and which cells are none of them."""
    places: dict[str | None, float] = {None: np.nan} | {level: float(i) for i, level in enumerate(column.levels)}
    by_size = {size: places[level] for level in column.levels if (size := exact(level)) is not None}
    cells = table.columns[place]
    for cell in cells.distinct():
        if cell not in places:
            size = exact(cell)
            places[cell] = -1.0 if size is None else by_size.get(size, -1.0)
    values = np.fromiter(map(places.__getitem__, cells), np.float32, len(cells))
    return values, values == -1


def _refusal(column: Column, table: Cells, place: int, row: int) -> TableError:
    """Why a column cannot hold a cell, and what to do."""
    got = str(table.columns[place][row])
    needs, advice = column.needs, "correct the cell or leave it empty"
    if column.levels:
        advice = "leave the cell empty, or train on rows that have this level"
        if {got, *column.levels} <= BOOLEANS:
            advice = f"write booleans as the table of training has them, {listed(column.levels)}"
    elif (found := separators(got)) == "decimal":
        needs, advice = "numbers with a decimal point", "write 1.5, not 1,5"
    elif found is not None:
        needs, advice = "numbers without thousands separators", "write 1234, not 1,234"
    elif number(got) is None:
        advice += ", or train with the kind categorical for this column"
    elif column.kind != "continuous":
        advice += f", or train with another kind than {column.kind} for this column"
    return TableError(f"{table.place(row, place)}: column {column.name!r} needs {needs}; got {cut(got)}; {advice}")


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
