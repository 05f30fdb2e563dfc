"""Writing that survives a crash: write, fsync the file, rename, fsync the folder; and what a full disk says."""

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


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
    """Put `data` at `path` in one step: a reader, or a crash at any moment, sees the old file or the new one.

    A link at `path` is itself replaced, never followed; the data are written to a name that cannot be foreseen.
    """
    with replacing(path, len(data)) as stream:
        stream.write(data)


@contextlib.contextmanager
def replacing(path: Path, needed: int) -> Iterator[BinaryIO]:
    """As `replace`, for about `needed` bytes that are written into the stream given.

    Two that write one file at the same time do not meet: the one that ends last stays. Nothing is left where it fails.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a.txt"
    ...     with replacing(path, 2) as stream:
    ...         _ = stream.write(b"hi")
    ...     path.read_bytes(), len(list(Path(folder).iterdir()))
    (b'hi', 1)
    """
    partial = path.with_name(f".{secrets.token_hex(16)}.partial")  # of its own length: the name may be the longest
    with disk_full(path, needed):
        try:
            # x is O_EXCL, which follows no link; and + for numpy, whose own writing would not say why it failed
            with open(partial, "x+b") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
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
            "is lost: make room, then do it again (iwax resume continues a run)"
        )
        raise OSError(errno.ENOSPC, message) from error
