"""Rows of a user's own numbers, checked: their kind, and where one cannot be used, its place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from iwax.data.columns import Column
from iwax.data.dataset import Kind
from iwax.data.recognition import LeftOut
from iwax.formats.refusals import Words
from iwax.printed import printed

_CHANNELS = 4  # of a picture, at most: fewer in the place of a height are taken for channels


@printed()
@dataclass(frozen=True)
class Rows:
    """Rows [n, D] as stored, the shape of one of them, their kind, and labels where there are any.

    Missing cells are NaN. ``unused`` says which files of a folder gave no row. Rows of a table have its ``columns``,
    those that were ``left_out`` though nobody asked for it, and ``warnings`` of what looks wrong. If each cell is read
    by itself, ``refused`` are those that their column cannot hold, which are NaN, {(row, column): reason}, and
    ``unread`` the cells of the table's other columns, by name, None where one is missing.
    """

    values: np.ndarray
    shape: tuple[int, ...]
    kind: Kind
    labels: np.ndarray | None = None
    columns: tuple[Column, ...] | None = None
    unused: str = ""
    left_out: tuple[LeftOut, ...] = ()
    warnings: tuple[Words, ...] = ()
    refused: Mapping[tuple[int, int], str] = field(default_factory=dict)
    unread: Mapping[str, Sequence[str | None]] = field(default_factory=dict)


def rows_of(values: np.ndarray, labels: np.ndarray | None, *, where: str, before: int = 0) -> Rows:
    """An array [n, D], [n, h, w] or [n, h, w, c] as checked rows.

    bool, and whole numbers all 0 or 1, are binary; other whole numbers 0..255 are grey; floats are real, or
    binary if all are 0 or 1. NaN marks a missing cell. Raises ValueError for anything else, for infinity, and for
    a row of which every cell is missing. ``before`` counts the rows of the file before these.

    >>> rows_of(np.zeros((5, 2, 3)), None, where="x").shape
    (2, 3)
    """
    if values.dtype.kind not in "buif":
        raise ValueError(f"{where}: needed bool, whole or real numbers; got {values.dtype}")
    if values.ndim not in (2, 3, 4):
        raise ValueError(f"{where}: needed [n, D], [n, h, w] or [n, h, w, c]; got shape {values.shape}")
    if values.ndim == 4 and values.shape[1] <= _CHANNELS < values.shape[3]:
        channels, height, width = values.shape[1:]
        raise ValueError(
            f"{where}: needed pictures as [n, h, w, c]; got shape {values.shape}, which would be strips of {channels} "
            f"x {height} pixels with {width} channels; are channels first? x.transpose(0, 2, 3, 1) puts them last"
        )
    if 0 in values.shape:
        raise ValueError(f"{where}: needed at least one row and one column; got shape {values.shape}")
    flat = values.reshape(len(values), -1)
    kind, checked = (_real if values.dtype.kind == "f" else _whole)(flat, where, before)
    refuse_empty_rows(checked, range(before + 1, before + len(flat) + 1), where)
    return Rows(np.ascontiguousarray(checked), values.shape[1:], kind, labels)


def labels_of(found: np.ndarray, rows: int, *, where: str) -> np.ndarray:
    """Labels [n] as int32. Raises ValueError unless there is one whole number for each of the rows.

    >>> labels_of(np.array([True, False]), 2, where="y").tolist()
    [1, 0]
    """
    if found.dtype.kind not in "bui" or found.shape != (rows,):
        raise ValueError(f"{where}: needed one whole number per row, shape {(rows,)}; got {found.dtype} {found.shape}")
    return found.astype(np.int32)


def refuse_empty_rows(values: np.ndarray, lines: Sequence[int], where: str) -> None:
    """Refuse a row of which every cell is missing: ValueError with its line."""
    empty = np.isnan(values).all(axis=1) if values.dtype == np.float32 else np.zeros(len(values), bool)
    if empty.any():
        raise ValueError(
            f"{where}:{lines[int(np.argmax(empty))]}: needed a value in every row; every cell of this one is missing "
            f"(nan), {np.count_nonzero(empty)} such rows in all; leave such rows out"
        )


def _real(flat: np.ndarray, where: str, before: int) -> tuple[Kind, np.ndarray]:
    with np.errstate(over="ignore"):
        single = flat.astype(np.float32)
    if np.isinf(single).any():
        row, column = np.argwhere(np.isinf(single))[0]
        raise ValueError(
            f"{where}:{before + row + 1}:{column + 1}: needed finite float32 numbers; got {flat[row, column]} "
            f"(row:column of {flat.shape}, counted from 1); leave such rows out, fill them in, or mark the cell as "
            "missing by NaN"
        )
    missing = np.isnan(single)
    single[missing] = np.nan  # one pattern of bits for all, so that equal data have equal digests
    binary = (missing | (single == 0) | (single == 1)).all()
    if binary and not missing.any():
        return "binary", single.astype(np.uint8)
    return "binary" if binary else "real", single


def _whole(flat: np.ndarray, where: str, before: int) -> tuple[Kind, np.ndarray]:
    if flat.min() < 0 or flat.max() > 255:
        row, column = np.argwhere((flat < 0) | (flat > 255))[0]
        raise ValueError(
            f"{where}:{before + row + 1}:{column + 1}: needed whole numbers 0..255; got {flat[row, column]} "
            f"(row:column of {flat.shape}, counted from 1); save real values as float32"
        )
    own = flat.dtype == np.uint8 and flat.flags.writeable  # what is read in place is not
    return ("binary" if flat.max() <= 1 else "grey"), flat if own else flat.astype(np.uint8)
