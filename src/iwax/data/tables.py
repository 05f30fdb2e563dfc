"""A user's own table: .csv, .tsv, .txt or .parquet, its columns typed and its cells encoded."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from iwax import former_names
from iwax.data.columns import DROP, Column, listed
from iwax.data.encoding import encode, encode_each, texts
from iwax.data.rows import Rows, refuse_empty_rows
from iwax.data.schema import typed
from iwax.formats.cells import Cells
from iwax.formats.dialect import AS_SHOWN, NAMED, Dialect
from iwax.formats.parquet import fill_parquet, parquet_shape, read_parquet
from iwax.formats.table import read_cells, replace_cells
from iwax.formats.text import parted
from iwax.formats.whole import read_whole

TEXTS = (".csv", ".tsv", ".txt")
TABLES = (*TEXTS, ".parquet")


def rows_of_new_table(path: Path, *, kinds: Mapping[str, str] | None = None, dialect: Dialect = AS_SHOWN) -> Rows:
    """The rows of a table whose columns are of the ``kinds`` given, or inferred from all of its rows.

    A table of nothing but the numbers 0 and 1, of which no cell is missing, no kind given and no column left out, is
    binary data.
    """
    if not _is_text(path) and (dialect.header, dialect.delimiter, dialect.encoding) != (None, None, None):
        raise ValueError(f"{path}: header, delimiter and encoding are for tables in text ({', '.join(TEXTS)})")
    dropped = [name for name, kind in (kinds or {}).items() if kind == DROP]
    cells = _cells(path, dialect, dropped, ())
    for name in dialect.levels:
        if name not in cells.names:
            raise ValueError(f"{path}: levels: no column is called {name!r}; there are {listed(cells.names)}")
    schema = typed(cells, kinds)
    left_out = [each.name for each in schema.left_out]
    rows = replace(
        _encoded(schema.columns, cells, (*dropped, *left_out)), left_out=schema.left_out, warnings=schema.warnings
    )
    numbers = all(column.levels in ((), ("0", "1")) for column in schema.columns)
    if kinds or left_out or not numbers or not ((rows.values == 0) | (rows.values == 1)).all():
        return rows
    return Rows(rows.values.astype(np.uint8), rows.shape, "binary")


def rows_of_table(
    path: Path,
    columns: Sequence[Column],
    *,
    dropped: Collection[str] = (),
    dialect: Dialect = AS_SHOWN,
    empty: bool = False,
    each: bool = False,
) -> Rows:
    """The rows of a table with the columns of another one, and perhaps those that were ``dropped`` from that.

    Rows without a value are read if ``empty`` is set, and cells that their columns cannot hold if ``each`` is set
    (`encode_each`), with the columns that are not read.
    """
    names, dialect = [column.name for column in columns], _with_levels(dialect, columns)
    if not each:
        return _encoded(tuple(columns), _cells(path, dialect, dropped, names), dropped, empty=empty)
    try:
        cells = _cells(path, dialect, (), names)
    except ValueError:  # perhaps only for a left-out column of Parquet, of a type that is not read
        cells = _cells(path, dialect, dropped, names)
    values, refused = encode_each(columns, cells, dropped=dropped)
    unread = {name: part for name, part in zip(cells.names, cells.columns, strict=True) if name not in names}
    return Rows(values, (len(columns),), "table", columns=tuple(columns), refused=refused, unread=unread)


@former_names.argument("holes", "missing")
def filled_table(
    path: Path,
    columns: Sequence[Column],
    values: np.ndarray,
    missing: np.ndarray,
    *,
    as_csv: bool = False,
    dialect: Dialect = AS_SHOWN,
) -> bytes:
    """The first n rows of a table file, with the cells that are ``missing`` [n, D] filled by ``values``.

    A text table stays as it is to the byte: delimiter, encoding, names, other columns and the digits of other cells.
    A .parquet keeps the types of its columns (`fill_parquet`), or is returned as CSV. ``dialect`` as it was read.
    Raises ValueError where the file no longer has these columns or as many rows.
    """
    names, dialect, contents = [column.name for column in columns], _with_levels(dialect, columns), read_whole(path)
    if _is_text(path):
        cells = read_cells(contents, name=str(path), names=names, dialect=dialect)
        there, rows = list(cells.names), len(cells)
    else:
        there, rows = parquet_shape(contents, name=str(path))
    if not set(names) <= set(there) or rows < len(values):
        raise ValueError(f"{path}: needed the {len(values)} rows and the columns that were read; it has changed since")
    place = {name: i for i, name in enumerate(there)}
    places = [place[name] for name in names]
    new = [
        part if column.levels else [dialect.number(text) for text in part]
        for column, part in zip(columns, texts(columns, np.where(missing, values, np.nan)), strict=True)
    ]
    filled = {(int(i), places[j]): new[j][i] for i, j in np.argwhere(missing)}
    if _is_text(path):
        return replace_cells(contents, filled, rows=rows, limit=len(values), dialect=dialect, names=names)
    return fill_parquet(contents, filled, name=str(path), limit=len(values), as_csv=as_csv)


def written_as(path: Path, dialect: Dialect = AS_SHOWN) -> Dialect:
    """The dialect in which a table is written: with the delimiter and the encoding of a text table, as it shows them.

    The encoding is one that gives its mark of the order of bytes back, if it has one (utf-8-sig, utf-16).
    """
    if not _is_text(path):
        return dialect
    table = parted(read_whole(path), name=str(path), dialect=dialect)
    marked = {"utf-8": "utf-8-sig"}.get(table.encoding, "utf-16")
    return replace(
        dialect,
        delimiter=next((name for name, mark in NAMED.items() if mark == table.delimiter), table.delimiter),
        encoding=marked if table.prefix.startswith("\ufeff") else table.encoding,
    )


def _with_levels(dialect: Dialect, columns: Sequence[Column]) -> Dialect:
    """The dialect in which no level of a column is a word for missing cells."""
    levels = {column.name: column.levels for column in columns if column.levels}
    return replace(dialect, levels={**dialect.levels, **levels})


def _is_text(path: Path) -> bool:
    return path.suffix.lower() in TEXTS


def _cells(path: Path, dialect: Dialect, left_out: Collection[str], names: Collection[str]) -> Cells:
    if _is_text(path):
        return read_cells(read_whole(path), name=str(path), names=names, dialect=dialect)
    return read_parquet(read_whole(path), name=str(path), left_out=left_out, dialect=dialect)


def _encoded(columns: tuple[Column, ...], cells: Cells, dropped: Collection[str], *, empty: bool = False) -> Rows:
    values = encode(columns, cells, dropped=dropped)
    if not empty:
        refuse_empty_rows(values, cells.lines, cells.source)
    return Rows(values, (len(columns),), "table", columns=columns)
