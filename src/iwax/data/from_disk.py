"""A user's own data that stay on disk: what files they may be, when they do, and the data set of them."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from iwax.data.block_order import BlockOrder
from iwax.data.dataset import Dataset, Split
from iwax.data.files import refuse_unseen, split_of
from iwax.data.on_disk import Reading, RowsOnDisk, Source
from iwax.data.shards import NpyShards
from iwax.data.survey import survey
from iwax.memory_limit import allow, limit

__all__ = ["SHARDS", "in_memory", "load_from_disk", "shards", "stays_on_disk"]

SHARDS = (".npy",)  # that a folder may hold
ROW = 24  # bytes that the split of a row takes, while it is made


def shards(path: Path) -> list[Path]:
    """The files of rows that a path stands for: itself, or those in a folder of nothing else, by name; else none.

    Raises ValueError for a folder of shards of several formats.
    """
    if not path.is_dir():
        return [path] if path.suffix.lower() in SHARDS else []
    there = [each for each in sorted(path.iterdir()) if each.is_file() and each.name[0] != "."]
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

    That is a quarter of this machine's memory, at most 8 GB.
    """
    return sum(each.stat().st_size for each in shards(path) if each.is_file()) > limit() // 2


def load_from_disk(path: Path, *, as_table: bool = False) -> Dataset:
    """The data set of a .npy file, or of a folder of shards, whose rows are read when they are needed.

    Two passes at most are made over all rows: here, for their kind, missing values and digest, and for the statistics
    with which a model starts. Raises ValueError, with the place, for what rows in memory would be refused for.
    """
    files = shards(path)
    if as_table:
        raise ValueError(
            f"{path}: kinds of columns and texts for missing cells are for tables, and these are rows of numbers"
        )
    if not files:
        raise ValueError(
            f"{path}: rows that stay on disk need to be a .npy file or a folder of {', '.join(SHARDS)} shards; got "
            f"{path.suffix or 'another folder'}; save them so, or read them into memory with data.on_disk=false"
        )
    source: Source = NpyShards(files, name=str(path))
    allow(ROW * len(source), f"{path}: the split of its {len(source):,} rows")
    parts, how = split_of(len(source), path)
    numbers = {part: _numbered(part, piece.astype(np.int32), source) for part, piece in parts.items()}
    found = survey(source, numbers)
    read = SINGLE if found.dtype == np.float32 else WHOLE
    counted = {part: {"missing": found.missing[part], "source_digest": found.digest} for part in numbers}
    splits = {
        part: Split(RowsOnDisk.of(source, of, read, found.dtype, **counted[part])) for part, of in numbers.items()
    }
    refuse_unseen(found.seen, len(parts["train"]), None, path)
    empty, cells = sum(found.missing.values()), sum(split.values.size for split in splits.values())
    missing = f", {empty:,} of {cells:,} cells missing" if empty else ""
    shuffled = "" if source.bounds is None else "; shuffled in blocks, and among the rows of a buffer of several"
    of = f"your own file {path.name}" if not path.is_dir() else f"your own folder {path.name}, {len(files)} shards"
    return Dataset(
        name=re.sub(r"[^A-Za-z0-9._-]+", "-", path.resolve().name.removesuffix(path.suffix)) or "data",
        protocol=f"{of}: {how}; {found.kind} values as stored{missing}, nothing scaled, nothing redrawn; read from "
        f"disk while training{shuffled}.",
        shape=source.event,
        kind=found.kind,
        binarize_training=False,
        train=splits["train"],
        valid=splits["valid"],
        test=splits["test"],
    )


def in_memory(dataset: Dataset) -> Dataset:
    """The same data with their rows in memory, where they fit."""
    allow(sum(split.values.nbytes for split in dataset.splits().values()), f"{dataset.name}: its rows")
    splits = {
        part: Split(split.values[np.arange(len(split))], split.labels) for part, split in dataset.splits().items()
    }
    protocol = dataset.protocol.replace("; read from disk while training", "")
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
