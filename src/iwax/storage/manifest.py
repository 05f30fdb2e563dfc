"""The seal of a checkpoint: what `manifest.json` says of the other files, and reading them only when it is true."""

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from iwax.storage import strict_json
from iwax.storage.enclosed import Enclosed
from iwax.storage.tensors import CorruptCheckpointError

JSON_LIMIT = 1 << 20  # bytes in a manifest or a state: they hold a dozen numbers
FILES = {"model.safetensors", "state.json", "train.safetensors"}
_FORMAT = "iwax checkpoint 1"
_STEP = re.compile(r"step-([0-9]+)")


def seal(step: int, contents: Mapping[str, bytes]) -> bytes:
    """The manifest of files with these contents: format, step, and size and SHA-256 of each."""
    files = {name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in contents.items()}
    return strict_json.canonical({"format": _FORMAT, "step": step, "files": files})


def read(path: Path) -> dict[str, Any]:
    """The manifest of the checkpoint at `path`, which must be exactly as `seal` writes it, for the step `path` names.

    Raises CorruptCheckpointError, and FileNotFoundError where nothing is.
    """
    if not os.path.lexists(path):
        raise FileNotFoundError(f"no checkpoint at {path}")
    if path.is_symlink() or not path.is_dir():
        raise CorruptCheckpointError(path, None, "a folder of its own", "a link or a file")
    file = path / "manifest.json"
    data = b"".join(_pieces(file, limit=JSON_LIMIT))
    sealed = _parse(file, data)
    if not _well_formed(sealed) or strict_json.canonical(sealed) != data:
        needed = f"{_FORMAT!r} with a step and the size and SHA-256 of exactly {', '.join(sorted(FILES))}"
        raise CorruptCheckpointError(file, None, needed, "something else")
    name = _STEP.fullmatch(path.name)
    if name and sealed["step"] != int(name[1]):
        raise CorruptCheckpointError(file, None, f"step {name[1]}", f"step {sealed['step']}")
    return sealed


def content(path: Path, sealed: Mapping[str, Any], name: str, *, limit: int) -> bytes:
    """The bytes of one file, at most `limit`, with the size and SHA-256 sealed; otherwise CorruptCheckpointError."""
    return b"".join(_checked(path, sealed, name, limit=limit))


def check(path: Path, sealed: Mapping[str, Any], name: str) -> None:
    """As `content`, for a file of any size, of which nothing stays in memory."""
    for _ in _checked(path, sealed, name):
        pass


def state(path: Path, sealed: Mapping[str, Any]) -> dict[str, Any]:
    """The checked and parsed `state.json` of a checkpoint, plain scalars by name."""
    file = path / "state.json"
    values = _parse(file, content(path, sealed, "state.json", limit=JSON_LIMIT))
    if type(values.get("step")) is not int or values["step"] != sealed["step"]:
        raise CorruptCheckpointError(file, None, f"step {sealed['step']}", f"step {values.get('step')!r}"[:100])
    for name, value in values.items():
        if isinstance(value, dict | list):
            raise CorruptCheckpointError(
                file, None, f"a plain value of {name!r:.100}", f"a JSON {type(value).__name__}"
            )
    return values


def _pieces(file: Path, *, limit: int | None = None, size: int | None = None) -> Iterator[bytes]:
    try:
        yield from Enclosed(file.parent, named=False).pieces(file.name, limit=limit, size=size)
    except FileNotFoundError:
        raise CorruptCheckpointError(file, None, "a file", "none") from None


def _checked(path: Path, sealed: Mapping[str, Any], name: str, *, limit: int | None = None) -> Iterator[bytes]:
    entry, digest = sealed["files"][name], hashlib.sha256()
    for piece in _pieces(path / name, limit=limit, size=entry["bytes"]):
        digest.update(piece)
        yield piece
    if digest.hexdigest() != entry["sha256"]:
        raise CorruptCheckpointError(path / name, None, f"SHA-256 {entry['sha256'][:64]}", digest.hexdigest())


def _parse(file: Path, data: bytes) -> dict[str, Any]:
    try:
        return strict_json.parse(data)
    except ValueError as error:
        got = " ".join(str(error).split())[:200]
        raise CorruptCheckpointError(file, None, "a JSON object", got) from error


def _well_formed(sealed: Mapping[str, Any]) -> bool:
    files = sealed.get("files")
    return (
        set(sealed) == {"format", "step", "files"}
        and sealed["format"] == _FORMAT
        and type(sealed["step"]) is int
        and isinstance(files, dict)
        and set(files) == FILES
        and all(map(_is_entry, files.values()))
    )


def _is_entry(entry: object) -> bool:
    if not isinstance(entry, dict) or set(entry) != {"bytes", "sha256"}:
        return False
    return type(entry["bytes"]) is int and entry["bytes"] >= 0 and isinstance(entry["sha256"], str)
