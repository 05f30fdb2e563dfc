"""What a run folder holds, file by file: whole, damaged, missing, not sealed, or a link."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from iwax.runs.folder import LOCK
from iwax.storage import checkpoint, manifest, record
from iwax.storage.enclosed import Kind
from iwax.storage.sealed import FILE, RECORDS, Sealed
from iwax.storage.sealed import LOCK as SEAL_LOCK
from iwax.storage.tensors import CorruptCheckpointError

__all__ = ["BAD", "Verdict", "verify"]

WHOLE, DAMAGED, MISSING, UNSEALED, LINK = "whole", "damaged", "missing", "not sealed", "link"
BAD = (DAMAGED, MISSING, LINK)
_CHECKPOINTS = "checkpoints"


@dataclass(frozen=True)
class Verdict:
    """A file of a run folder, by its name in it: ``state`` is one of whole, damaged, missing, not sealed and link."""

    file: str
    state: str
    words: str = ""


def verify(run: str | Path) -> list[Verdict]:
    """Compare every file of a run folder with its seal, and every checkpoint with its manifest; nothing is parsed.

    A file that no seal knows is "not sealed": one of an earlier version, or of another program. Nothing is written.
    Raises FileNotFoundError where there is no such folder.
    """
    path = Path(run)
    if not path.is_dir():
        raise FileNotFoundError(f"run {path}: a run folder was needed, there is none")
    folder = Sealed(path)
    kinds = dict(folder.files.entries())
    return sorted([*_of_the_seal(folder, kinds), *_of_checkpoints(folder, kinds)], key=lambda each: each.file)


def _of_the_seal(sealed: Sealed, kinds: dict[str, Kind]) -> Iterator[Verdict]:
    """Everything but checkpoints that are folders of their own."""
    try:
        entries = sealed.entries()
    except CorruptCheckpointError as error:
        entries = {}
        yield Verdict(FILE, DAMAGED, _words(error))
    else:
        if entries is not None:
            yield Verdict(FILE, WHOLE)
    for name, kind in kinds.items():
        if kind in ("link", "other"):
            yield Verdict(name, LINK, "a link" if kind == "link" else "a pipe or a device")
        elif kind == "file" and name != FILE and not _is_of_checkpoints(name) and name not in (entries or {}):
            at_work = name in (LOCK, SEAL_LOCK)
            yield Verdict(
                name, UNSEALED, "of a run at work, or killed" if at_work else "it is not known whether it is whole"
            )
    for name, states in (entries or {}).items():
        if kinds.get(name) in ("link", "other"):
            continue  # listed above
        if kinds.get(name) != "file" and None not in states:
            yield Verdict(name, MISSING, "it was sealed, and is not there")
        elif kinds.get(name) == "file":
            yield _compared(sealed, name)


def _compared(sealed: Sealed, name: str) -> Verdict:
    try:
        content = sealed.content(name, limit=record.LARGEST)
    except (CorruptCheckpointError, FileNotFoundError) as error:
        return Verdict(name, DAMAGED, _words(error))
    later = len(content.data) - (content.sealed or 0)
    rows = content.data[content.sealed :].count(b"\n")
    if name in RECORDS and later:
        return Verdict(name, WHOLE, f"but for {rows} rows after its seal, which cannot be checked")
    return Verdict(name, WHOLE)


def _is_of_checkpoints(name: str) -> bool:
    return PurePosixPath(name).parts[0] == _CHECKPOINTS


def _of_checkpoints(folder: Sealed, kinds: dict[str, Kind]) -> Iterator[Verdict]:
    """Every file below checkpoints/, by the manifest of its checkpoint."""
    for name, kind in kinds.items():
        if not _is_of_checkpoints(name) or kind != "file":
            continue
        parts = PurePosixPath(name).parts
        if len(parts) != 3 or not checkpoint.is_name(parts[1]):
            left = "left of a save that was cut off, or set aside as damaged"
            yield Verdict(name, UNSEALED, left)
        elif parts[2] != "manifest.json" and parts[2] not in manifest.FILES:
            yield Verdict(name, UNSEALED, "no file of a checkpoint")
        else:
            yield _of_a_checkpoint(folder.path / "checkpoints" / parts[1], name)
    for name, kind in kinds.items():
        parts = PurePosixPath(name).parts
        if kind == "folder" and len(parts) == 2 and parts[0] == _CHECKPOINTS and checkpoint.is_name(parts[1]):
            for file in (*manifest.FILES, "manifest.json"):
                if f"{name}/{file}" not in kinds:
                    yield Verdict(f"{name}/{file}", MISSING, "a checkpoint has it")


def _of_a_checkpoint(path: Path, name: str) -> Verdict:
    file = PurePosixPath(name).name
    try:
        sealed = manifest.read(path)
        if file != "manifest.json":
            manifest.check(path, sealed, file)
    except CorruptCheckpointError as error:
        mine = error.file.name == file
        return Verdict(name, DAMAGED if mine else UNSEALED, _words(error) if mine else "its manifest is damaged")
    return Verdict(name, WHOLE)


def _words(error: Exception) -> str:
    if isinstance(error, CorruptCheckpointError):
        return f"needed {error.needed}, got {error.got}"
    return str(error)
