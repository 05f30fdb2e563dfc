"""Files that a person asked for: checked before any work, never overwritten unasked, written whole or not at all."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from iwax import writable

if TYPE_CHECKING:
    import numpy as np

    from iwax.data import Column

__all__ = ["Force", "Output", "as_text", "check", "rows_as_text", "whole_counts", "write", "write_bytes", "write_rows"]

Output = Annotated[
    Path | None, typer.Option("-o", "--output", metavar="FILE", help="Where it goes; the ending says how.")
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite what is there.")]

TABLES = (".npy", ".npz", ".csv")
HEADER = 128  # bytes before the numbers of an array


def check(path: Path | None, *, force: bool, endings: tuple[str, ...] = TABLES) -> None:
    """Refuse a file that could not be written at the end: ValueError or an OSError, before anything is computed."""
    if path is None:
        return
    if path.suffix.lower() not in endings:
        raise ValueError(f"-o {path}: the ending must be one of {', '.join(endings)}, got {path.suffix or 'none'}")
    if os.path.islink(path):
        raise FileExistsError(
            f"-o {path}: a file was needed, this is a link to {path.readlink()}; name the file itself"
        )
    if os.path.isdir(path):
        raise IsADirectoryError(f"-o {path}: a file was needed, this is a folder; name a file in it")
    if not os.path.isdir(path.parent):
        raise FileNotFoundError(f"-o {path}: the folder {path.parent} does not exist; make it first")
    writable.check(path, what="output")
    if path.exists() and not force:
        raise FileExistsError(f"-o {path}: exists already; name another file, or overwrite it with --force")


def write(path: Path, columns: Mapping[str, "np.ndarray"], *, main: str) -> None:
    """Write named arrays [n, ...]: all of them (.npz, .csv) or the main one (.npy)."""
    import numpy as np

    from iwax.training import durable

    ending = path.suffix.lower()
    if ending == ".csv":
        write_bytes(path, as_text(columns).encode())
        return
    written = {main: columns[main]} if ending == ".npy" else dict(columns)
    with durable.replacing(path, sum(HEADER + np.asarray(values).nbytes for values in written.values())) as stream:
        if ending == ".npy":
            np.save(stream, columns[main], allow_pickle=False)
        else:
            np.savez(stream, allow_pickle=False, **written)


def write_bytes(path: Path, contents: bytes) -> None:
    """Write a file as it is to be, whole or not at all."""
    from iwax.training import durable

    durable.replace(path, contents)


def write_rows(path: Path, rows: "np.ndarray", columns: "Sequence[Column] | None") -> None:
    """Write rows [n, D]: of a table with columns as its owner wrote it, where the ending is .csv."""
    if columns is None or path.suffix.lower() != ".csv":
        write(path, {"x": rows}, main="x")
    else:
        write_bytes(path, rows_as_text(rows, columns).encode())


def rows_as_text(rows: "np.ndarray", columns: "Sequence[Column] | None") -> str:
    """Rows as CSV: of a table with its names, levels and whole numbers (a mean count is rounded)."""
    if columns is None:
        return as_text({"x": rows})

    from iwax.data import coding

    return coding.written(columns, whole_counts(rows, columns))


def whole_counts(rows: "np.ndarray", columns: "Sequence[Column]") -> "np.ndarray":
    """The rows with numbers of a column of whole numbers, which may be means, rounded."""
    import numpy as np

    return np.where([column.whole for column in columns], np.round(rows), rows)


def as_text(columns: Mapping[str, "np.ndarray"]) -> str:
    """The arrays as CSV: one line a row, a column for each number, nine figures; whole numbers and texts as such."""
    import numpy as np

    from iwax.data.formats.table import quoted

    names, parts = [], []
    for name, values in columns.items():
        flat = np.asarray(values).reshape(len(values), -1)
        names += [name] if np.ndim(values) == 1 else [f"{name}{i}" for i in range(flat.shape[1])]
        written = {"U": quoted, "O": quoted, "i": str}.get(flat.dtype.kind, "{:.9g}".format)
        parts += [[written(cell) for cell in column] for column in flat.T.tolist()]
    lines = [",".join(cells) for cells in zip(*parts, strict=True)]
    return "\n".join([",".join(map(quoted, names)), *lines]) + "\n"
