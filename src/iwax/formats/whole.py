"""A whole file as bytes, if it takes what it claims: a sparse one may claim more than any disk has."""

from pathlib import Path

from iwax.memory_limit import allow

BLOCK = 512  # bytes, the unit of st_blocks


def read_whole(path: Path) -> bytes:
    """All bytes of a file. Raises MemoryLimitError where it claims far more than it takes on its disk."""
    found = path.stat()
    allow(found.st_size, f"{path}: it", held=held(path))
    return path.read_bytes()


def held(path: Path) -> int:
    """How many bytes a file takes on its disk, at most those that it claims; those, where the system does not say."""
    found = path.stat()
    return min(found.st_size, getattr(found, "st_blocks", found.st_size) * BLOCK)
