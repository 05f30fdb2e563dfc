"""A folder that one process at a time may write."""

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from iwax.storage import durable
from iwax.storage.enclosed import Enclosed

if sys.platform != "win32":
    import fcntl

__all__ = ["held"]


@contextmanager
def held(path: Path, *, wait: bool = False, what: str = "run") -> Iterator[None]:
    """Hold the folder of the lock file at ``path`` alone. BlockingIOError names the process that holds it already.

    ``what`` is the word for the folder in that error; with ``wait`` it is waited for instead. The lock dies with its
    process, however that ends, so that none is ever stale; the file says who, for a reader. It is never a link:
    CorruptCheckpointError where one lies there.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, held(Path(folder) / "run.lock"):
    ...     [path.name for path in Path(folder).iterdir()]
    ['run.lock']
    """
    if sys.platform == "win32":
        yield
        return
    files = Enclosed(path.parent)
    descriptor = _lock(files, path.name, what, wait=wait)
    try:
        owner = json.dumps({"pid": os.getpid(), "host": os.uname().nodename}) + "\n"
        with durable.disk_full(path, len(owner)):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, owner.encode(), 0)
        yield
    finally:
        try:
            files.remove(path.name)  # while still held: whoever waits for this file sees that it is gone
        finally:
            os.close(descriptor)


def _lock(files: Enclosed, name: str, what: str, *, wait: bool) -> int:
    while True:
        with durable.disk_full(files.path / name, 0):
            descriptor = files.open(name, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            there = files.stat(name)
            if there is not None and os.fstat(descriptor).st_ino == there.st_ino:
                return descriptor
        except BlockingIOError as error:
            owner = _owner(descriptor)
            os.close(descriptor)
            raise BlockingIOError(
                f"{what} {files.path}: is in use by {owner}; wait for it, or stop that process first"
            ) from error
        os.close(descriptor)  # the file was removed between opening and locking: try the new one


def _owner(descriptor: int) -> str:
    """Who holds the lock. Whoever has just taken it has not written that down yet, and is given a second."""
    for _ in range(500):
        if owner := os.pread(descriptor, 200, 0).decode(errors="replace").strip():
            return owner
        time.sleep(0.002)
    return "another process"
