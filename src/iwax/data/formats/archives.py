"""Zip archives of others: whatever a damaged byte leads to in Python's zipfile is one refusal that names the file."""

import errno
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError, UnicodeError)
OF_CONTENTS = (None, errno.EINVAL)  # errors of bz2's data, and of a seek before the start: the disk has its own numbers


@contextmanager
def opened(source: Path | IO[bytes], *, name: str, needed: str) -> Iterator[zipfile.ZipFile]:
    """A zip archive for reading. ValueError says what was ``needed`` where it, or a member read from it, is damaged.

    >>> import io
    >>> with opened(io.BytesIO(b"PK"), name="a.zip", needed="a whole zip file"):
    ...     pass
    Traceback (most recent call last):
        ...
    ValueError: a.zip: needed a whole zip file; File is not a zip file
    """
    try:
        with _archive(source) as archive:
            yield archive
    except DAMAGE as error:
        raise ValueError(f"{name}: needed {needed}; {_words(error)}") from error
    except OSError as error:
        if error.errno not in OF_CONTENTS:
            raise
        raise ValueError(f"{name}: needed {needed}; {_words(error)}") from error


def is_folder(member: zipfile.ZipInfo) -> bool:
    """Whether a member is a folder; its name may be empty, which zipfile's own question does not expect."""
    return member.filename.endswith("/")


def _archive(source: Path | IO[bytes]) -> zipfile.ZipFile:
    try:
        archive = zipfile.ZipFile(source)
    except ValueError as error:  # of a seek before the start, in memory
        raise zipfile.BadZipFile(str(error)) from error
    if any(member.header_offset < 0 for member in archive.infolist()):
        archive.close()
        raise zipfile.BadZipFile("a member begins before the file does")
    return archive


def _words(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
