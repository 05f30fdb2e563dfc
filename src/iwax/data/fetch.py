"""Finding a data file: in ``$IWAX_DATA``, then in the cache, then by a checksummed download.

All three have the same layout (``mnist/train-images-idx3-ubyte.gz`` below each). A file is read once, its bytes
are compared with the known SHA-256, and only bytes that agree are ever used or enter the cache.
"""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pooch

from iwax.data.download import download
from iwax.formats.whole import unpack
from iwax.storage import durable

VARIABLE = "IWAX_DATA"


class UnavailableError(RuntimeError):
    """A data file is nowhere to be had; the message says where to put it."""


class ChecksumError(RuntimeError):
    """A stored or downloaded data file is not the published one."""


@dataclass(frozen=True)
class DataFile:
    """One published file: its place, its SHA-256 and its addresses; a hint says how else to get it.

    ``alternatives`` are other forms with the same contents, looked for after this one. A compressed file may instead
    be known by what it holds, if that is one of them, since anyone may have compressed it again. A file without a
    digest is read unchecked, and never downloaded. A download ends at ``size``
    bytes, those of the published file where they are known, and after a time that depends on it (`deadline`).

    >>> DataFile("mnist/x.gz", "00ff").path
    'mnist/x.gz'
    """

    path: str
    sha256: str | None
    urls: tuple[str, ...] = ()
    alternatives: tuple["DataFile", ...] = ()
    hint: str = ""
    size: int = 2**28

    def forms(self) -> tuple["DataFile", ...]:
        """This form, then the alternatives."""
        return (self, *self.alternatives)


def data_folder() -> Path | None:
    """The folder named by ``$IWAX_DATA``, if it is set. Raises FileNotFoundError if it is no folder."""
    named = os.environ.get(VARIABLE)
    if not named:
        return None
    folder = Path(named).expanduser()
    if not folder.is_dir():
        raise FileNotFoundError(f"{VARIABLE} must name a folder of data files; {named!r} is not a folder")
    return folder


def cache_folder() -> Path:
    """The platform's cache folder for iwax, e.g. ``~/.cache/iwax`` on Linux; it may not exist yet."""
    return Path(pooch.os_cache("iwax"))


def find(file: DataFile) -> Path | None:
    """Where a form of the file lies now, in ``$IWAX_DATA`` or the cache; None if nowhere. Contents unread."""
    return next((path for _, path, _ in _found(file)), None)


def read(file: DataFile) -> bytes:
    """The checked contents of a file, downloaded into the cache if it must be.

    Raises UnavailableError where it cannot be had, ChecksumError where it is not the published file.
    """
    spoilt: ChecksumError | None = None
    for form, path, cached in _found(file):
        try:
            return _checked(form, path)
        except ChecksumError as error:
            if not cached:
                raise
            spoilt = error  # a spoilt cache is fetched again
    failures: list[str] = []
    for form in file.forms():
        for url in form.urls if form.sha256 else ():
            try:
                return _download(form, url)
            except (ChecksumError, OSError, ValueError) as error:
                failures.append(f"{url}: {_brief(error)}")
                if isinstance(error, ChecksumError):
                    spoilt = error
    if spoilt is not None:
        raise spoilt
    raise UnavailableError(_unavailable(file, failures))


def _found(file: DataFile) -> Iterator[tuple[DataFile, Path, bool]]:
    """The forms of a file that are here, where each lies, and whether that is the cache."""
    for folder, cached in ((data_folder(), False), (cache_folder(), True)):
        for form in file.forms():
            if folder is not None and (folder / form.path).is_file():
                yield form, folder / form.path, cached


def _checked(form: DataFile, path: Path) -> bytes:
    """The contents of a file that is there. Raises ChecksumError if they are not the published ones."""
    contents = path.read_bytes()
    if not _is_published(form, contents):
        raise ChecksumError(
            f"{path}: {_difference(form, contents)}: this is not the published file; remove it, or put the "
            "published one in its place"
        )
    return contents


def _is_published(form: DataFile, contents: bytes) -> bool:
    published = {each.sha256 for each in form.forms()}
    if form.sha256 is None or hashlib.sha256(contents).hexdigest() in published:
        return True
    try:
        unpacked = unpack(contents, name=form.path)
    except ValueError:  # no whole gzip file: certainly not the published one
        return False
    return hashlib.sha256(unpacked).hexdigest() in published


def _difference(form: DataFile, contents: bytes) -> str:
    got = hashlib.sha256(contents).hexdigest()
    return f"needed SHA-256 {form.sha256}, got {got} ({len(contents)} bytes)"


def _download(form: DataFile, url: str) -> bytes:
    """Fetch, check, then put into place at once: the cache never holds an unchecked file, nor a part of one."""
    target = cache_folder() / form.path
    target.parent.mkdir(parents=True, exist_ok=True)
    contents = download(url, size=form.size)
    if not _is_published(form, contents):
        raise ChecksumError(
            f"{url}: {_difference(form, contents)}: nothing was saved; try again, or put the published file at {target}"
        )
    durable.replace(target, contents)
    return contents


def _brief(error: Exception) -> str:
    kind = type(error).__name__
    if kind in ("ConnectionError", "ConnectTimeout", "ReadTimeout"):  # their texts repeat the address at length
        return f"no connection ({kind})"
    return f"{kind}: {' '.join(str(error).split())[:160]}"


def _unavailable(file: DataFile, failures: list[str]) -> str:
    folder = data_folder()
    where = f"${VARIABLE} ({folder})" if folder else f"${VARIABLE} (not set)"
    checksum = f" (SHA-256 {file.sha256})" if file.sha256 else ""
    tried = f"; downloads failed: {'; '.join(failures)}" if failures else "; it cannot be downloaded from here"
    hint = f"; {file.hint}" if file.hint else ""
    return (
        f"needed the file {file.path}{checksum}; it is neither in {where} nor in the cache "
        f"({cache_folder()}){tried}; put it at {(folder or cache_folder()) / file.path}{hint}"
    )
