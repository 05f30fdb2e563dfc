"""The files that patterns name, the blocks of rows into which they are cut, and their digests."""

import difflib
import glob
import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from iwax.data.tables import Span
from iwax.formats.parquet_parts import parquet_rows

__all__ = ["Block", "blocks_of", "digest", "matched"]

PIECE = 2**20  # bytes read at once
_NAMED = 3  # names that a message offers


class Block(NamedTuple):
    """Rows of a file: all of them, or a ``span``; and the name, without an ending, of what is written of them."""

    span: Span | None
    name: str


def matched(words: Sequence[str | os.PathLike[str]]) -> list[Path]:
    """The files that words name, patterns in the order of the names that they match.

    Raises FileNotFoundError, with the nearest names, for a word that names none, and ValueError where a file is named
    twice, or two files have names that differ in their folder alone.
    """
    found: list[Path] = []
    for word in [os.fspath(word) for word in words]:
        names = [word] if os.path.lexists(word) else sorted(glob.glob(word, recursive=True))
        if not names:
            raise FileNotFoundError(f"{word}: no file of that name was found; {_nearest(word)}")
        found += map(Path, names)
    seen: dict[str, Path] = {}
    for path in found:
        other = seen.setdefault(path.stem, path)
        if other is not path:
            both = f"{path} twice" if other == path else f"{other} and {path}"
            raise ValueError(f"needed files of different names, by which what is written is called: got {both}")
    return found


def blocks_of(path: Path, rows: int | None) -> list[Block]:
    """The blocks of a file: of a .parquet, parts of ``rows`` rows, the whole where it has no more or ``rows`` is None.

    A .parquet without rows, as other programs write them among many, has no block.
    """
    if path.suffix.lower() != ".parquet" or 0 < (total := parquet_rows(path)) <= (rows or total):
        return [Block(None, path.stem)]
    rows = rows or 1
    starts = range(0, total, rows)
    return [Block((at, min(at + rows, total)), f"{path.stem}-{i:05}") for i, at in enumerate(starts)]


def digest(path: Path) -> tuple[int, str]:
    """The bytes and the SHA-256 of a file; of a folder, of the names and the contents of its files."""
    found, size = hashlib.sha256(), 0
    for file in [path] if path.is_file() else _below(path):
        if file != path:
            found.update(f"{file.relative_to(path).as_posix()}\0{file.stat().st_size}\0".encode())
        with open(file, "rb") as stream:
            while piece := stream.read(PIECE):
                found.update(piece)
                size += len(piece)
    return size, found.hexdigest()


def _below(folder: Path) -> Iterator[Path]:
    yield from (path for path in sorted(folder.rglob("*")) if path.is_file())


def _nearest(word: str) -> str:
    """What there is in the folder where a file was looked for."""
    folder = Path(word).parent
    if glob.has_magic(str(folder)) or not folder.is_dir():
        return f"the folder {folder} does not exist"
    names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    near = difflib.get_close_matches(Path(word).name, names, n=_NAMED, cutoff=0.4)
    if not near:
        return f"{folder.absolute()} holds {f'{len(names)} files of other names' if names else 'nothing'}"
    return f"{folder.absolute()} holds {', '.join(near)}"
