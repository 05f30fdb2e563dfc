"""Writing that survives a crash: write, fsync the file, rename, fsync the folder; and what a full disk says."""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def write(path: Path, data: bytes) -> None:
    """Write a new file and fsync it; FileExistsError where there is one already."""
    with open(path, "xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """fsync a folder, so that the names in it survive a power cut (a folder cannot be opened on Windows)."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def replace(path: Path, data: bytes) -> None:
    """Put `data` at `path` in one step: a reader, or a crash at any moment, sees the old file or the new one."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with disk_full(path, len(data)):
        try:
            partial.unlink(missing_ok=True)
            write(partial, data)
            os.replace(partial, path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


@contextlib.contextmanager
def disk_full(path: Path, needed: int) -> Iterator[None]:
    """Turn "no space", "quota" and "file too large" into one OSError(ENOSPC) with path, needed and free bytes."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        free = shutil.disk_usage(next(folder for folder in path.absolute().parents if folder.exists())).free
        reason = os.strerror(error.errno or errno.ENOSPC).lower()
        message = (
            f"cannot write {path}: needed {needed} bytes, {free} bytes free ({reason}); nothing that was there "
            "is lost: make room and resume"
        )
        raise OSError(errno.ENOSPC, message) from error
