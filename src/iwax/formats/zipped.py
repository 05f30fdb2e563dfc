"""What a damaged zip file leads to, as one error that says which file."""

import errno
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

_DAMAGED = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError, struct.error)
_DAMAGED = (*_DAMAGED, OverflowError)
_SHOWN = 120  # letters of a member's name, in a message


@contextmanager
def whole(name: str, needed: str) -> Iterator[None]:
    """Turn whatever Python's zipfile makes of damaged bytes into a ValueError with the name and what was needed.

    Errors that say the name already are left, and those of the disk: a directory of the file that points before its
    beginning is EINVAL there, or a ValueError.

    >>> with whole("a.zip", "a whole zip file"):
    ...     raise OSError(22, "Invalid argument")
    Traceback (most recent call last):
    ValueError: a.zip: needed a whole zip file; its directory is damaged (Invalid argument)
    """
    try:
        yield
    except _DAMAGED as error:
        raise ValueError(f"{name}: needed {needed}; {' '.join(str(error).split())}") from error
    except OSError as error:
        if error.errno not in (None, errno.EINVAL) or error.filename is not None:  # None: damaged contents, of bz2
            raise
        raise ValueError(f"{name}: needed {needed}; its directory is damaged ({error.strerror or error})") from error
    except ValueError as error:
        if str(error).startswith(name):
            raise
        raise ValueError(f"{name}: needed {needed}; its directory is damaged ({error})") from error


def is_folder(member: zipfile.ZipInfo) -> bool:
    """Whether a member is a folder. Its name may be empty, which zipfile's own question does not expect."""
    return member.filename.endswith("/")


def shown(name: object) -> str:
    r"""The name of a member as a message shows it: one line, nothing that a terminal obeys, not too long.

    >>> shown("a\n\x1b[2J.png"), shown("größe.png")
    ('a\\n\\x1b[2J.png', 'größe.png')
    """
    text = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in str(name)[: _SHOWN + 1])
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
