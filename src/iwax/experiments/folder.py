"""The run folder: made before anything slow, never overwritten, sealed, held by one process at a time."""

import re
import time
import warnings
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from iwax import writable
from iwax.experiments.config import Config
from iwax.experiments.run_data import DataRecord
from iwax.experiments.sources import stored
from iwax.training import durable, lock, record, strict_json, thinned
from iwax.training.checkpoint import CorruptCheckpointError
from iwax.training.enclosed import LARGEST, RunFolderWarning
from iwax.training.sealed import Sealed

__all__ = ["DataRecord", "Environment", "RunFolder", "Start", "claim", "existing", "held", "tell"]

LOCK = "run.lock"
LOG = "log.txt"
LINE = "%Y-%m-%d %H:%M:%S"
_OF_A_START = re.compile(r"run\.lock|seal\.lock|seal\.json|env\.json|log\.txt|\..+\.[0-9a-f]+\.partial")
_LOGGED = re.compile(rb"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} ")


class Start(BaseModel):
    """The checkpoint whose weights a run began with; ``run`` is the folder it lay in."""

    checkpoint: str
    sha256: str
    run: str | None = None


class Environment(BaseModel):
    """env.json: with config.json, all that is needed to do a run again."""

    versions: dict[str, str]
    git: dict[str, Any] | None
    device: dict[str, Any]
    arithmetic: dict[str, str] | None = None  # not of runs made before it was recorded
    platform: dict[str, Any]
    command: list[str]
    data: DataRecord
    start: Start | None


class RunFolder:
    """One run folder: its paths, its words, and its files, each read only where it is as it was sealed.

    >>> RunFolder(Path("runs/one")).checkpoints
    PosixPath('runs/one/checkpoints')
    """

    def __init__(self, path: Path, *, made: bool = False) -> None:
        self.path = path
        self._made = made
        self.sealed = Sealed(path)
        self.files = self.sealed.files
        self.checkpoints = path / "checkpoints"
        self.evaluation = path / "evaluation"
        self.metrics = path / "metrics.jsonl"
        self.timing = path / "timing.jsonl"

    def discard_unused(self) -> None:
        """Take away a folder that was made for this run and in which nothing has been written."""
        if self._made:
            with suppress(OSError):  # not empty: something was written, and stays
                self.path.rmdir()

    def begin(self) -> None:
        """Take away what a start that was cut off has left. FileExistsError where a run has begun here meanwhile."""
        left = [name for name in self.files.names() if name != LOCK]
        if left and not self.was_cut_off():
            raise writable.in_the_way(self.path)
        for name in left:
            if name != LOG:
                self.files.remove(name)

    def was_cut_off(self) -> bool:
        """Whether nothing is here but what a run leaves that was killed before it was written down."""
        names = self.files.names()
        return bool(names) and all(self._is_of_a_start(name) for name in names)

    def _is_of_a_start(self, name: str) -> bool:
        """Whether a file is one that every run writes before its config.json, and not somebody's own."""
        if not _OF_A_START.fullmatch(name) or self.files.kind(name) != "file":
            return False
        if name == "env.json":
            return _is_environment(self.files.read(name, limit=None))
        if name == LOG:
            return _LOGGED.match(self.files.read(name, limit=None)) is not None
        return True

    def write(self, contents: Mapping[str, bytes]) -> None:
        """Put files in place, each whole or not at all, and seal them. OSError(ENOSPC) on a full disk."""
        self.sealed.write(contents)

    def write_down(self, config: Config, environment: Environment) -> None:
        """Write what alone says how to do the run again; with config.json, which comes last, a run has begun."""
        both = {"env.json": environment, "config.json": config}
        self.write({name: strict_json.canonical(each.model_dump(mode="json")) for name, each in both.items()})

    def read(self, name: str, *, limit: int = LARGEST) -> bytes:
        """The bytes of a file, as it was sealed; FileNotFoundError where there is none.

        CorruptCheckpointError names a file that is not as it was sealed. One that the seal does not know is told of.
        """
        content = self.sealed.content(name, limit=limit)
        if content.sealed is None and self.is_sealed():
            tell(f"run folder {self.path}: {name} is not in its seal, so nobody can say whether it is whole")
        return content.data

    def is_sealed(self) -> bool:
        """Whether the folder was sealed when its run began."""
        return "config.json" in (self.sealed.entries() or {})

    def config(self) -> Config:
        """The configuration of the run. CorruptCheckpointError where config.json is not a complete one."""
        return stored(self.path)

    def environment(self) -> Environment:
        """What env.json holds. CorruptCheckpointError where it is not what a run has written."""
        try:
            return Environment.model_validate_json(self.read("env.json"))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            got = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
            raise CorruptCheckpointError(self.path / "env.json", None, "the environment of a run", got) from error

    def rows(self, path: Path) -> list[dict[str, Any]]:
        """The rows of metrics.jsonl or timing.jsonl; no file, no rows. Rows after the seal are told of."""
        return record.numeric(record.parse(self._record(path), path=path), path=path)

    def course(self) -> list[dict[str, Any]]:
        """As `rows` of metrics.jsonl, but no more than a curve needs."""
        return thinned.parse(self._record(self.metrics), path=self.metrics)

    def _record(self, path: Path) -> bytes:
        try:
            content = self.sealed.content(path.name, limit=record.LARGEST)
        except FileNotFoundError:
            return b""
        later = 0 if content.sealed is None else content.data[content.sealed :].count(b"\n")
        if later:
            tell(
                f"run folder {self.path}: the last {later} rows of {path.name} are not sealed yet (the run is at work, "
                "or was killed), so nobody can say whether they are whole"
            )
        return content.data

    def cut(self, path: Path, step: int) -> None:
        """Drop the rows of metrics.jsonl or timing.jsonl after a step, and a torn last line."""
        try:
            data = self.sealed.read(path.name, limit=record.LARGEST)
        except FileNotFoundError:
            return
        kept = record.until(data, step, path=path)
        if len(kept) < len(data):
            self.write({path.name: kept})

    def seal(self, marks: Mapping[Path, str] | None = None) -> None:
        """Seal log.txt as it is, and records up to the marks that they have returned."""
        self.sealed.advance({path.name: mark for path, mark in (marks or {}).items()}, read=(LOG,))

    def log(self, text: str) -> None:
        """Append a line, with its time, to log.txt."""
        data = f"{time.strftime(LINE)} {text}\n".encode()
        with durable.disk_full(self.path / LOG, len(data)), self.files.append(LOG) as stream:
            stream.write(data)


def claim(output: Path | None, *, name: str, data: str, seed: int) -> RunFolder:
    """Make the folder of a new run: exactly `output`, or runs/<time>-<name>-<data>-<seed>.

    One of a run that was killed before it was written down is taken up. Raises FileExistsError where it exists and is
    not empty, and the OSError of making it or of writing in it.
    """
    path = _fresh_name(name, data, seed) if output is None else output
    writable.check_new_folder(path)
    folder = RunFolder(path, made=not path.exists())
    if folder.files.names() and not folder.was_cut_off():
        raise writable.in_the_way(path)
    path.mkdir(parents=True, exist_ok=True)
    return folder


def existing(path: Path) -> RunFolder:
    """The folder of a run that was begun. FileNotFoundError names what is missing.

    Raises CorruptCheckpointError where a link, a pipe or a device lies anywhere in it, or its seal is damaged; of a
    folder without a seal it is told that nothing but its checkpoints can be checked.
    """
    if not path.is_dir():
        raise FileNotFoundError(f"run {path}: a run folder was needed, there is none")
    folder = RunFolder(path)
    folder.files.refuse_links()
    for name in ("config.json", "env.json"):
        if folder.files.kind(name) != "file":
            again = f"; it was killed before it began: iwax train DATA --output {path} begins it anew"
            raise FileNotFoundError(
                f"run {path}: {name} was needed to know the run, there is none in this folder"
                f"{again if folder.was_cut_off() else ''}"
            )
    if not folder.is_sealed():
        tell(
            f"run folder {path}: was begun before run folders were sealed, or its seal.json was taken away; "
            "nobody can say whether what it holds is whole, but for its checkpoints"
        )
    return folder


def tell(text: str) -> None:
    """Warn of what a reader of a run folder should know, once for the same words."""
    warnings.warn(text, RunFolderWarning, stacklevel=2)  # the same words from the same line: told once


def _is_environment(data: bytes) -> bool:
    try:
        Environment.model_validate_json(data)
    except ValidationError:
        return False
    return True


def _fresh_name(name: str, data: str, seed: int) -> Path:
    stem = Path(data).stem or "data"
    words = "".join(letter if letter.isalnum() or letter in "-._" else "_" for letter in f"{name}-{stem}")
    base = Path("runs") / f"{time.strftime('%Y%m%d-%H%M%S')}-{words[:100]}-{seed}"
    path, count = base, 1
    while path.exists():
        count += 1
        path = base.with_name(f"{base.name}.{count}")
    return path


def held(folder: RunFolder) -> AbstractContextManager[None]:
    """Hold the run folder alone. BlockingIOError names the process that holds it already."""
    return lock.held(folder.path / LOCK)
