"""A user's own data: .npy, .npz, a table, a folder or a zip file of pictures."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from iwax.data.bits import permutation
from iwax.data.columns import DROP, Column, listed, summary
from iwax.data.dataset import Dataset, Kind, Split
from iwax.data.rows import Rows, labels_of, rows_of
from iwax.data.tables import TABLES, Span, rows_of_new_table, rows_of_table
from iwax.formats.dialect import AS_SHOWN, Dialect
from iwax.formats.images import read_images
from iwax.formats.npy import read_npy, read_npz
from iwax.formats.whole import shown
from iwax.streams import Bits

SPLIT_SEED = 0
SMALLEST = 3  # one row for each of training, validation and test
SUFFIXES = (".npy", ".npz", *TABLES, ".zip")
PICKLES = (".pkl", ".pickle", ".p", ".joblib", ".pt", ".pth")
PARTS = ("train", "valid", "test")


def load_file(
    path: Path,
    *,
    kinds: Mapping[str, str] | None = None,
    dialect: Dialect = AS_SHOWN,
    columns: Sequence[Column] | None = None,
    left_out: Collection[str] = (),
) -> Dataset:
    """The data set in a file or folder; without parts of its own it is split 80/10/10 with a fixed seed.

    ``kinds`` of columns and a ``dialect`` are for tables alone. With ``columns``, and those ``left_out``, as an earlier
    reading found them, nothing is inferred. Raises FileNotFoundError, PermissionError, or ValueError saying what was
    needed, got and where.
    """
    dropped = [name for name, kind in (kinds or {}).items() if kind == DROP]
    if columns is None:
        parts = _read(path, kinds, dialect)
    else:
        parts = {"x": read_rows(path, columns, dropped=(*dropped, *left_out), dialect=dialect)}
    first = next(iter(parts.values()))
    kind = _common_kind(parts, path)
    splits = _stored(parts, kind)
    how = "the parts that the file gives"
    if "x" in splits:
        rows = splits["x"]
        numbers, how = split_of(len(rows), path)
        splits = {
            part: Split(rows.values[piece], None if rows.labels is None else rows.labels[piece])
            for part, piece in numbers.items()
        }
    refuse_unseen(_seen(splits["train"].array), len(splits["train"]), first.columns, path)
    unused = f" {first.unused}." if first.unused else ""
    dropped += left_out if columns is not None else [each.name for each in first.left_out]
    return Dataset(
        name=re.sub(r"[^A-Za-z0-9._-]+", "-", path.resolve().name.removesuffix(path.suffix)) or "data",
        protocol=f"your own file {path.name}: {how}; {_described(splits, kind, first.columns, dropped)}{unused}",
        shape=first.shape,
        kind=kind,
        binarize_training=False,
        train=splits["train"],
        valid=splits.get("valid"),
        test=splits["test"],
        columns=first.columns,
        left_out=first.left_out,
        warnings=first.warnings,
    )


def read_rows(
    path: Path,
    columns: Sequence[Column] | None = None,
    missing: Sequence[str] = (),
    *,
    dropped: Collection[str] = (),
    empty: bool = False,
    each: bool = False,
    dialect: Dialect = AS_SHOWN,
    span: Span | None = None,
) -> Rows:
    """All rows of a file or folder, unsplit: what a trained model is applied to. Errors as in ``load_file``.

    A model of a table takes tables with the same ``columns``, found by name in any order, and perhaps those that
    were ``dropped`` from it. Without ``columns`` those of a table are inferred from the file alone. From an .npz file
    with parts, the test rows. ``dialect`` as the table of training was read, with ``missing`` in place of its own. Of a
    table with ``columns``, rows without a value are read if ``empty`` is set, and cells that their columns cannot hold
    if ``each`` is set, with the reason (`Rows.refused`); of a .parquet only the rows of a ``span`` if one is given.
    """
    dialect = replace(dialect, missing=missing) if missing else dialect
    if columns is None:
        of_table = _suffix(path) in TABLES
        parts = _read(path, None, dialect if of_table else AS_SHOWN)
        return parts["x"] if "x" in parts else parts["test"]
    if _suffix(path) not in TABLES:
        names = listed([column.name for column in columns])
        raise ValueError(f"{path}: needed a table ({' or '.join(TABLES)}) with the columns {names}; got another file")
    with _readable(path):
        return rows_of_table(path, columns, dropped=dropped, dialect=dialect, empty=empty, each=each, span=span)


def _common_kind(parts: dict[str, Rows], path: Path) -> Kind:
    """The widest kind of the parts; parts of other shapes, or grey and real ones together, are refused."""
    shapes = {f"x_{part} {rows.shape}" for part, rows in parts.items()}
    if len({rows.shape for rows in parts.values()}) > 1:
        raise ValueError(f"{path}: needed rows of one shape in all parts; got {', '.join(sorted(shapes))}")
    kinds = {rows.kind for rows in parts.values()}
    if {"grey", "real"} <= kinds:
        raise ValueError(
            f"{path}: needed one kind of values in all parts; got whole numbers above 1 and real ones; "
            "save all parts as uint8 or all as float32"
        )
    if "train" in parts and len(parts["train"].values) < 2:
        raise ValueError(f"{path}[x_train]: needed at least 2 rows to train on; got 1")
    if "table" in kinds:
        return "table"
    return "real" if "real" in kinds else "grey" if "grey" in kinds else "binary"


def _read(path: Path, kinds: Mapping[str, str] | None, dialect: Dialect) -> dict[str, Rows]:
    """{"x": rows}, or {"train": rows, "test": rows} with or without "valid"."""
    suffix = _suffix(path)
    if suffix in TABLES:
        with _readable(path):
            return {"x": rows_of_new_table(path, kinds=kinds, dialect=dialect)}
    if kinds or dialect != AS_SHOWN:
        raise ValueError(
            f"{path}: kinds of columns and texts for missing cells are for tables ({', '.join(TABLES)}), and so are "
            "header, delimiter, encoding, thousands and levels; this file is no table"
        )
    with _readable(path):
        return _read_as(path, suffix)


def _suffix(path: Path) -> str:
    """The ending that says the format, empty for a folder. Refuses a path that is nothing to be read."""
    suffix = "" if path.is_dir() else path.suffix.lower()
    if suffix in PICKLES:
        raise ValueError(
            f"{path}: a pickle can run any code when it is opened, so it is never opened here; where you trust it, "
            "load it yourself and save the numbers with numpy.savez('data.npz', x=...)"
        )
    if not path.exists():
        raise FileNotFoundError(
            f"{path}: there is no such file or folder; a file of rows or a folder of pictures was needed"
        )
    if not path.is_dir() and not path.is_file():
        raise ValueError(f"{path}: a file was needed, got a pipe or a device, which may have no end; save it as a file")
    if suffix and suffix not in SUFFIXES:
        raise ValueError(
            f"{path}: needed one of {', '.join(SUFFIXES)} or a folder of pictures; got {suffix}; "
            "save the numbers with numpy.save('data.npy', x), or a table as .csv"
        )
    return suffix


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise type(error)(f"{path}: needed a readable file; {error.strerror or error}") from error
    except MemoryError as error:
        raise ValueError(f"{path}: its contents do not fit into this machine's memory") from error


def _read_as(path: Path, suffix: str) -> dict[str, Rows]:
    if suffix == ".npy":
        return {"x": rows_of(read_npy(path), None, where=str(path))}
    if suffix == ".npz":
        return _named_arrays(read_npz(path, name=str(path)), path)
    if suffix in ("", ".zip") and (path.is_dir() or suffix):
        pictures = read_images(path)
        rows = rows_of(pictures.values, pictures.labels, where=str(path))
        return {"x": replace(rows, unused=pictures.left_out)}
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
            f"got {', '.join(map(shown, sorted(found))) or 'nothing'}"
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
    of = name.replace("x", "y", 1)
    return labels_of(found[of], len(found[name]), where=f"{path}[{of}]") if of in found else None


def _stored(parts: dict[str, Rows], kind: Kind) -> dict[str, Split]:
    """The parts in one type of number: float32 where values are real or any cell is missing, else uint8."""
    real = kind in ("real", "table") or any(rows.values.dtype == np.float32 for rows in parts.values())
    dtype = np.float32 if real else np.uint8
    return {part: Split(rows.values.astype(dtype, copy=False), rows.labels) for part, rows in parts.items()}


def _seen(values: np.ndarray) -> np.ndarray:
    """Whether every column has a value."""
    return ~np.all(np.isnan(values), axis=0) if values.dtype == np.float32 else np.ones(values.shape[1], bool)


def refuse_unseen(seen: np.ndarray, rows: int, columns: Sequence[Column] | None, path: Path) -> None:
    """Refuse a column without a value in the training rows: nothing can be learned of it."""
    if not seen.all():
        column = int(np.argmin(seen))
        name = f"{column + 1}" if columns is None else repr(columns[column].name)
        raise ValueError(
            f"{path}: column {name} needs at least one value in the {rows} training rows; all are missing "
            f"there ({np.count_nonzero(~seen)} such columns in all); leave such columns out"
        )


def _described(splits: dict[str, Split], kind: Kind, columns: Sequence[Column] | None, dropped: Sequence[str]) -> str:
    """The kind of the values, what is missing, and what was done to them."""
    values = [split.values for split in splits.values()]
    empty = sum(int(np.isnan(part).sum()) for part in values if part.dtype == np.float32)
    cells = sum(part.size for part in values)
    missing = f"{empty:,} of {cells:,} cells missing" if empty else "no cell missing"
    if columns is None:
        return f"{kind} values as stored{f', {missing}' if empty else ''}, nothing scaled, nothing redrawn."
    left_out = f", left out: {', '.join(dropped)}" if dropped else ""
    return f"{summary(columns)}{left_out}; {missing}; nothing scaled, nothing redrawn."


def split_of(n: int, path: Path) -> tuple[dict[str, np.ndarray], str]:
    """The numbers of the rows of each split, 80/10/10 by a permutation with a fixed seed, and how in words."""
    if n < SMALLEST:
        raise ValueError(
            f"{path}: needed at least {SMALLEST} rows, one each for training, validation and test; got {n}"
        )
    held_out = max(1, n // 10)
    order = permutation(SPLIT_SEED, Bits.SPLIT, n)
    pieces = np.split(order, [n - 2 * held_out, n - held_out])
    how = (
        f"rows permuted with seed {SPLIT_SEED}, the first {n - 2 * held_out} training, the next {held_out} "
        f"validation, the last {held_out} test"
    )
    return dict(zip(PARTS, pieces, strict=True)), how
