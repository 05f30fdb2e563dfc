"""Parquet tables, read and written by pyarrow, which is loaded only when there is one to read."""

import importlib
import io
import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np

from iwax.formats.cell import as_text, mark_missing, number
from iwax.formats.cells import Cells, check_names, check_width
from iwax.formats.columnar import Column, Levels, Numbers
from iwax.formats.dialect import AS_SHOWN, Dialect
from iwax.formats.refusals import Option, TableError, raise_all
from iwax.formats.whole import naming
from iwax.memory_limit import allow

CELL = 24  # bytes: as Arrow reads it, as a number of 64 bits, and twice as one of 32
BATCH = 2**14  # rows read at once
_NUMBERS, _TIMES = ("is_integer", "is_floating"), ("is_date", "is_timestamp")  # kinds of pyarrow.types
_TEXTS, _OTHERS = ("is_string", "is_large_string"), ("is_boolean", "is_null")


def read_parquet(
    contents: bytes, *, name: str, left_out: Collection[str] = (), dialect: Dialect = AS_SHOWN, first: int = 0
) -> Cells:
    """The cells of a Parquet file as text, so that a table means the same here and as csv.

    Columns hold booleans (True and False), whole or real numbers, texts, dates and times, or dictionaries of these,
    which are read by value. Null, NaN and what is missing in text tables (``mark_missing``) are missing. Columns
    ``left_out`` may be of any type: their cells are not read and count as missing. The index of a frame that pandas
    has written is known by its notes. ``first`` rows of the file stand before these, and count in the numbers of lines.
    Raises ValueError naming file and columns, and where pyarrow is not installed.
    """
    file = opened(contents, name)
    lines = range(first + 1, first + file.metadata.num_rows + 1)
    return cells_of(file, name, len(contents), lines, left_out=left_out, dialect=dialect)


def cells_of(
    file: Any,
    name: str,
    size: int,
    lines: range,
    *,
    left_out: Collection[str] = (),
    dialect: Dialect = AS_SHOWN,
    group: int | None = None,
) -> Cells:
    """The cells of an `opened` file of a ``size``, or of one group of its rows, whose numbers are ``lines``."""
    rows, found = len(lines), file.schema_arrow
    if not rows or not len(found):
        raise ValueError(f"{name}: needed at least one row and one column; got {rows} x {len(found)}")
    names, columns, marks = [column.strip() for column in found.names], [], []
    check_names(names, name)
    errors: list[TableError] = []
    for i, column in enumerate(names):
        if column in left_out:
            columns.append(Levels([], np.full(rows, -1, np.int8)))
            marks.append({})
            continue
        try:
            cells, words = _cells(file, i, (name, size), dialect, group)
        except TableError as error:
            errors.append(error)
            continue
        columns.append(cells)
        marks.append(words)
    raise_all(errors, name)
    index = tuple(column for column in _index(found) if column in set(names))
    return Cells(name, tuple(names), tuple(columns), lines, index=index, marks=tuple(marks))


def _index(schema: Any) -> list[str]:
    """The names of the columns that are the index of a frame, by the notes that pandas leaves."""
    notes = (schema.metadata or {}).get(b"pandas", b"{}")
    try:
        found = json.loads(notes).get("index_columns", [])
    except (ValueError, AttributeError):
        return []
    return [each.strip() for each in found if isinstance(each, str)] if isinstance(found, list) else []


def parquet_shape(contents: bytes, *, name: str) -> tuple[list[str], int]:
    """The names of a Parquet file's columns, as they are read, and how many rows it has; ValueError as above."""
    file = opened(contents, name)
    return [column.strip() for column in file.schema_arrow.names], file.metadata.num_rows


def parquet_bytes(path: Path) -> int:
    """The bytes that the cells of a Parquet file take as float32, or as it packs them if that is more."""
    about = opened(path, str(path)).metadata
    packed = sum(about.row_group(i).total_byte_size for i in range(about.num_row_groups))
    return max(4 * about.num_rows * about.num_columns, packed)


def fill_parquet(
    contents: bytes, cells: Mapping[tuple[int, int], str], *, name: str, limit: int | None = None, as_csv: bool = False
) -> bytes:
    """A Parquet file that ``read_parquet`` takes, its cells at (row, column) replaced; of its rows at most ``limit``.

    A column keeps its type, but one of whole numbers that gets another number becomes one of float64 (of int64, where
    the number is too large for it). All other values, columns and notes stay as they are; pandas' notes on types go
    where a type has changed. With ``as_csv`` it is written as CSV: dictionaries by their values, what is missing empty.
    """
    arrow, file = arrow_of(name), opened(contents, name, levels=False)
    with whole_parquet(name):
        table = file.read()
        table.validate(full=True)  # texts that are no UTF-8, places that a dictionary does not have
    table = table.slice(0, limit) if limit is not None else table
    changed = False
    for i in sorted({column for _, column in cells}):
        field, new = table.schema.field(i), {row: text for (row, column), text in cells.items() if column == i}
        filled = _filled(table.column(i), new)
        changed = changed or filled.type != field.type
        table = table.set_column(i, field.with_type(filled.type), filled)
    stream = io.BytesIO()
    if as_csv:
        for i, field in enumerate(table.schema):
            if arrow.types.is_dictionary(field.type):
                table = table.set_column(i, field.name, table.column(i).cast(field.type.value_type))
        arrow.csv.write_csv(table, stream, arrow.csv.WriteOptions(quoting_style="needed"))
        return stream.getvalue()
    if changed and table.schema.metadata:
        notes = {key: text for key, text in table.schema.metadata.items() if key != b"pandas"}
        table = table.replace_schema_metadata(notes)
    arrow.parquet.write_table(table, stream)
    return stream.getvalue()


def _filled(column: Any, new: Mapping[int, str]) -> Any:
    """A column with the cells of some rows replaced, given as texts; the values of a dictionary stay in their order."""
    arrow, kind = arrow_of(""), column.type
    types = arrow.types
    if types.is_dictionary(kind):
        whole = column.unify_dictionaries().combine_chunks()
        levels, places = whole.dictionary.to_pylist(), whole.indices.to_pylist()
        for row, text in new.items():
            value = _value(text, kind.value_type, types)
            levels += [] if value in levels else [value]
            places[row] = levels.index(value)
        indices, values = arrow.array(places, type=kind.index_type), arrow.array(levels, type=kind.value_type)
        return arrow.chunked_array([arrow.DictionaryArray.from_arrays(indices, values, ordered=kind.ordered)])
    if types.is_integer(kind) and not all(float(text).is_integer() for text in new.values()):
        kind = arrow.float64()
    values = column.to_pylist()
    for row, text in new.items():
        values[row] = _value(text, kind, types)
    try:
        return arrow.chunked_array([arrow.array(values, type=kind)])
    except (arrow.ArrowInvalid, OverflowError):
        if not types.is_integer(kind):
            raise
        return arrow.chunked_array([arrow.array(values, type=arrow.int64())])


def _value(text: str, kind: Any, types: Any) -> object:
    if types.is_boolean(kind):
        return text == "True"
    if types.is_integer(kind):
        return int(float(text))
    return float(text) if types.is_floating(kind) else text


def arrow_of(name: str) -> Any:
    """pyarrow and those of its modules that are used here. Raises ValueError where it is not installed."""
    try:
        for module in ("compute", "csv", "parquet", "types"):
            importlib.import_module(f"pyarrow.{module}")
        return importlib.import_module("pyarrow")
    except ImportError as error:
        raise ValueError(
            f"{name}: Parquet files need pyarrow, which is not installed: pip install 'iwax[tables]'; "
            "or save the table as .csv"
        ) from error


def opened(contents: bytes | Path, name: str, *, levels: bool = True) -> Any:
    """A Parquet file, or its bytes, of which only the closing words are read; its texts will be, as ``levels``.

    Raises MemoryLimitError where the rows and columns that they declare would be too many for such a file.
    """
    arrow = arrow_of(name)
    source = (lambda: contents) if isinstance(contents, Path) else lambda: arrow.BufferReader(contents)
    size = contents.stat().st_size if isinstance(contents, Path) else len(contents)
    with whole_parquet(name):
        found = arrow.parquet.read_schema(source()) if levels else ()
        texts = [field.name for field in found if _is(field.type, _TEXTS)]
        file = arrow.parquet.ParquetFile(source(), read_dictionary=texts)
        _ = file.schema_arrow.names  # names that are no UTF-8
    about = file.metadata
    check_width(about.num_columns, name)
    groups = [about.row_group(i) for i in range(about.num_row_groups)]
    of_file = isinstance(contents, bytes)  # of one that stays on disk a group of rows is read at a time
    rows = about.num_rows if of_file else max((group.num_rows for group in groups), default=0)
    needed = CELL * rows * about.num_columns
    needed += (sum if of_file else max)([0, *(group.total_byte_size for group in groups)])
    allow(needed, f"{name}: its {rows:,} rows of {about.num_columns:,} columns", held=size)
    return file


def value_type(kind: Any) -> Any:
    """The type of the values of a column, be they in a dictionary or not."""
    return kind.value_type if arrow_of("").types.is_dictionary(kind) else kind


def whole_parquet(name: str) -> AbstractContextManager[None]:
    """Say which file it is that Arrow cannot read."""
    return naming(name, "a whole Parquet file", arrow_of(name).ArrowException, OSError, ValueError)


def _is(kind: Any, questions: Sequence[str]) -> bool:
    """Whether a type is one of those that these functions of pyarrow.types ask for."""
    types = arrow_of("").types
    return any(getattr(types, question)(kind) for question in questions)


def _cells(
    file: Any, place: int, source: tuple[str, int], dialect: Dialect, group: int | None
) -> tuple[Column, dict[str, int]]:
    """One column as cells, numbers as they are and all else as levels, and the words in it that count as missing."""
    types, about = arrow_of(source[0]).types, file.schema_arrow.field(place)
    name, kind = about.name.strip(), about.type
    kind = value_type(kind)
    if not _is(kind, (*_NUMBERS, *_TEXTS, *_TIMES, *_OTHERS)):
        raise TableError(
            f"{source[0]}: column {name!r} needs numbers, booleans or texts; got {about.type}; turn it into "
            "numbers (lists into a column for each item), or leave it out with ",
            Option("kinds", "drop", name),
        )
    column = _read(file, about, source, None if group is None else [group])
    if not types.is_dictionary(about.type) and _is(kind, _NUMBERS):
        return _numbers(column, dialect.missing, dialect.levels.get(name, ())), {}
    return _levels(column, dialect, dialect.levels.get(name, ()))


def _read(file: Any, about: Any, source: tuple[str, int], groups: list[int] | None) -> Any:
    """One column, read by itself, a batch at a time; refused where it grows beyond what such a file may hold."""
    arrow, chunks, size = arrow_of(source[0]), [], 0
    with whole_parquet(source[0]):
        for batch in file.iter_batches(batch_size=BATCH, columns=[about.name], row_groups=groups):
            chunks.append(batch.column(batch.schema.get_field_index(about.name)))
            size += chunks[-1].nbytes
            allow(size, f"{source[0]}: column {about.name!r}", held=source[1])
        column = arrow.chunked_array(chunks, type=about.type)
        column.validate(full=True)  # texts that are no UTF-8, places that a dictionary does not have
        return column


def _numbers(column: Any, missing: Sequence[str], levels: Collection[str]) -> Numbers:
    found, absent = column.fill_null(0).to_numpy(), column.is_null().to_numpy()
    if found.dtype.kind == "f":
        absent = absent | np.isnan(found)
    for token in missing:
        value = number(token.strip())
        if value is not None and not {token.strip(), as_text(value)} & set(levels):
            absent = absent | (found == value)
    return Numbers(found, absent)


def _levels(column: Any, dialect: Dialect, levels: Collection[str]) -> tuple[Levels, dict[str, int]]:
    types = arrow_of("").types
    whole = column if types.is_dictionary(column.type) else column.dictionary_encode()
    whole = whole.unify_dictionaries().combine_chunks()
    values = whole.dictionary.cast("string") if _is(whole.dictionary.type, _TIMES) else whole.dictionary
    real = types.is_floating(values.type)  # in the precision of the file
    written = [*map(as_text, values.to_numpy(zero_copy_only=False) if real else values.to_pylist())]
    codes = whole.indices.cast("int64").fill_null(-1).to_numpy()
    read, words = mark_missing(written, dialect.missing, levels)
    marks = Counter[str]()
    for text, count in zip(written, np.bincount(codes + 1, minlength=len(written) + 1)[1:].tolist(), strict=True):
        if text in words and count:
            marks[text.strip()] += count
    places = np.array([*(i if cell is not None else -1 for i, cell in enumerate(read)), -1])
    return Levels([cell or "" for cell in dialect.numbers(read)], places[codes]), dict(marks)
