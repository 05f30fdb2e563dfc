"""A user's own data: .npy, .npz, .csv, a folder or a zip file of pictures."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from iwax.data.bits import Purpose, permutation
from iwax.data.dataset import Dataset, Kind, Split
from iwax.data.formats.images import read_images
from iwax.data.formats.npy import read_npy, read_npz
from iwax.data.formats.table import read_table

SPLIT_SEED = 0
SMALLEST = 3  # one row for each of training, validation and test
SUFFIXES = (".npy", ".npz", ".csv", ".zip")
PICKLES = (".pkl", ".pickle", ".p", ".joblib", ".pt", ".pth")
PARTS = ("train", "valid", "test")


@dataclass(frozen=True)
class Rows:
    """Rows [n, D] as stored, the shape of one of them, their kind, and labels where there are any."""

    values: np.ndarray
    shape: tuple[int, ...]
    kind: Kind
    labels: np.ndarray | None = None


def load_file(path: Path) -> Dataset:
    """The data set in a file or folder; without parts of its own it is split 80/10/10 with a fixed seed.

    Raises FileNotFoundError, PermissionError, or ValueError saying what was needed, got and where.
    """
    parts = _read(path)
    kind = _common_kind(parts, path)
    splits = {part: Split(_stored(rows.values, kind), rows.labels) for part, rows in parts.items()}
    how = "the parts that the file gives"
    if "x" in splits:
        splits, how = _split(splits["x"], path)
    return Dataset(
        name=re.sub(r"[^A-Za-z0-9._-]+", "-", path.resolve().name.removesuffix(path.suffix)) or "data",
        protocol=f"your own file {path.name}: {how}; {kind} values as stored, nothing scaled, nothing redrawn.",
        shape=next(iter(parts.values())).shape,
        kind=kind,
        binarize_training=False,
        train=splits["train"],
        valid=splits.get("valid"),
        test=splits["test"],
    )


def read_rows(path: Path) -> Rows:
    """All rows of a file or folder, unsplit: what a trained model is applied to. Errors as in ``load_file``.

    From an .npz file with parts, the test rows.
    """
    parts = _read(path)
    return parts["x"] if "x" in parts else parts["test"]


def _common_kind(parts: dict[str, Rows], path: Path) -> Kind:
    """The widest kind of the parts; parts of other shapes, or grey beside real ones, are refused."""
    shapes = {f"x_{part} {rows.shape}" for part, rows in parts.items()}
    if len({rows.shape for rows in parts.values()}) > 1:
        raise ValueError(f"{path}: needed rows of one shape in all parts; got {', '.join(sorted(shapes))}")
    kinds = {rows.kind for rows in parts.values()}
    if {"grey", "real"} <= kinds:
        raise ValueError(
            f"{path}: needed one kind of values in all parts; got whole numbers above 1 beside real ones; "
            "save all parts as uint8 or all as float32"
        )
    if "train" in parts and len(parts["train"].values) < 2:
        raise ValueError(f"{path}[x_train]: needed at least 2 rows to train on; got 1")
    return "real" if "real" in kinds else "grey" if "grey" in kinds else "binary"


def _read(path: Path) -> dict[str, Rows]:
    """{"x": rows}, or {"train": rows, "test": rows} with or without "valid"."""
    suffix = "" if path.is_dir() else path.suffix.lower()
    if suffix in PICKLES:
        raise ValueError(
            f"{path}: a pickle can run any code when it is opened, so it is never opened here; where you trust it, "
            "load it yourself and save the numbers with numpy.savez('data.npz', x=...)"
        )
    if not path.exists():
        raise FileNotFoundError(f"{path}: needed a file or a folder of pictures; there is none")
    if suffix and suffix not in SUFFIXES:
        raise ValueError(
            f"{path}: needed one of {', '.join(SUFFIXES)} or a folder of pictures; got {suffix}; "
            "save the numbers with numpy.save('data.npy', x)"
        )
    try:
        return _read_as(path, suffix)
    except OSError as error:
        raise type(error)(f"{path}: needed a readable file; {error.strerror or error}") from error
    except MemoryError as error:
        raise ValueError(f"{path}: its contents do not fit into this machine's memory") from error


def _read_as(path: Path, suffix: str) -> dict[str, Rows]:
    if suffix == ".npy":
        return {"x": rows_of(read_npy(path), None, where=str(path))}
    if suffix == ".npz":
        return _named_arrays(read_npz(path, name=str(path)), path)
    if suffix == ".csv":
        return {"x": rows_of(read_table(path.read_bytes(), name=str(path))[0], None, where=str(path))}
    if suffix in ("", ".zip") and (path.is_dir() or suffix):
        pictures, labels = read_images(path)
        return {"x": rows_of(pictures, labels, where=str(path))}
    raise ValueError(f"{path}: needed a name ending in one of {', '.join(SUFFIXES)}, or a folder; got neither")


def _named_arrays(found: dict[str, np.ndarray], path: Path) -> dict[str, Rows]:
    if len(found) == 1 and "x_train" not in found:
        found = {"x": next(iter(found.values()))}
    x_names = ("x",) if "x" in found else tuple(f"x_{part}" for part in PARTS)
    allowed = {*x_names, *(name.replace("x", "y", 1) for name in x_names)}
    required = {"x"} if "x" in found else {"x_train", "x_test"}
    if not (required <= set(found) <= allowed):
        raise ValueError(
            f"{path}: needed x, or x_train and x_test (and x_valid), with y, y_train ... as labels; "
            f"got {', '.join(sorted(found)) or 'nothing'}"
        )
    parts = {}
    for name in x_names:
        if name in found:
            labels = _labels(found, name, path)
            parts[name.removeprefix("x_")] = rows_of(found[name], labels, where=f"{path}[{name}]")
    orphans = [name for name in found if name[0] == "y" and name.replace("y", "x", 1) not in found]
    if orphans:
        raise ValueError(f"{path}: needed an x for every y; got only {', '.join(orphans)}")
    return parts


def _labels(found: dict[str, np.ndarray], name: str, path: Path) -> np.ndarray | None:
    labels = found.get(name.replace("x", "y", 1))
    if labels is None:
        return None
    if labels.dtype.kind not in "bui" or labels.shape != found[name].shape[:1]:
        raise ValueError(
            f"{path}[{name.replace('x', 'y', 1)}]: needed one whole number a row, shape {found[name].shape[:1]}; "
            f"got {labels.dtype} {labels.shape}"
        )
    return labels.astype(np.int32)


def rows_of(values: np.ndarray, labels: np.ndarray | None, *, where: str) -> Rows:
    """An array [n, D], [n, h, w] or [n, h, w, c] as checked rows.

    bool, and whole numbers all 0 or 1, are binary; other whole numbers 0..255 are grey; floats are real, or
    binary if all are 0 or 1. Raises ValueError for anything else, for NaN and for infinity.

    >>> rows_of(np.zeros((5, 2, 3)), None, where="x").shape
    (2, 3)
    """
    if values.dtype.kind not in "buif":
        raise ValueError(f"{where}: needed bool, whole or real numbers; got {values.dtype}")
    if values.ndim not in (2, 3, 4):
        raise ValueError(f"{where}: needed [n, D], [n, h, w] or [n, h, w, c]; got shape {values.shape}")
    if 0 in values.shape:
        raise ValueError(f"{where}: needed at least one row and one column; got shape {values.shape}")
    flat = values.reshape(len(values), -1)
    kind, checked = _real(flat, where) if values.dtype.kind == "f" else _whole(flat, where)
    return Rows(np.ascontiguousarray(checked), values.shape[1:], kind, labels)


def _real(flat: np.ndarray, where: str) -> tuple[Kind, np.ndarray]:
    with np.errstate(over="ignore"):
        single = flat.astype(np.float32)
    if not np.isfinite(single).all():
        row, column = np.argwhere(~np.isfinite(single))[0]
        raise ValueError(
            f"{where}:{row + 1}:{column + 1}: needed finite float32 numbers; got {flat[row, column]} (row:column of "
            f"{flat.shape}, counted from 1); leave such rows out or fill them in"
        )
    if ((single == 0) | (single == 1)).all():
        return "binary", single.astype(np.uint8)
    return "real", single


def _whole(flat: np.ndarray, where: str) -> tuple[Kind, np.ndarray]:
    wrong = (flat < 0) | (flat > 255)
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise ValueError(
            f"{where}:{row + 1}:{column + 1}: needed whole numbers 0..255; got {flat[row, column]} (row:column of "
            f"{flat.shape}, counted from 1); save real values as float32"
        )
    return ("binary" if flat.max() <= 1 else "grey"), flat.astype(np.uint8)


def _stored(values: np.ndarray, kind: Kind) -> np.ndarray:
    return values.astype(np.float32 if kind == "real" else np.uint8)


def _split(rows: Split, path: Path) -> tuple[dict[str, Split], str]:
    """80/10/10 by a permutation with a fixed seed."""
    n = len(rows)
    if n < SMALLEST:
        raise ValueError(
            f"{path}: needed at least {SMALLEST} rows, one each for training, validation and test; got {n}"
        )
    held_out = max(1, n // 10)
    order = permutation(SPLIT_SEED, Purpose.SPLIT, n)
    pieces = np.split(order, [n - 2 * held_out, n - held_out])
    splits = {
        part: Split(rows.values[piece], None if rows.labels is None else rows.labels[piece])
        for part, piece in zip(PARTS, pieces, strict=True)
    }
    how = (
        f"rows permuted with seed {SPLIT_SEED}, the first {n - 2 * held_out} training, the next {held_out} "
        f"validation, the last {held_out} test"
    )
    return splits, how
