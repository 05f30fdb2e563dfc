"""The run folder: made before anything slow, never overwritten, held by one process at a time."""

import tempfile
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from iwax.experiments.config import Config
from iwax.experiments.run_data import DataRecord
from iwax.experiments.sources import stored
from iwax.training import durable, lock, strict_json
from iwax.training.checkpoint import CorruptCheckpointError

__all__ = ["DataRecord", "Environment", "RunFolder", "Start", "claim", "existing", "held"]

LOCK = "run.lock"


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


def claim(output: Path | None, *, name: str, data: str, seed: int) -> RunFolder:
    """Make the folder of a new run: exactly `output`, or runs/<time>-<name>-<data>-<seed>.

    Raises FileExistsError where it exists and is not empty, and the OSError of making it or of writing in it.
    """
    path = _fresh_name(name, data, seed) if output is None else output
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
