"""What a damaged zip file leads to, as one error that says which file."""

import errno
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, struct.error, OverflowError)


@contextmanager
def undamaged(name: str, needed: str) -> Iterator[None]:
    """Turn whatever Python's zipfile makes of damaged bytes into a ValueError with the name and what was needed.

    Errors that say the name already are left, and those of the disk: a directory of the file that points before its
    beginning is EINVAL there, or a ValueError.

    >>> with undamaged("a.zip", "a whole zip file"):
    ...     raise OSError(22, "Invalid argument")
    Traceback (most recent call last):
    ValueError: a.zip: needed a whole zip file; its directory is damaged (Invalid argument)
    """
    try:
        yield
    except _DAMAGED as error:
        raise ValueError(f"{name}: needed {needed}; {' '.join(str(error).split())}") from error
    except OSError as error:
        if error.errno != errno.EINVAL or error.filename is not None:
            raise
        raise ValueError(f"{name}: needed {needed}; its directory is damaged ({error.strerror})") from error
    except ValueError as error:
        if str(error).startswith(name):
            raise
        raise ValueError(f"{name}: needed {needed}; its directory is damaged ({error})") from error
