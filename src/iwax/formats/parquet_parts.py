"""Parts of Parquet files: how many rows there are, some of them as a file of their own, and new files of results."""

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from iwax.formats.parquet import BATCH, arrow_of, whole_parquet

__all__ = ["as_parquet", "cut_parquet", "parquet_rows"]


def parquet_rows(path: Path) -> int:
    """How many rows a Parquet file has, by its closing words; ValueError as above."""
    with whole_parquet(str(path)):
        return arrow_of(str(path)).parquet.read_metadata(path).num_rows


def cut_parquet(path: Path, start: int, stop: int) -> bytes:
    """The rows from ``start`` to ``stop`` of a Parquet file as one of their own: only their row groups are read.

    Types, dictionaries and notes stay. Raises ValueError where the file is damaged or has fewer rows.
    """
    arrow, stream = arrow_of(str(path)), io.BytesIO()
    with whole_parquet(str(path)), arrow.parquet.ParquetFile(path) as file:
        about, at, there = file.metadata, 0, []
        if stop > about.num_rows:
            raise ValueError(f"needed rows {start + 1} to {stop}; got {about.num_rows}: it has changed since")
        for group in range(about.num_row_groups):
            end = at + about.row_group(group).num_rows
            there += [(group, at)] if at < stop and end > start else []
            at = end
        with arrow.parquet.ParquetWriter(stream, file.schema_arrow, compression="NONE") as cut:
            at = there[0][1]
            for batch in file.iter_batches(batch_size=BATCH, row_groups=[group for group, _ in there]):
                low, high = max(start - at, 0), min(stop - at, len(batch))
                if low < high:
                    cut.write_batch(batch.slice(low, high - low))
                at += len(batch)
    return stream.getvalue()


def as_parquet(columns: Mapping[str, np.ndarray]) -> bytes:
    """Arrays [n] of numbers or texts as the columns of a Parquet file.

    >>> from iwax.formats.parquet import parquet_shape
    >>> parquet_shape(as_parquet({"a": np.array([1, 2]), "b": np.array(["x", ""])}), name="new.parquet")
    (['a', 'b'], 2)
    """
    arrow, stream = arrow_of("a table of results"), io.BytesIO()
    arrow.parquet.write_table(arrow.table({name: arrow.array(part) for name, part in columns.items()}), stream)
    return stream.getvalue()
