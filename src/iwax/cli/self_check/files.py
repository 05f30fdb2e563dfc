"""Checks of the file system: what is replaced at once, locked, full, damaged or a link."""

import contextlib
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from iwax.cli.self_check.check import Finding, NotHere
from iwax.storage import checkpoint, durable, lock

if sys.platform != "win32":
    import resource

__all__ = ["damaged", "files_of_at_most", "flips_unnoticed", "full_disk", "links", "locked", "replaced"]

_SMALL, _LARGE = 1_000, 200_000  # numbers in a checkpoint


def _save(folder: Path, step: int, size: int = _SMALL) -> Path:
    return checkpoint.save(folder, step, model={"w": np.full(size, step, np.float32)}, train={}, state={"epoch": step})


def _load(path: Path, size: int = _SMALL) -> Any:
    return checkpoint.load(path, model={"w": np.zeros(size, np.float32)}, train={})[0]["w"]


def replaced(folder: Path, *, times: int = 40) -> Finding:
    """F1: a file is the old or the new one for a reader while it is replaced, and no temporary file is left."""
    path, ended, torn, reads = folder / "file", threading.Event(), [], [0]
    durable.replace(path, bytes(100_000))

    def read() -> None:
        while not ended.is_set():
            found = path.read_bytes()
            reads[0] += 1
            if len(found) != 100_000 or len(set(found)) > 1:
                torn.append(len(found))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for i in range(times):
            durable.replace(path, bytes([i % 256]) * 100_000)
    finally:
        ended.set()
        reader.join()
    left = [each.name for each in folder.iterdir() if each != path]
    return Finding(
        not torn and not left, f"{times} times, {reads[0]} reads, {len(torn)} of a torn file, {len(left)} files left"
    )


@contextlib.contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """No file of this process may grow beyond ``size`` bytes: what a full disk is like, without one."""
    if sys.platform == "win32":
        raise NotHere("Windows sets no limit on the size of files")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def full_disk(folder: Path) -> Finding:
    """F4: a save that does not fit says where and how much, and loses nothing."""
    good, message = _save(folder, 1), ""
    with files_of_at_most(100_000):
        try:
            _save(folder, 2, _LARGE)
        except OSError as error:
            message = str(error)
    left = sorted(each.name for each in folder.iterdir())
    named = str(folder) in message and "needed" in message and "free" in message
    whole = bool((_load(good) == 1).all()) and left == [good.name]
    return Finding(
        named and whole, f"path and bytes {'' if named else 'not '}named; {len(left)} of 1 checkpoints there"
    )


def flips_unnoticed(folder: Path, flips: int) -> int:
    """Of ``flips`` changed bits, spread over all files of a checkpoint, those that were not noticed."""
    path, rng, silent = _save(folder, 1), np.random.default_rng(0), 0
    files = sorted(each for each in path.iterdir() if each.is_file())
    for i in range(flips):
        file = files[i % len(files)]
        good = file.read_bytes()
        bad, at = bytearray(good), int(rng.integers(len(good)))
        bad[at] ^= 1 << int(rng.integers(8))
        file.write_bytes(bad)
        try:
            _load(path)
            silent += 1
        except (checkpoint.CorruptCheckpointError, ValueError, OSError):
            pass
        file.write_bytes(good)
    return silent if (_load(path) == 1).all() else flips


def damaged(folder: Path, *, flips: int = 60) -> Finding:
    """F5."""
    silent = flips_unnoticed(folder, flips)
    return Finding(silent == 0, f"{flips - silent} of {flips} changed bits of a checkpoint noticed")


def locked(folder: Path) -> Finding:
    """F8: the second process is refused, with the name of the first."""
    if sys.platform == "win32":
        raise NotHere("a run folder is not locked on Windows")
    path, message = folder / "run.lock", ""
    with lock.held(path):
        try:
            with lock.held(path):
                pass
        except BlockingIOError as error:
            message = str(error)
    with lock.held(path):
        pass
    return Finding("pid" in message, "the second was refused, and free again after" if message else "two held one lock")


def links(folder: Path) -> Finding:
    """S3: a file of a checkpoint that is a link is not read."""
    path = _save(folder, 1)
    file = max(path.iterdir(), key=lambda each: each.stat().st_size)
    file.rename(folder / "elsewhere")
    try:
        file.symlink_to(folder / "elsewhere")
    except OSError as error:
        raise NotHere(f"no symbolic links can be made here ({error.strerror})") from error
    try:
        _load(path)
    except checkpoint.CorruptCheckpointError:
        return Finding(True, "a checkpoint with a link in it is refused")
    return Finding(False, "a link was followed")
