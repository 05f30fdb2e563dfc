"""Rows on disk looked through once: their kind, what is missing, and their digest, in a chunk of memory."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from iwax.data.dataset import Kind
from iwax.data.on_disk import CHUNK, RowsOnDisk, Source
from iwax.data.rows import Rows, rows_of
from iwax.printed import printed

__all__ = ["Survey", "moments", "survey"]


@printed()
@dataclass(frozen=True)
class Survey:
    """What all rows of a source are: their kind, missing cells by part, SHA-256, and columns seen in training rows."""

    kind: Kind
    missing: Mapping[str, int]
    digest: str
    seen: np.ndarray

    @property
    def dtype(self) -> np.dtype:
        """float32 where values are real or any cell is missing, else uint8: as rows in memory have it."""
        return np.dtype(np.float32 if self.kind in ("real", "table") or any(self.missing.values()) else np.uint8)


def survey(source: Source, parts: Mapping[str, np.ndarray], *, table: bool = False) -> Survey:
    """Look through all rows in the order of the files; ``parts`` are the numbers of the rows of each split.

    Rows of a ``table`` are checked as they are encoded. Raises ValueError, with file, row and column, for what rows in
    memory would be refused for.
    """
    names = list(parts)
    part_of = np.zeros(len(source), np.uint8)
    for i, name in enumerate(names):
        part_of[parts[name]] = i
    found = hashlib.sha256(f"{source.dtype.str} {(len(source), *source.event)}".encode())
    kinds: set[Kind] = set()
    missing = np.zeros(len(names))
    seen: np.ndarray = np.zeros(int(np.prod(source.event)), bool)
    for first, raw, where, before in _pieces(source):
        found.update(np.ascontiguousarray(raw).data)
        rows = Rows(raw, source.event, "table") if table else rows_of(raw, None, where=where, before=before)
        kinds.add(rows.kind)
        here = part_of[first : first + len(raw)]
        absent = np.isnan(rows.values) if rows.values.dtype == np.float32 else None
        if absent is not None and absent.any():
            missing += np.bincount(here, absent.sum(axis=1), minlength=len(names))
            seen = seen | ~absent[here == names.index("train")].all(axis=0)
        elif not seen.all():
            seen = seen | bool((here == names.index("train")).any())
    kind: Kind = next(kind for kind in ("table", "real", "grey", "binary") if kind in kinds)
    return Survey(kind, dict(zip(names, missing.astype(int).tolist(), strict=True)), found.hexdigest(), seen)


def moments(rows: RowsOnDisk) -> tuple[np.ndarray, np.ndarray]:
    """The mean and the standard deviation [D] of every feature in float64, over the values that are not missing.

    Whole numbers are added up without rounding; of others chunks are merged as by Chan, Golub and LeVeque (1983), and
    the last digits may differ from those of all rows at once.
    """
    if rows.dtype == np.uint8:
        return _of_whole_numbers(rows)
    count, mean = np.zeros(rows.features), np.zeros(rows.features)
    squares = np.zeros(rows.features)
    for _, values in rows.chunks():
        wide = values.astype(np.float64)
        absent = np.isnan(wide) if rows.missing else None
        if absent is None:
            n, of = np.full(rows.features, float(len(wide))), wide.mean(axis=0)
            wide -= of
        else:
            n = (~absent).sum(axis=0).astype(float)
            of = np.where(absent, 0, wide).sum(axis=0) / np.maximum(n, 1)
            wide = np.where(absent, 0, wide - of)
        total = count + n
        share = n / np.maximum(total, 1)
        squares += np.einsum("ij,ij->j", wide, wide) + (of - mean) ** 2 * count * share
        mean += (of - mean) * share
        count = total
    return mean, np.sqrt(squares / np.maximum(count, 1))


def _of_whole_numbers(rows: RowsOnDisk) -> tuple[np.ndarray, np.ndarray]:
    """The same of uint8 rows, in whole numbers: of 2^16 rows the sum of squares is below 2^32."""
    sums, squares, n = np.zeros(rows.features, np.int64), np.zeros(rows.features, np.int64), len(rows)
    for _, values in rows.chunks():
        for part in np.array_split(values, -(-len(values) // 2**16)):
            sums += np.add.reduce(part, axis=0, dtype=np.uint32)
            squares += np.add.reduce(np.multiply(part, part, dtype=np.uint16), axis=0, dtype=np.uint32)
    spread = [n * b - a * a for a, b in zip(sums.tolist(), squares.tolist(), strict=True)]
    return sums / n, np.sqrt(np.array(spread, np.float64)) / n


def _pieces(source: Source) -> Iterator[tuple[int, np.ndarray, str, int]]:
    """All rows in pieces of one file each: the number of the first, the rows, their file, and rows of it before."""
    length = max(1, CHUNK // max(1, source.dtype.itemsize * int(np.prod(source.event))))
    for start, end in zip(source.starts[:-1].tolist(), source.starts[1:].tolist(), strict=True):
        for first in range(start, end, length):
            raw = source.take(np.arange(first, min(first + length, end)))
            yield first, raw, source.place(first)[0], first - start
