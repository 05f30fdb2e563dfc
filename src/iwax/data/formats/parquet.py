"""Parquet tables, read by pyarrow, which is loaded only when there is one to read."""

import importlib
from collections.abc import Collection, Sequence
from typing import Any

from iwax.data.formats.cells import Cells, as_text, with_holes


def read_parquet(contents: bytes, *, name: str, missing: Sequence[str] = (), left_out: Collection[str] = ()) -> Cells:
    """The cells of a Parquet file as text, so that a table means the same here and as csv.

    Columns hold booleans (True and False), whole or real numbers, texts, or dictionaries of these, which are read
    by value. Null, NaN and what is missing in text tables (``with_holes``) are missing. Columns ``left_out`` may be
    of any type: their cells are not read and count as missing. Raises ValueError naming file and column, and where
    pyarrow is not installed.
    """
    table = _table(contents, name)
    if not table.num_rows or not table.num_columns:
        raise ValueError(f"{name}: needed at least one row and one column; got {table.num_rows} x {table.num_columns}")
    names = [column.strip() for column in table.column_names]
    return Cells(
        source=name,
        names=tuple(names),
        columns=tuple(
            [None] * table.num_rows
            if column in left_out
            else with_holes(as_text(_values(table.column(i), f"{name}: column {column!r}")), missing)
            for i, column in enumerate(names)
        ),
        lines=range(1, table.num_rows + 1),
    )


def _table(contents: bytes, name: str) -> Any:
    try:
        arrow = importlib.import_module("pyarrow")
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise ValueError(
            f"{name}: Parquet files need pyarrow, which is not installed: pip install 'iwax[tables]'; "
            "or save the table as .csv"
        ) from error
    try:
        return parquet.ParquetFile(arrow.BufferReader(contents)).read()
    except (arrow.ArrowException, OSError, ValueError) as error:
        raise ValueError(f"{name}: needed a whole Parquet file; {' '.join(str(error).split())}") from error


def _values(column: Any, where: str) -> list[object]:
    """The values of a column as Python or NumPy objects, None for null; ValueError for a type that is no cell."""
    types = importlib.import_module("pyarrow.types")
    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if types.is_floating(column.type):
        return list(column.to_numpy())  # in the precision of the file, null as NaN
    text = types.is_string(column.type) or types.is_large_string(column.type)
    if text or types.is_integer(column.type) or types.is_boolean(column.type) or types.is_null(column.type):
        return column.to_pylist()
    raise ValueError(
        f"{where} needs numbers, truth values or texts; got {column.type}; turn it into numbers (dates into days "
        "since one of them, lists into a column for each item), or leave it out with the kind 'drop'"
    )
