"""The seal of a run folder: what `seal.json` says of its files, and reading them only where it is true.

    {"format": "iwax run 1", "files": {name: [{"bytes": ..., "sha256": ...}]}, "sha256": of the rest}

A file has one state, its bytes and their SHA-256; while it is replaced it may be in either of two, the old and the new,
null standing for no file. So the seal is written, then the file, then the seal again, and a crash between any two of
these leaves a folder that opens. Of a record, which only grows, the state is of the first bytes; rows after them are
those of a sitting that was cut, or of one at work. Checkpoints have seals of their own (`manifest`).
"""

import hashlib
import time
import warnings
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from iwax.storage import durable, lock, record, strict_json
from iwax.storage.enclosed import LARGEST, Enclosed, RunFolderWarning, is_partial
from iwax.storage.record import State
from iwax.storage.tensors import CorruptCheckpointError

__all__ = ["FILE", "RECORDS", "Content", "Sealed", "warn"]

FILE, LOCK = "seal.json", "seal.lock"
METRICS, TIMING, LOG = RECORDS = ("metrics.jsonl", "timing.jsonl", "log.txt")  # which only grow
_FORMAT = "iwax run 1"
_LOG_TIME = "%Y-%m-%d %H:%M:%S"


class Content(NamedTuple):
    """The bytes of a file, and how many of them the seal is true of; None where it does not know the file."""

    data: bytes
    sealed: int | None


Entries = dict[str, list[State | None]]


class Sealed:
    """A run folder with its seal. Several processes may write into it at once; each file then ends as one of them.

    >>> import tempfile; runs = tempfile.TemporaryDirectory(); folder = Sealed(Path(runs.name))
    >>> folder.write({"samples/a.png": b"one"}); folder.content("samples/a.png")
    Content(data=b'one', sealed=3)
    >>> runs.cleanup()
    """

    def __init__(self, path: Path) -> None:
        self.path, self.files = path, Enclosed(path)

    def entries(self) -> Entries | None:
        """The states that every sealed file may be in; None where there is no seal.

        Raises CorruptCheckpointError where the seal is not as it was written.
        """
        try:
            data = self.files.read(FILE)
        except FileNotFoundError:
            return None
        try:
            found = _parsed(data)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            needed, got = "the seal of a run as it was written", " ".join(str(error).split())[:200]
            raise self._damage(FILE, needed, got) from error
        return found

    def content(self, name: str, *, limit: int = LARGEST) -> Content:
        """A file, checked before anything of it is parsed.

        Raises FileNotFoundError where it is not, and CorruptCheckpointError, naming it, where it is not as sealed.
        """
        known = (self.entries() or {}).get(name)
        while True:
            data = self._read(name, limit)
            if known is None:
                if data is None:
                    raise FileNotFoundError(f"{self.path / name}: there is no such file")
                return Content(data, None)
            if data is not None and (state := _held_by(name, known, data)):
                return Content(data, state.bytes)
            if data is None and None in known:
                raise FileNotFoundError(f"{self.path / name}: there is no such file")
            fresh = (self.entries() or {}).get(name)
            if fresh == known:  # not merely replaced between reading its seal and reading it
                raise self._broken(name, known, data)
            known = fresh

    @property
    def exists(self) -> bool:
        """Whether the folder was sealed when its run began."""
        return "config.json" in (self.entries() or {})

    def read(self, name: str, *, limit: int = LARGEST) -> bytes:
        """The bytes of a file; raises as `content`. One that the seal does not know gives a warning."""
        content = self.content(name, limit=limit)
        if content.sealed is None and self.exists:
            warn(f"run folder {self.path}: {name} is not in its seal, so it is not known whether it is whole")
        return content.data

    def rows(self, name: str) -> list[dict[str, Any]]:
        """The rows of metrics.jsonl or timing.jsonl; no file, no rows. Rows after the seal give a warning."""
        return record.numeric(self._record(name), path=self.path / name)

    def curve(self) -> list[dict[str, Any]]:
        """As `rows` of metrics.jsonl, but no more than a curve needs."""
        return record.thinned(self._record(METRICS), path=self.path / METRICS)

    def _record(self, name: str) -> bytes:
        try:
            content = self.content(name, limit=record.LARGEST)
        except FileNotFoundError:
            return b""
        later = 0 if content.sealed is None else content.data[content.sealed :].count(b"\n")
        if later:
            warn(
                f"run folder {self.path}: the last {later} rows of {name} are not sealed yet (the run is at work, "
                "or was killed), so it is not known whether they are whole"
            )
        return content.data

    def cut(self, name: str, step: int) -> None:
        """Drop the rows of metrics.jsonl or timing.jsonl after a step, and a torn last line."""
        try:
            data = self.content(name, limit=record.LARGEST).data
        except FileNotFoundError:
            return
        rest = record.until(data, step, path=self.path / name)
        if len(rest) < len(data):
            self.write({name: rest})

    def log(self, text: str) -> None:
        """Append a line, with its time, to log.txt."""
        data = f"{time.strftime(_LOG_TIME)} {text}\n".encode()
        with durable.disk_full(self.path / LOG, len(data)), self.files.append(LOG) as stream:
            stream.write(data)

    def write(self, contents: Mapping[str, bytes]) -> None:
        """Put files in place, each whole or not at all, and seal them. OSError(ENOSPC) on a full disk."""
        new = {name: _state(data) for name, data in contents.items()}
        with self._held():
            entries = self.entries() or {}
            either: Entries = {}
            for name, state in new.items():
                known = entries.get(name) or [self._present(name)]
                either[name] = [*dict.fromkeys([*known, state])]
            self._put(entries | either)
            for name, data in contents.items():
                for folder in [*PurePosixPath(name).parents][-2::-1]:
                    self.files.make(str(folder))
                self.files.replace(name, data)
            after: Entries = {name: [state] for name, state in new.items()}
            self._put(entries | after)

    def seal(self, states: Mapping[Path, State] | None = None) -> None:
        """Seal records up to the states that `Record.sync` has returned, and log.txt as it is.

        The log, which has no running digest, is read for its own; one that is not as sealed keeps its seal.
        """
        with self._held():
            entries = self.entries() or {}
            new: Entries = {path.name: [state] for path, state in (states or {}).items()}
            data, known = self._read(LOG, LARGEST), entries.get(LOG)
            if data is not None and (known is None or _held_by(LOG, known, data)):
                new[LOG] = [_state(data)]
            self._put(entries | new)

    def sweep(self) -> None:
        """Remove what writes cut short have left, those of checkpoints aside."""
        with self._held():  # which everybody holds who writes such a file
            left = [name for name, kind in self.files.entries() if kind == "file"]
            for name in left:
                if is_partial(PurePosixPath(name).name) and not name.startswith("checkpoints/"):
                    self.files.remove(name)

    def _read(self, name: str, limit: int) -> bytes | None:
        try:
            return self.files.read(name, limit=limit)
        except FileNotFoundError:
            return None

    def _present(self, name: str) -> State | None:
        """The state of a file that is not sealed; None where there is none."""
        digest, size = hashlib.sha256(), 0
        try:
            for piece in self.files.pieces(name, limit=None):
                digest.update(piece)
                size += len(piece)
        except FileNotFoundError:
            return None
        return State(size, digest.hexdigest())

    def _put(self, entries: Entries) -> None:
        self.files.replace(FILE, _packed(entries))

    def _held(self) -> AbstractContextManager[None]:
        return lock.held(self.path / LOCK, wait=True)

    def _broken(self, name: str, known: list[State | None], data: bytes | None) -> CorruptCheckpointError:
        state = next(each for each in known if each is not None)
        first = " of its first bytes" if name in RECORDS else ""
        if data is None or (len(data) < state.bytes if first else len(data) != state.bytes):
            got = "no file" if data is None else f"{len(data)} bytes"
            return self._damage(name, f"{'at least ' if first else ''}{state.bytes} bytes", got)
        got = hashlib.sha256(data[: state.bytes]).hexdigest()
        return self._damage(name, f"SHA-256 {state.sha256[:64]}{first}", got)

    def _damage(self, name: str, needed: str, got: str) -> CorruptCheckpointError:
        remedy = f"restore it from a copy; without one, remove {self.path / FILE} to read the folder unchecked"
        return CorruptCheckpointError(self.path / name, None, needed, got, remedy=remedy)


def warn(text: str) -> None:
    """Warn of what a reader of a run folder should know, once for the same words."""
    warnings.warn(text, RunFolderWarning, stacklevel=2)  # the same words from the same line: once


def _state(data: bytes) -> State:
    return State(len(data), hashlib.sha256(data).hexdigest())


def _held_by(name: str, states: Iterable[State | None], data: bytes) -> State | None:
    """The state of which these bytes are, or in a record the longest of which the first bytes are; None if of none."""
    for state in sorted((each for each in states if each is not None), key=lambda each: -each.bytes):
        first = data[: state.bytes] if name in RECORDS else data
        if len(first) == state.bytes and _state(first) == state:
            return state
    return None


def _packed(entries: Entries) -> bytes:
    files = {name: [None if s is None else s._asdict() for s in states] for name, states in entries.items()}
    content = {"format": _FORMAT, "files": files}
    return strict_json.canonical(content | {"sha256": hashlib.sha256(strict_json.canonical(content)).hexdigest()})


def _parsed(data: bytes) -> Entries:
    """The entries of a seal; ValueError, TypeError, KeyError or AttributeError where it is not one."""
    content = strict_json.parse(data)
    entries = {name: [_parsed_state(each) for each in states] for name, states in content["files"].items()}
    for name, states in entries.items():
        if all(state is None for state in states) or {"", ".", ".."} & set(name.split("/")):
            raise ValueError(f"no state of a file in the folder under {name!r:.100}")
    if _packed(entries) != data:
        raise ValueError("other bytes than its own SHA-256 is of")
    return entries


def _parsed_state(state: Any) -> State | None:
    return None if state is None else State(int(state["bytes"]), str(state["sha256"]))
