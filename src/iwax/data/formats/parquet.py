"""Parquet tables, read and written by pyarrow, which is loaded only when there is one to read."""

import importlib
import io
import json
from collections.abc import Collection, Mapping
from typing import Any

from iwax.data.formats.cells import Cells, as_text, holes_and_marks
from iwax.data.formats.dialect import UNSAID, Dialect
from iwax.data.formats.refusals import Option, TableError, raise_all


def read_parquet(contents: bytes, *, name: str, left_out: Collection[str] = (), dialect: Dialect = UNSAID) -> Cells:
    """The cells of a Parquet file as text, so that a table means the same here and as csv.

    Columns hold booleans (True and False), whole or real numbers, texts, dates and times, or dictionaries of these,
    which are read by value. Null, NaN and what is missing in text tables (``with_holes``) are missing. Columns
    ``left_out`` may be of any type: their cells are not read and count as missing. The index of a frame that pandas
    has written is known by its notes. Raises ValueError naming file and columns, and where pyarrow is not installed.
    """
    table = _table(contents, name)
    if not table.num_rows or not table.num_columns:
        raise ValueError(f"{name}: needed at least one row and one column; got {table.num_rows} x {table.num_columns}")
    names, columns, marks = [column.strip() for column in table.column_names], [], []
    errors: list[TableError] = []
    for i, column in enumerate(names):
        try:
            texts = [] if column in left_out else as_text(_values(table.column(i), name, column))
        except TableError as error:
            errors.append(error)
            continue
        levels = dialect.levels.get(column, ())
        cells, words = holes_and_marks(texts, dialect.missing, levels)
        columns.append(dialect.ungrouped(cells) if texts else [None] * table.num_rows)
        marks.append(words)
    raise_all(errors, name)
    index = tuple(column for column in _index(table) if column in names)
    return Cells(name, tuple(names), tuple(columns), range(1, table.num_rows + 1), index=index, marks=tuple(marks))


def _index(table: Any) -> list[str]:
    """The names of the columns that are the index of a frame, by the notes that pandas leaves."""
    notes = (table.schema.metadata or {}).get(b"pandas", b"{}")
    try:
        found = json.loads(notes).get("index_columns", [])
    except (ValueError, AttributeError):
        return []
    return [each.strip() for each in found if isinstance(each, str)] if isinstance(found, list) else []


def parquet_shape(contents: bytes, *, name: str) -> tuple[list[str], int]:
    """The names of a Parquet file's columns, as they are read, and how many rows it has; ValueError as above."""
    table = _table(contents, name)
    return [column.strip() for column in table.column_names], table.num_rows


def fill_parquet(contents: bytes, cells: Mapping[tuple[int, int], str], *, name: str, kept: int | None = None) -> bytes:
    """A Parquet file that ``read_parquet`` takes, its cells at (row, column) replaced; of its rows the first ``kept``.

    A column keeps its type, but one of whole numbers that gets another number becomes one of float64 (of int64, where
    the number is too large for it). All other values, columns and notes stay as they are; pandas' notes on types go
    where a type has changed.
    """
    table = _table(contents, name)
    table = table.slice(0, kept) if kept is not None else table
    changed = False
    for i in sorted({column for _, column in cells}):
        field, new = table.schema.field(i), {row: text for (row, column), text in cells.items() if column == i}
        filled = _filled(table.column(i), new)
        changed = changed or filled.type != field.type
        table = table.set_column(i, field.with_type(filled.type), filled)
    if changed and table.schema.metadata:
        notes = {key: text for key, text in table.schema.metadata.items() if key != b"pandas"}
        table = table.replace_schema_metadata(notes)
    stream = io.BytesIO()
    importlib.import_module("pyarrow.parquet").write_table(table, stream)
    return stream.getvalue()


def parquet_as_csv(contents: bytes, *, name: str) -> bytes:
    """All columns of a Parquet file as CSV, dictionaries by their values, what is missing empty."""
    types, csv = importlib.import_module("pyarrow.types"), importlib.import_module("pyarrow.csv")
    table = _table(contents, name)
    for i, field in enumerate(table.schema):
        if types.is_dictionary(field.type):
            table = table.set_column(i, field.name, table.column(i).cast(field.type.value_type))
    stream = io.BytesIO()
    csv.write_csv(table, stream, csv.WriteOptions(quoting_style="needed"))
    return stream.getvalue()


def _filled(column: Any, new: Mapping[int, str]) -> Any:
    """A column with the cells of some rows replaced, given as texts."""
    arrow, types = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.types")
    values, kind = column.to_pylist(), column.type
    if types.is_dictionary(kind):
        return _filled_levels(column, new)
    if types.is_integer(kind) and not all(float(text).is_integer() for text in new.values()):
        kind = arrow.float64()
    for row, text in new.items():
        values[row] = _value(text, kind)
    try:
        return arrow.chunked_array([arrow.array(values, type=kind)])
    except (arrow.ArrowInvalid, OverflowError):
        if not types.is_integer(kind):
            raise
        return arrow.chunked_array([arrow.array(values, type=arrow.int64())])


def _filled_levels(column: Any, new: Mapping[int, str]) -> Any:
    """A dictionary with the cells of some rows replaced: its values stay in their order."""
    arrow, kind = importlib.import_module("pyarrow"), column.type
    whole = column.unify_dictionaries().combine_chunks()
    levels, places = whole.dictionary.to_pylist(), whole.indices.to_pylist()
    for row, text in new.items():
        value = _value(text, kind.value_type)
        levels += [] if value in levels else [value]
        places[row] = levels.index(value)
    indices = arrow.array(places, type=kind.index_type)
    dictionary = arrow.array(levels, type=kind.value_type)
    return arrow.chunked_array([arrow.DictionaryArray.from_arrays(indices, dictionary, ordered=kind.ordered)])


def _value(text: str, kind: Any) -> object:
    types = importlib.import_module("pyarrow.types")
    if types.is_boolean(kind):
        return text == "True"
    if types.is_integer(kind):
        return int(float(text))
    return float(text) if types.is_floating(kind) else text


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
        table = parquet.ParquetFile(arrow.BufferReader(contents)).read()
        table.validate(full=True)  # texts that are no UTF-8, places that a dictionary does not have
        return table.rename_columns(table.column_names)  # names that are no UTF-8
    except (arrow.ArrowException, OSError, ValueError) as error:
        raise ValueError(f"{name}: needed a whole Parquet file; {' '.join(str(error).split())}") from error


def _values(column: Any, file: str, name: str) -> list[object]:
    """The values of a column as Python or NumPy objects, None for null; TableError for a type that is no cell."""
    types = importlib.import_module("pyarrow.types")
    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if types.is_floating(column.type):
        return list(column.to_numpy())  # in the precision of the file, null as NaN
    text = types.is_string(column.type) or types.is_large_string(column.type)
    if text or types.is_integer(column.type) or types.is_boolean(column.type) or types.is_null(column.type):
        return column.to_pylist()
    if types.is_date(column.type) or types.is_timestamp(column.type):
        return column.cast("string").to_pylist()
    drop = Option("kinds", "drop", name)
    raise TableError(
        f"{file}: column {name!r} needs numbers, truth values or texts; got {column.type}; turn it into numbers (lists "
        "into a column for each item), or leave it out with ",
        drop,
        remedy=[drop],
    )
