"""The run folder: made before anything slow, never overwritten, held by one process at a time."""

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from iwax.data import Column
from iwax.data.dataset import Kind
from iwax.experiments.config import Config
from iwax.experiments.sources import stored
from iwax.training import durable, strict_json
from iwax.training.checkpoint import CorruptCheckpointError

if sys.platform != "win32":
    import fcntl

__all__ = ["DataRecord", "Environment", "RunFolder", "Start", "claim", "existing", "held"]

LOCK = "run.lock"


class DataRecord(BaseModel):
    """The data that a run began with."""

    name: str
    protocol: str
    kind: Kind
    shape: tuple[Annotated[int, Field(ge=1, lt=2**31)], ...] = Field(min_length=1)
    rows: dict[str, int]
    sha256: str
    columns: tuple[Column, ...] | None = None
    left_out: tuple[str, ...] | None = None  # of the table's columns, though nobody said so


class Start(BaseModel):
    """The checkpoint whose weights a run began with."""

    checkpoint: str
    sha256: str


class Environment(BaseModel):
    """env.json: with config.json, all that is needed to do a run again."""

    versions: dict[str, str]
    git: dict[str, Any] | None
    device: dict[str, Any]
    platform: dict[str, Any]
    command: list[str]
    data: DataRecord
    start: Start | None


class RunFolder:
    """Paths inside one run folder, and its words.

    >>> RunFolder(Path("runs/one")).checkpoints
    PosixPath('runs/one/checkpoints')
    """

    def __init__(self, path: Path, *, made: bool = False) -> None:
        self.path = path
        self._made = made
        self.checkpoints = path / "checkpoints"
        self.evaluation = path / "evaluation"
        self.metrics = path / "metrics.jsonl"
        self.timing = path / "timing.jsonl"

    def discard_unused(self) -> None:
        """Take away a folder that was made for this run and in which nothing has been written."""
        if self._made:
            with suppress(OSError):  # not empty: something was written, and stays
                self.path.rmdir()

    def write_json(self, name: str, value: Mapping[str, Any]) -> None:
        """Write one JSON document whole or not at all. OSError(ENOSPC) on a full disk."""
        durable.replace(self.path / name, strict_json.canonical(value))

    def config(self) -> Config:
        """The configuration of the run. CorruptCheckpointError where config.json is not a complete one."""
        return stored(self.path / "config.json")

    def environment(self) -> Environment:
        """What env.json holds. CorruptCheckpointError where it is not what a run has written."""
        file = self.path / "env.json"
        try:
            return Environment.model_validate_json(file.read_bytes())
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            got = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
            raise CorruptCheckpointError(file, None, "the environment of a run", got) from error

    def log(self, text: str) -> None:
        """Append a line, with its time, to log.txt."""
        stamp = time.strftime("%Y-%m-%d %H:%M:%S")
        with (self.path / "log.txt").open("a", encoding="utf-8") as stream:
            stream.write(f"{stamp} {text}\n")


def claim(output: Path | None, *, preset: str, data: str, seed: int) -> RunFolder:
    """Make the folder of a new run: exactly `output`, or runs/<time>-<preset>-<data>-<seed>.

    Raises FileExistsError where it exists and is not empty, and the OSError of making it or of writing in it.
    """
    path = _fresh_name(preset, data, seed) if output is None else output
    if path.exists() and not path.is_dir():
        raise NotADirectoryError(f"output {path}: a folder was needed, got a file")
    if path.exists() and any(path.iterdir()):
        raise FileExistsError(
            f"output {path}: an empty or new folder was needed, this one is not empty; "
            f"iwax resume {path} continues a run"
        )
    made = not path.exists()
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path) as probe:
            probe.write(b"iwax")
    except OSError as error:
        raise type(error)(error.errno, f"the output folder cannot be written ({error.strerror})", str(path)) from error
    return RunFolder(path, made=made)


def existing(path: Path) -> RunFolder:
    """The folder of a run that was begun. FileNotFoundError names what is missing."""
    if not path.is_dir():
        raise FileNotFoundError(f"run {path}: a run folder was needed, there is none")
    for name in ("config.json", "env.json"):
        if not (path / name).is_file():
            raise FileNotFoundError(f"run {path}: {name} was needed to know the run, there is none in this folder")
    return RunFolder(path)


def _fresh_name(preset: str, data: str, seed: int) -> Path:
    stem = Path(data).stem or "data"
    words = "".join(letter if letter.isalnum() or letter in "-._" else "_" for letter in f"{preset}-{stem}")
    base = Path("runs") / f"{time.strftime('%Y%m%d-%H%M%S')}-{words[:100]}-{seed}"
    path, count = base, 1
    while path.exists():
        count += 1
        path = base.with_name(f"{base.name}.{count}")
    return path


@contextmanager
def held(folder: RunFolder) -> Iterator[None]:
    """Hold the run folder alone. BlockingIOError names the process that holds it already.

    The lock dies with its process, however that ends, so that none is ever stale; the file says who, for a reader.
    """
    if sys.platform == "win32":
        yield
        return
    path = folder.path / LOCK
    descriptor = _lock(path)
    try:
        owner = json.dumps({"pid": os.getpid(), "host": os.uname().nodename}) + "\n"
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, owner.encode(), 0)
        yield
    finally:
        path.unlink(missing_ok=True)  # while still held: whoever waits for this file sees that it is gone
        os.close(descriptor)


def _lock(path: Path) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists() and os.fstat(descriptor).st_ino == path.stat().st_ino:
                return descriptor
        except BlockingIOError as error:
            owner = os.pread(descriptor, 200, 0).decode(errors="replace").strip() or "another process"
            os.close(descriptor)
            raise BlockingIOError(
                f"run {path.parent}: is in use by {owner}; wait for it, or stop that process first"
            ) from error
        os.close(descriptor)  # the file was removed between opening and locking: try the new one
