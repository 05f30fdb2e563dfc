"""Parquet files of which a group of rows is read at a time, and a small table that shows what all of them hold."""

import io
from collections.abc import Collection, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from iwax.formats.cells import Cells
from iwax.formats.dialect import AS_SHOWN, Dialect
from iwax.formats.npy_rows import state
from iwax.formats.parquet import arrow_of, cells_of, opened, value_type, whole_parquet

__all__ = ["ParquetRows", "outline"]

SHOWN = 200_000  # rows of an outline, besides those of extremes and texts
TEXTS = 10_000  # distinct texts of a column that an outline holds; what has more names rows


class ParquetRows:
    """A Parquet file, whose rows come in the groups that it was written in.

    Raises ValueError where it is no whole Parquet file, or has no row or no column.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.began = path, state(path.stat())
        about = self.file.metadata
        self.sizes = [about.row_group(i).num_rows for i in range(about.num_row_groups)]
        if not sum(self.sizes) or not about.num_columns:
            raise ValueError(f"{path}: needed at least one row and one column; got {sum(self.sizes)} rows")
        if 0 in self.sizes:
            raise ValueError(f"{path}: needed groups of at least one row; got an empty one; write the file again")
        self.schema = self.file.schema_arrow
        kinds = {field.name: value_type(field.type) for field in self.schema}
        self.types = {name: str(kind) for name, kind in kinds.items()}

    @cached_property
    def file(self) -> Any:
        """The open file."""
        return opened(self.path, str(self.path))

    def close(self) -> None:
        """Close the file until it is read again."""
        if "file" in self.__dict__:
            self.file.close()
            del self.file

    def group(self, number: int, *, left_out: Collection[str] = (), dialect: Dialect = AS_SHOWN) -> Cells:
        """The cells of a group of rows. ValueError where the file has changed since it was opened."""
        if state(self.path.stat()) != self.began:
            raise ValueError(f"{self.path}: it has changed since it was opened; its rows are needed as they were")
        first, size = sum(self.sizes[:number]), self.path.stat().st_size
        lines = range(first + 1, first + self.sizes[number] + 1)
        return cells_of(self.file, str(self.path), size, lines, left_out=left_out, dialect=dialect, group=number)


def outline(files: Sequence[ParquetRows]) -> bytes:
    """A Parquet table of rows from all groups, the extremes of all columns of numbers, and all texts of the others.

    It shows what the kinds of columns are inferred from; a column of more than 10,000 texts holds that many.
    """
    arrow = arrow_of(str(files[0].path))
    compute, schema = arrow.compute, files[0].schema
    least = max(1, SHOWN // sum(len(file.sizes) for file in files))
    heads, more = [], {name: [] for name in schema.names}
    for file in files:
        for group in range(len(file.sizes)):
            with whole_parquet(str(file.path)):
                table = file.file.read_row_group(group)
            heads.append(table.slice(0, least))
            for name, column in zip(schema.names, table.columns, strict=True):
                more[name] = _extended(compute, arrow.types, column, more[name])
        file.close()
    columns = []
    for field in schema:
        kind = value_type(field.type)
        chunks = [chunk for head in heads for chunk in head.column(field.name).cast(kind).chunks]
        columns.append(arrow.chunked_array(chunks, type=kind))
        if more[field.name]:
            there = set(compute.unique(columns[-1]).to_pylist())
            more[field.name] = [each for each in more[field.name] if each not in there]
    longest = max(map(len, more.values()))
    for i, (name, column) in enumerate(zip(schema.names, columns, strict=True)):
        rest = arrow.array([*more[name], *[None] * (longest - len(more[name]))], type=column.type)
        columns[i] = arrow.chunked_array([*column.chunks, rest], type=column.type)
    stream = io.BytesIO()
    arrow.parquet.write_table(arrow.table(columns, names=schema.names, metadata=schema.metadata), stream)
    return stream.getvalue()


def _extended(compute: Any, types: Any, column: Any, known: list[Any]) -> list[Any]:
    """The extremes, or the distinct texts, of what is known and of a column."""
    kind = value_type(column.type)
    if types.is_integer(kind) or types.is_floating(kind):
        found = compute.min_max(column.cast(kind)).as_py()
        both = [each for each in (*known, found["min"], found["max"]) if each is not None and each == each]
        return [min(both), max(both)] if both else []
    if not (types.is_string(kind) or types.is_large_string(kind)) or len(known) >= TEXTS:
        return known
    texts = {*known, *compute.unique(column.cast(kind)).to_pylist()} - {None}
    return sorted(texts)[:TEXTS]
