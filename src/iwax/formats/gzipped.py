"""gzip, bounded: a small file that unpacks to a huge one is refused before it fills the memory."""

import gzip
import io
import zlib

MAGIC = b"\x1f\x8b"
PIECE = 2**20  # bytes unpacked at once


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
