"""A folder that one process at a time may write."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform != "win32":
    import fcntl

__all__ = ["held"]


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the folder of the lock file at ``path`` alone. BlockingIOError names the process that holds it already.

    The lock dies with its process, however that ends, so that none is ever stale; the file says who, for a reader.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, held(Path(folder) / "run.lock"):
    ...     [path.name for path in Path(folder).iterdir()]
    ['run.lock']
    """
    if sys.platform == "win32":
        yield
        return
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
