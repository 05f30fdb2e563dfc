"""A user's own table: .csv or .parquet, its columns typed and its cells coded."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np

from iwax.data.coding import code, code_each, texts
from iwax.data.columns import DROP, Column, typed
from iwax.data.formats.cells import Cells
from iwax.data.formats.parquet import fill_parquet, parquet_as_csv, parquet_shape, read_parquet
from iwax.data.formats.table import read_cells, replace_cells
from iwax.data.rows import Rows, refuse_empty_rows

TABLES = (".csv", ".parquet")


def rows_of_new_table(path: Path, *, kinds: Mapping[str, str] | None = None, missing: Sequence[str] = ()) -> Rows:
    """The rows of a table whose columns are of the ``kinds`` said, or inferred from all of its rows.

    A table of nothing but the numbers 0 and 1, of which no cell is missing and no kind said, is binary data.
    """
    dropped = [name for name, kind in (kinds or {}).items() if kind == DROP]
    cells = _cells(path, missing, dropped, ())
    columns = typed(cells, kinds)
    rows = _coded(columns, cells, dropped)
    numbers = all(column.levels in ((), ("0", "1")) for column in columns)
    if kinds or not numbers or not ((rows.values == 0) | (rows.values == 1)).all():
        return rows
    return Rows(rows.values.astype(np.uint8), rows.shape, "binary")


def rows_of_table(
    path: Path,
    columns: Sequence[Column],
    *,
    missing: Sequence[str] = (),
    dropped: Collection[str] = (),
    empty: bool = False,
    each: bool = False,
) -> Rows:
    """The rows of a table with the columns of another one, and perhaps those that were ``dropped`` from that.

    ``empty`` rows, without a value, are let through where that is said; with ``each``, so are cells that their columns
    cannot hold (`code_each`), and the columns that are not read come along.
    """
    names = [column.name for column in columns]
    if not each:
        return _coded(tuple(columns), _cells(path, missing, dropped, names), dropped, empty=empty)
    try:
        cells = _cells(path, missing, (), names)
    except ValueError:  # perhaps only for a left-out column of Parquet, of a type that is not read: none comes along
        cells = _cells(path, missing, dropped, names)
    values, refused = code_each(columns, cells, dropped=dropped)
    unread = {name: part for name, part in zip(cells.names, cells.columns, strict=True) if name not in names}
    return Rows(values, (len(columns),), "table", columns=tuple(columns), refused=refused, unread=unread)


def filled_table(
    path: Path, columns: Sequence[Column], values: np.ndarray, holes: np.ndarray, *, as_csv: bool = False
) -> bytes:
    """A table file with its ``holes`` [n, D] filled by ``values``, all else of its first n rows as it stands.

    Of a .csv to the byte: delimiter, names, other columns and the digits of other cells are the owner's. A .parquet
    keeps the types of its columns (`fill_parquet`), or is given as CSV. Raises ValueError where the file no longer has
    these columns or so many rows.
    """
    contents, names = path.read_bytes(), [column.name for column in columns]
    parquet = path.suffix.lower() == ".parquet"
    if parquet:
        there, rows = parquet_shape(contents, name=str(path))
    else:
        cells = read_cells(contents, name=str(path), names=names)
        there, rows = list(cells.names), len(cells)
    if not set(names) <= set(there) or rows < len(values):
        raise ValueError(f"{path}: needed the {len(values)} rows and the columns that were read; it has changed since")
    places = [there.index(name) for name in names]
    new = texts(columns, np.where(holes, values, np.nan))
    filled = {(int(i), places[j]): new[j][i] for i, j in np.argwhere(holes)}
    if parquet:
        whole = fill_parquet(contents, filled, name=str(path), kept=len(values))
        return parquet_as_csv(whole, name=str(path)) if as_csv else whole
    return replace_cells(contents, filled, rows=rows, kept=len(values))


def _cells(path: Path, missing: Sequence[str], left_out: Collection[str], names: Collection[str]) -> Cells:
    if path.suffix.lower() == ".parquet":
        return read_parquet(path.read_bytes(), name=str(path), missing=missing, left_out=left_out)
    return read_cells(path.read_bytes(), name=str(path), missing=missing, names=names)


def _coded(columns: tuple[Column, ...], cells: Cells, dropped: Collection[str], *, empty: bool = False) -> Rows:
    values = code(columns, cells, dropped=dropped)
    if not empty:
        refuse_empty_rows(values, cells.lines, cells.source)
    return Rows(values, (len(columns),), "table", columns=columns)
