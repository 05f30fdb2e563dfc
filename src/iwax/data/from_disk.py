"""A user's own data that stay on disk: what files they may be, when they do, and the data set of them."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from iwax.data.block_order import BlockOrder
from iwax.data.block_shards import NpzShards, TableShards, same_columns
from iwax.data.columns import DROP, Column, summary
from iwax.data.dataset import Dataset, Split
from iwax.data.files import refuse_unseen, split_of
from iwax.data.on_disk import Reading, RowsOnDisk, Source
from iwax.data.schema import Schema, typed
from iwax.data.shards import NpyShards
from iwax.data.survey import Survey, survey
from iwax.data.tables import with_levels
from iwax.formats.dialect import AS_SHOWN, Dialect
from iwax.formats.parquet import parquet_bytes, read_parquet
from iwax.formats.parquet_rows import ParquetRows, outline
from iwax.formats.picture_rows import PictureRows, bytes_of_pictures
from iwax.memory_limit import allow, limit

__all__ = ["SHARDS", "in_memory", "load_from_disk", "shards", "stays_on_disk"]

SHARDS = (".npy", ".npz", ".parquet")  # that a folder may hold
ALONE = (".npy", ".parquet")  # of a single file
ROW = 24  # bytes that the split of a row takes, while it is made


def shards(path: Path) -> list[Path]:
    """The files of rows that a path stands for: itself, or those in a folder of nothing else, by name; else none.

    Raises ValueError for a folder of shards of several formats.
    """
    if not path.is_dir():
        return [path] if path.suffix.lower() in ALONE else []
    there = [each for each in sorted(path.iterdir()) if each.is_file() and each.name[0] not in "._"]
    found = [each for each in there if each.suffix.lower() in SHARDS]
    if found and len({each.suffix.lower() for each in there}) > 1:
        others = sorted({each.name for each in there if each.suffix.lower() != found[0].suffix.lower()})
        raise ValueError(
            f"{path}: needed shards of one format, {found[0].suffix} as {found[0].name}; got {others[0]} "
            f"({len(others)} such files); put them elsewhere"
        )
    return found


def stays_on_disk(path: Path) -> bool:
    """Whether the rows of a file or folder take more than half of the memory that iwax may ask for (`limit`).

    That is a quarter of this machine's memory, at most 8 GB. Tables are counted as Parquet unpacks them, pictures as
    if all had the first one's size.
    """
    files = [each for each in shards(path) if each.is_file()]
    if path.is_dir() and not files:
        return bytes_of_pictures(path) > limit() // 2
    if files and files[0].suffix.lower() == ".parquet":
        return sum(parquet_bytes(each) for each in files) > limit() // 2
    return sum(each.stat().st_size for each in files) > limit() // 2


def load_from_disk(
    path: Path,
    *,
    kinds: Mapping[str, str] | None = None,
    dialect: Dialect = AS_SHOWN,
    columns: Sequence[Column] | None = None,
    left_out: Collection[str] = (),
) -> Dataset:
    """The data set of a .npy or .parquet file, or of a folder of shards or pictures, read when rows are needed.

    All rows are passed over twice or thrice: for the columns of tables; for their kind, missing values and digest; and
    for the statistics with which a model starts. Kinds and ``columns`` of tables are as `load_file` takes them. Raises
    ValueError, with the place, for what rows in memory would be refused for.
    """
    files = shards(path)
    schema, labels, unused = None, None, ""
    if files and files[0].suffix.lower() == ".parquet":
        source, schema = _table(files, str(path), kinds, dialect, columns, left_out)
    elif kinds or dialect != AS_SHOWN:
        raise ValueError(f"{path}: kinds of columns and texts for missing cells are for tables; these are numbers")
    else:
        source, labels, unused = _numbers(files, path)
    allow(ROW * len(source), f"{path}: the split of its {len(source):,} rows")
    parts, how = split_of(len(source), path)
    numbers = {part: _numbered(part, piece.astype(np.int32), source) for part, piece in parts.items()}
    found = survey(source, numbers, table=schema is not None)
    splits = {
        part: Split(_rows(source, of, found, found.missing[part]), None if labels is None else labels[of])
        for part, of in numbers.items()
    }
    refuse_unseen(found.seen, len(parts["train"]), None if schema is None else schema.columns, path)
    return Dataset(
        name=re.sub(r"[^A-Za-z0-9._-]+", "-", path.resolve().name.removesuffix(path.suffix)) or "data",
        protocol=_protocol(path, len(files), how, found, schema, splits) + (f" {unused}." if unused else ""),
        shape=source.event,
        kind=found.kind,
        binarize_training=False,
        train=splits["train"],
        valid=splits["valid"],
        test=splits["test"],
        columns=None if schema is None else schema.columns,
        left_out=() if schema is None else schema.left_out,
        warnings=() if schema is None else schema.warnings,
    )


def _rows(source: Source, numbers: np.ndarray, found: Survey, missing: int) -> RowsOnDisk:
    read = SINGLE if found.dtype == np.float32 else WHOLE
    return RowsOnDisk.of(source, numbers, read, found.dtype, missing=missing, source_digest=found.digest)


def _numbers(files: Sequence[Path], path: Path) -> tuple[Source, np.ndarray | None, str]:
    """The shards or pictures of a folder, their labels, and the files of it that are no row, in words."""
    if path.is_dir() and not files:
        pictures = PictureRows(path)
        return pictures, pictures.labels, pictures.left_out
    source = _arrays(files, path)
    return source, source.labels if isinstance(source, NpzShards) else None, ""


def _arrays(files: Sequence[Path], path: Path) -> Source:
    if not files:
        raise ValueError(
            f"{path}: rows that stay on disk need to be a .npy or .parquet file, or a folder of {', '.join(SHARDS)} "
            f"shards or of pictures; got {path.suffix}; save or unpack them so, or read them into memory with "
            "data.on_disk=false"
        )
    kind = NpyShards if files[0].suffix.lower() == ".npy" else NpzShards
    return kind(files, name=str(path))


def _table(
    paths: Sequence[Path],
    name: str,
    kinds: Mapping[str, str] | None,
    dialect: Dialect,
    columns: Sequence[Column] | None,
    left_out: Collection[str],
) -> tuple[Source, Schema]:
    """The tables and their columns, which are inferred from an outline of all of them unless they are given."""
    files = [ParquetRows(path) for path in paths]
    same_columns(files)
    dropped = [column for column, kind in (kinds or {}).items() if kind == DROP]
    if columns is None:
        cells = read_parquet(outline(files), name=name, left_out=dropped, dialect=dialect)
        schema = typed(cells, kinds)
    else:
        schema = Schema(tuple(columns))
    dropped += left_out if columns is not None else [each.name for each in schema.left_out]
    dialect = with_levels(dialect, schema.columns)
    return TableShards(files, schema.columns, name=name, dropped=dropped, dialect=dialect), schema


def _protocol(
    path: Path, files: int, how: str, found: Survey, schema: Schema | None, splits: Mapping[str, Split]
) -> str:
    """Where the rows are from, how they are split and read, and what they are."""
    kind = f", {files} shards" if files else " of pictures"
    of = f"your own folder {path.name}{kind}" if path.is_dir() else f"your own file {path.name}"
    empty, cells = sum(found.missing.values()), sum(split.values.size for split in splits.values())
    missing = f", {empty:,} of {cells:,} cells missing" if empty else ""
    values = f"{found.kind} values as stored" if schema is None else summary(schema.columns)
    blocks = isinstance(splits["train"].values, RowsOnDisk) and splits["train"].values.in_blocks
    shuffled = ", shuffled in blocks, and row by row in a buffer of several" if blocks else ""
    return f"{of}: {how}; {values}{missing}, nothing scaled, nothing redrawn; read from disk while training{shuffled}."


def in_memory(dataset: Dataset) -> Dataset:
    """The same data with their rows in memory, where they fit."""
    allow(sum(split.values.nbytes for split in dataset.splits().values()), f"{dataset.name}: its rows")
    splits = {
        part: Split(split.values[np.arange(len(split))], split.labels) for part, split in dataset.splits().items()
    }
    protocol = f"{dataset.protocol.partition('; read from disk')[0]}."
    return replace(dataset, protocol=protocol, **splits)


def _numbered(part: str, piece: np.ndarray, source: Source) -> np.ndarray:
    """The numbers of the rows of a split: as in memory, or so that blocks stay together.

    Of rows in blocks those of training ascend, and the others come from blocks in a fixed random order, so that the
    first ones are rows of many files.
    """
    if source.bounds is None:
        return piece
    ascending = np.sort(piece)
    if part == "train":
        return ascending
    bounds = np.searchsorted(ascending, source.bounds)
    order = BlockOrder(0, 0, bounds, row_bytes=source.dtype.itemsize * int(np.prod(source.event)))
    return ascending[order[np.arange(len(piece))]]


def _single(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Rows [n, *event] as float32 [n, D], missing cells as one NaN."""
    found = values.reshape(len(values), -1).astype(np.float32)
    found[np.isnan(found)] = np.nan
    return found


def _whole(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Rows [n, *event] as uint8 [n, D]."""
    return values.reshape(len(values), -1).astype(np.uint8, copy=False)


SINGLE, WHOLE = Reading("float32", _single), Reading("uint8", _whole)
