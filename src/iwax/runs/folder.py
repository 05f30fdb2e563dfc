"""The folder of a new run: made before anything slow, never overwritten, held by one process at a time."""

import re
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from pydantic import ValidationError

from iwax import writable
from iwax.runs.environment import Environment
from iwax.settings.config import Config
from iwax.storage import lock, strict_json
from iwax.storage.sealed import LOG, Sealed, warn

__all__ = ["check_begun", "claimed", "held", "was_cut_off", "write_down"]

LOCK = "run.lock"
_OF_A_START = re.compile(r"run\.lock|seal\.lock|seal\.json|env\.json|log\.txt|\..+\.[0-9a-f]+\.partial")
_LOGGED = re.compile(rb"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} ")


@contextmanager
def claimed(output: Path | None, *, name: str, data: str, seed: int) -> Iterator[Sealed]:
    """Make the folder of a new run, exactly `output` or runs/<time>-<name>-<data>-<seed>, and hold it.

    One of a run that was killed before it was written down is taken up; one in which nothing has been written at the
    end is taken away. Raises FileExistsError where it exists and is not empty, BlockingIOError where another process
    holds it, and the OSError of making it or of writing in it.
    """
    path = _fresh_name(name, data, seed) if output is None else output
    writable.check_new_folder(path)
    folder, made = Sealed(path), not path.exists()
    if folder.files.names() and not was_cut_off(folder):
        raise writable.in_the_way(path)
    path.mkdir(parents=True, exist_ok=True)
    try:
        with held(folder):
            _clear(folder)
            yield folder
    except BaseException:
        if made:
            with suppress(OSError):  # not empty: something was written, and stays
                path.rmdir()
        raise


def write_down(folder: Sealed, config: Config, environment: Environment) -> None:
    """Write what alone says how to do the run again; with config.json, which comes last, a run has begun."""
    both = {"env.json": environment, "config.json": config}
    folder.write({name: strict_json.canonical(each.model_dump(mode="json")) for name, each in both.items()})


def held(folder: Sealed) -> AbstractContextManager[None]:
    """Hold the run folder alone. BlockingIOError names the process that holds it already."""
    return lock.held(folder.path / LOCK)


def check_begun(folder: Sealed) -> None:
    """FileNotFoundError where no run was begun, naming what is missing."""
    path = folder.path
    if not path.is_dir():
        raise FileNotFoundError(f"run {path}: a run folder was needed, there is none")
    folder.files.refuse_links()
    for name in ("config.json", "env.json"):
        if folder.files.kind(name) != "file":
            why = ""
            if was_cut_off(folder):
                why = f"; it was killed before it began: iwax train DATA --output {path} begins it again"
            elif folder.files.kind(writable.OF_FIT) == "file":
                why = ", which holds a checkpoint of training.fit: the same call in Python continues it"
            raise FileNotFoundError(f"run {path}: {name} was needed to know the run, there is none in this folder{why}")
    if not folder.exists:
        warn(
            f"run folder {path}: was begun before run folders were sealed, or its seal.json was taken away; "
            "it is not known whether what it holds is whole, but for its checkpoints"
        )


def was_cut_off(folder: Sealed) -> bool:
    """Whether nothing is here but what a run leaves that was killed before it was written down."""
    names = folder.files.names()
    return bool(names) and all(_is_of_a_start(folder, name) for name in names)


def _is_of_a_start(folder: Sealed, name: str) -> bool:
    """Whether a file is one that every run writes before its config.json, and not somebody's own."""
    if not _OF_A_START.fullmatch(name) or folder.files.kind(name) != "file":
        return False
    if name == "env.json":
        return _is_environment(folder.files.read(name, limit=None))
    if name == LOG:
        return _LOGGED.match(folder.files.read(name, limit=None)) is not None
    return True


def _is_environment(data: bytes) -> bool:
    try:
        Environment.model_validate_json(data)
    except ValidationError:
        return False
    return True


def _clear(folder: Sealed) -> None:
    """Take away what a start that was cut off has left. FileExistsError where a run has begun here meanwhile."""
    left = [name for name in folder.files.names() if name != LOCK]
    if left and not was_cut_off(folder):
        raise writable.in_the_way(folder.path)
    for name in left:
        if name != LOG:
            folder.files.remove(name)


def _fresh_name(name: str, data: str, seed: int) -> Path:
    stem = Path(data).stem or "data"
    words = "".join(letter if letter.isalnum() or letter in "-._" else "_" for letter in f"{name}-{stem}")
    base = Path("runs") / f"{time.strftime('%Y%m%d-%H%M%S')}-{words[:100]}-{seed}"
    path, count = base, 1
    while path.exists():
        count += 1
        path = base.with_name(f"{base.name}.{count}")
    return path
