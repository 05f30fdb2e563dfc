"""A whole file as bytes, plain or gzip-compressed, within what it may claim; damage as an error that names the file."""

import errno
import gzip
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from iwax.memory_limit import MemoryLimitError, allow

BLOCK = 512  # bytes, the unit of st_blocks
MAGIC = b"\x1f\x8b"  # of gzip
PIECE = 2**20  # bytes unpacked at once
_DAMAGED = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, struct.error, OverflowError)
_SHOWN = 120  # letters of a member's name, in a message


def read_whole(path: Path) -> bytes:
    """All bytes of a file. Raises MemoryLimitError where it claims far more than it takes on its disk."""
    allow(path.stat().st_size, f"{path}: it", held=held(path))
    return path.read_bytes()


def held(path: Path) -> int:
    """How many bytes a file takes on its disk, at most those that it claims; those, where the system does not say."""
    found = path.stat()
    return min(found.st_size, getattr(found, "st_blocks", found.st_size) * BLOCK)


def unpack(contents: bytes, *, name: str, limit: int = 2**28) -> bytes:
    """The contents, unpacked if they are gzip-compressed; plain contents are returned as they are.

    Raises ValueError if the file is damaged or unpacks to more than ``limit`` bytes.

    >>> unpack(gzip.compress(b"grey"), name="a.gz")
    b'grey'
    """
    if not contents.startswith(MAGIC):
        return contents
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(contents)) as stream:
            unpacked = bytearray()  # grown in place: a refusal costs what was unpacked, once
            while len(unpacked) <= limit and (piece := stream.read(PIECE)):
                unpacked += piece
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{name}: needed a whole gzip file; {error}; fetch it again") from error
    if len(unpacked) > limit:
        raise ValueError(f"{name}: needed at most {limit} bytes after unpacking; got more")
    return bytes(unpacked)


@contextmanager
def naming(name: str, needed: str, *damage: type[Exception]) -> Iterator[None]:
    """Turn whatever a library makes of damaged bytes into a ValueError with the name and what was needed.

    >>> with naming("a.mat", "a MATLAB 5 file", KeyError):
    ...     raise KeyError(7)
    Traceback (most recent call last):
    ValueError: a.mat: needed a MATLAB 5 file; 7
    """
    try:
        yield
    except MemoryLimitError:
        raise
    except damage as error:
        raise ValueError(f"{name}: needed {needed}; {' '.join(str(error).split())}") from error


@contextmanager
def whole_zip(name: str, needed: str) -> Iterator[None]:
    """As `naming`, for whatever Python's zipfile makes of damaged bytes.

    Errors that say the name already are left, and those of the disk: a directory of the file that points before its
    beginning is EINVAL there, or a ValueError.

    >>> with whole_zip("a.zip", "a whole zip file"):
    ...     raise OSError(22, "Invalid argument")
    Traceback (most recent call last):
    ValueError: a.zip: needed a whole zip file; its directory is damaged (Invalid argument)
    """
    try:
        with naming(name, needed, *_DAMAGED):
            yield
    except OSError as error:
        if error.errno not in (None, errno.EINVAL) or error.filename is not None:  # None: damaged contents, of bz2
            raise
        raise ValueError(f"{name}: needed {needed}; its directory is damaged ({error.strerror or error})") from error
    except ValueError as error:
        if str(error).startswith(name):
            raise
        raise ValueError(f"{name}: needed {needed}; its directory is damaged ({error})") from error


def shown(name: object) -> str:
    r"""The name of a member as a message shows it: one line, nothing that a terminal obeys, not too long.

    >>> shown("a\n\x1b[2J.png"), shown("größe.png")
    ('a\\n\\x1b[2J.png', 'größe.png')
    """
    text = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in str(name)[: _SHOWN + 1])
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
