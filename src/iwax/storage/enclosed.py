"""Everything below one folder, opened by handles, so that nothing that lies in it leads out of it.

A folder that somebody sent may hold links, pipes and devices where files are looked for. Here every name is opened step
by step below the handle of the folder, no link is followed, and nothing but a plain file is read or written. Where the
system opens nothing below a handle (Windows), every step is looked at first.
"""

import errno
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Literal

from iwax.storage import durable
from iwax.storage.tensors import CorruptCheckpointError

__all__ = ["LARGEST", "Enclosed", "RunFolderWarning", "is_partial", "partial_name"]

LARGEST = 1 << 26  # bytes of a file that is read whole, unless another limit is given
HANDLES = os.open in os.supports_dir_fd and os.listdir in os.supports_fd
Kind = Literal["file", "folder", "link", "other"]
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_FILE = _NO_LINK | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)  # O_NONBLOCK: a pipe has no other end
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)
_NOT_PLAIN = (errno.ELOOP, errno.EMLINK, errno.ENXIO, errno.ENOTDIR)
_PIECE = 1 << 20
_PARTIAL = re.compile(r"\..+\.[0-9a-f]{16}\.partial", re.DOTALL)


class RunFolderWarning(UserWarning):
    """What a reader of a folder should know: that something in it cannot be checked, or was passed over."""


class Enclosed:
    """A folder, and what is done with files below it; names are relative, with "/" between folders.

    A folder that somebody ``named`` may itself be reached through a link; one inside another may not. Raises
    CorruptCheckpointError where a link, a pipe or a device lies where a file or a folder was needed.

    >>> import tempfile; runs = tempfile.TemporaryDirectory(); folder = Enclosed(Path(runs.name))
    >>> folder.make("samples"); folder.replace("samples/a.png", b"one"); folder.read("samples/a.png")
    b'one'
    >>> list(folder.entries())
    [('samples', 'folder'), ('samples/a.png', 'file')]
    >>> runs.cleanup()
    """

    def __init__(self, path: Path, *, named: bool = True) -> None:
        self.path, self._named = path, named

    # -- looking ---------------------------------------------------------------------------------------------------

    def stat(self, name: str) -> os.stat_result | None:
        """The status of what lies under a name, of a link itself; None where nothing does."""
        try:
            with self._within(name) as (handle, last):
                return os.stat(last, dir_fd=handle, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def kind(self, name: str) -> Kind | None:
        """What lies under a name; None where nothing does."""
        status = self.stat(name)
        if status is None:
            return None
        if stat.S_ISREG(status.st_mode):
            return "file"
        return "folder" if stat.S_ISDIR(status.st_mode) else "link" if stat.S_ISLNK(status.st_mode) else "other"

    def names(self, folder: str = "") -> list[str]:
        """The names in a folder, in order; none where there is no such folder."""
        try:
            with self._folder(folder) as (handle, prefix):
                return sorted(os.listdir(prefix if handle is None else handle))
        except FileNotFoundError:
            return []

    def entries(self) -> Iterator[tuple[str, Kind]]:
        """Name and kind of everything below, a folder before what it holds; what links point to is not looked at."""
        waiting = self.names()[::-1]
        while waiting:
            name = waiting.pop()
            kind = self.kind(name)
            if kind is not None:  # else gone since
                yield name, kind
            if kind == "folder":
                waiting += [f"{name}/{inner}" for inner in reversed(self.names(name))]

    def refuse_links(self) -> None:
        """CorruptCheckpointError naming the first link, pipe or device anywhere below."""
        for name, kind in self.entries():
            if kind in ("link", "other"):
                raise CorruptCheckpointError(
                    self.path / name,
                    None,
                    "a folder of plain files, none of which leads out of it",
                    "a link" if kind == "link" else "a pipe or a device",
                    remedy="take it away, or put what it stands for in its place",
                )

    # -- reading ---------------------------------------------------------------------------------------------------

    def read(self, name: str, *, limit: int | None = LARGEST, size: int | None = None) -> bytes:
        """The bytes of a file; raises as `pieces`."""
        return b"".join(self.pieces(name, limit=limit, size=size))

    def pieces(self, name: str, *, limit: int | None = LARGEST, size: int | None = None) -> Iterator[bytes]:
        """The bytes of a file of exactly ``size`` and at most ``limit`` bytes, which are looked at before any is read.

        Raises FileNotFoundError where there is none, CorruptCheckpointError where it is not of that size.
        """
        with open(self.open(name, os.O_RDONLY), "rb", buffering=0) as source:
            left = os.fstat(source.fileno()).st_size
            if size is not None and left != size:
                raise CorruptCheckpointError(self.path / name, None, f"{size} bytes", f"{left} bytes")
            if limit is not None and left > limit:
                raise CorruptCheckpointError(self.path / name, None, f"at most {limit} bytes", f"{left} bytes")
            while left and (piece := source.read(min(left, _PIECE))):
                left -= len(piece)
                yield piece

    def open(self, name: str, flags: int) -> int:
        """The handle of a plain file, which has no second name where it is to be changed as it lies."""
        try:
            with self._within(name) as (handle, last):
                if not HANDLES and os.path.islink(last):
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
                found = os.open(last, flags | _FILE, 0o644, dir_fd=handle)
        except OSError as error:
            if error.errno not in _NOT_PLAIN:
                raise _located(error, self.path / name) from None
            raise CorruptCheckpointError(self.path / name, None, "a plain file", "a link or a device") from None
        status, changed = os.fstat(found), flags & (os.O_WRONLY | os.O_RDWR)
        if not stat.S_ISREG(status.st_mode) or (changed and status.st_nlink > 1):
            os.close(found)
            got = "a file with a second name" if stat.S_ISREG(status.st_mode) else "a folder, a pipe or a device"
            raise CorruptCheckpointError(self.path / name, None, "a plain file", got)
        return found

    # -- writing ---------------------------------------------------------------------------------------------------

    def create(self, name: str, data: bytes) -> None:
        """Write a new file and fsync it; FileExistsError where there is one already."""
        with open(self.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def replace(self, name: str, data: bytes) -> None:
        """Put a file in place in one step: a reader, or a crash at any moment, sees the old one or the new one."""
        *folders, last = name.split("/")
        partial = "/".join([*folders, partial_name(last)])
        with durable.disk_full(self.path / name, len(data)):
            try:
                self.create(partial, data)
                self.rename(partial, name)
            except BaseException:
                self.remove(partial)
                raise
            self.sync("/".join(folders))

    def append(self, name: str) -> IO[bytes]:
        """A file opened to be read and appended to, unbuffered: one write is one row, there for whoever follows it."""
        return open(self.open(name, os.O_RDWR | os.O_CREAT | os.O_APPEND), "a+b", buffering=0)

    def make(self, folder: str) -> None:
        """Make a folder, unless it is there. FileNotFoundError where the one that it is to lie in is not."""
        with suppress(FileExistsError), self._within(folder) as (handle, last):
            os.mkdir(last, dir_fd=handle)
        if self.kind(folder) != "folder":
            raise CorruptCheckpointError(self.path / folder, None, "a folder", "a link or a file")

    def rename(self, name: str, new: str) -> None:
        """Give what lies under a name another one in the same folder, in one step, in place of a file that has it."""
        with self._within(name) as (handle, last):
            target = os.path.join(os.path.dirname(last), new.rpartition("/")[2])
            os.replace(last, target, src_dir_fd=handle, dst_dir_fd=handle)

    def remove(self, name: str) -> None:
        """Remove a file, or a folder and what is in it, if it is there; a link is removed itself, never followed."""
        kind = self.kind(name)
        if kind is None:
            return
        with self._within(name) as (handle, last):
            if kind == "folder":
                shutil.rmtree(last, dir_fd=handle)
            else:
                os.unlink(last, dir_fd=handle)

    def sync(self, folder: str = "") -> None:
        """fsync a folder, so that the names in it survive a power cut (a folder cannot be opened on Windows)."""
        with self._folder(folder) as (handle, _):
            if handle is not None:
                os.fsync(handle)

    # -- handles ---------------------------------------------------------------------------------------------------

    @contextmanager
    def _within(self, name: str) -> Iterator[tuple[int | None, str]]:
        """The handle of the folder that a name lies in, and what to call it there."""
        folder, _, last = name.rpartition("/")
        with self._folder(folder) as (handle, prefix):
            yield handle, os.path.join(prefix, _plain(last))

    @contextmanager
    def _folder(self, folder: str) -> Iterator[tuple[int | None, str]]:
        """The handle of a folder below, and "" for what it holds; without handles, None and its path."""
        steps = [_plain(step) for step in folder.split("/")] if folder else []
        if not HANDLES:
            inner = [self.path.joinpath(*steps[: i + 1]) for i in range(len(steps))]
            for each in (*(() if self._named else (self.path,)), *inner):
                if each.is_symlink():
                    raise CorruptCheckpointError(each, None, "a folder", "a link")
            yield None, str(self.path.joinpath(*steps))
            return
        handle, reached = self._root(), self.path
        try:
            for step in steps:
                reached = reached / step
                handle, outer = _step(reached, step, handle), handle
                os.close(outer)
            yield handle, ""
        finally:
            os.close(handle)

    def _root(self) -> int:
        try:
            return os.open(self.path, _FOLDER | (0 if self._named else _NO_LINK))
        except OSError as error:
            if self._named or error.errno not in _NOT_PLAIN:
                raise
            raise CorruptCheckpointError(self.path, None, "a folder of its own", "a link or a file") from None


def is_partial(name: str) -> bool:
    """Whether a hidden name is one that `partial_name` gives."""
    return _PARTIAL.fullmatch(name) is not None


def partial_name(name: str) -> str:
    """A hidden name that cannot be foreseen, for what is being written in place of a file.

    >>> partial_name("a.png").startswith(".a.png."), partial_name("a.png") == partial_name("a.png")
    (True, False)
    """
    # the longest name a file may have is 255 bytes, of which a letter may take four
    return f".{name[:40]}.{secrets.token_hex(8)}.partial"


def _step(reached: Path, name: str, handle: int) -> int:
    try:
        return os.open(name, _FOLDER | _NO_LINK, dir_fd=handle)
    except OSError as error:
        if error.errno not in _NOT_PLAIN:
            raise _located(error, reached) from None
        raise CorruptCheckpointError(reached, None, "a folder", "a link or a file") from None


def _located(error: OSError, path: Path) -> OSError:
    """The same error with the whole path: a name below a handle says too little."""
    return type(error)(error.errno, error.strerror, str(path))


def _plain(name: str) -> str:
    if name in ("", ".", "..") or "/" in name or "\0" in name or os.sep in name:
        raise ValueError(f"a plain name of a file was needed, got {name!r:.100}")
    return name
