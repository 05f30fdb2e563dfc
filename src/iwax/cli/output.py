"""Files that a person asked for: checked before any work, never overwritten unasked, written whole or not at all."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Force", "Output", "as_text", "check", "write"]

Output = Annotated[
    Path | None, typer.Option("-o", "--output", metavar="FILE", help="Where it goes; the ending says how.")
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite what is there.")]

TABLES = (".npy", ".npz", ".csv")


def check(path: Path | None, *, force: bool, endings: tuple[str, ...] = TABLES) -> None:
    """Refuse a file that could not be written at the end: ValueError or an OSError, before anything is computed."""
    if path is None:
        return
    if path.suffix.lower() not in endings:
        raise ValueError(f"-o {path}: the ending must be one of {', '.join(endings)}, got {path.suffix or 'none'}")
    if path.is_dir():
        raise IsADirectoryError(f"-o {path}: a file was needed, this is a folder; name a file in it")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"-o {path}: the folder {path.parent} does not exist; make it first")
    if path.exists() and not force:
        raise FileExistsError(f"-o {path}: exists already; name another file, or overwrite it with --force")
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"-o {path}: the folder {path.parent} may not be written to")


def write(path: Path, columns: Mapping[str, "np.ndarray"], *, main: str) -> None:
    """Write named arrays [n, ...]: all of them (.npz, .csv) or the main one (.npy)."""
    import numpy as np

    hidden = path.with_name(f".{path.name}.tmp")
    try:
        with hidden.open("wb") as stream:
            if path.suffix.lower() == ".npy":
                np.save(stream, columns[main], allow_pickle=False)
            elif path.suffix.lower() == ".npz":
                np.savez(stream, allow_pickle=False, **columns)
            else:
                stream.write(as_text(columns).encode())
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(hidden, path)
    finally:
        hidden.unlink(missing_ok=True)


def as_text(columns: Mapping[str, "np.ndarray"]) -> str:
    """The arrays as CSV: one line a row, a column for each number, nine figures."""
    import numpy as np

    names, parts = [], []
    for name, values in columns.items():
        flat = np.asarray(values).reshape(len(values), -1)
        names += [name] if np.ndim(values) == 1 else [f"{name}{i}" for i in range(flat.shape[1])]
        parts.append(flat)
    table = np.concatenate(parts, axis=1)
    lines = [",".join(f"{number:.9g}" for number in row) for row in table]
    return "\n".join([",".join(names), *lines]) + "\n"
