"""Files that a person asked for: checked before any work, and never overwritten unasked."""

import os
from pathlib import Path
from typing import Annotated

import typer

from iwax import writable
from iwax.cli.arguments import option

__all__ = ["PICTURES", "TABLES", "Force", "Output", "check", "is_picture"]

Output = Annotated[Path | None, option("-o --output", "FILE", "Where it goes; the ending says how.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite what is there.")]

TABLES = (".npy", ".npz", ".csv")
PICTURES = (".png", ".svg")


def is_picture(path: Path | None) -> bool:
    """Whether the ending is that of a picture.

    >>> is_picture(Path("a.SVG")), is_picture(Path("a.csv")), is_picture(None)
    (True, False, False)
    """
    return path is not None and path.suffix.lower() in PICTURES


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
