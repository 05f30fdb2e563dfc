"""How much memory one file, or one model, may ask for before anything of it is made."""

import math
import os
import re

__all__ = ["VARIABLE", "MemoryLimitError", "allow", "in_words", "limit"]

VARIABLE = "IWAX_MEMORY_LIMIT"
LEAST = 1_000_000_000  # bytes that any file may decode to
TIMES = 16  # a larger file may decode to this many times its own size
MOST = 16_000_000_000  # for what no file holds, such as the numbers of a model
UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
UNITS |= {"kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}


class MemoryLimitError(ValueError):
    """A file, or a model, asks for more memory than is allowed; nothing was allocated."""


def allow(needed: int, what: str, *, held: int | None = None) -> None:
    """Refuse what would need more memory than is allowed, before it is made.

    ``needed`` is in bytes: what headers, shapes or settings declare, summed. ``held`` is the size of the file that
    declares it, if a file does. Raises MemoryLimitError saying ``what`` needs how much, the limit, and how to raise it.

    >>> allow(6_700_000_000, "pictures.zip: its 400 pictures", held=97_000)
    Traceback (most recent call last):
        ...
    iwax.memory_limit.MemoryLimitError: pictures.zip: its 400 pictures would take 6.7 GB of memory, more than the 1 GB
    allowed for a file of 97 kB; where you trust it, and the memory is there, allow more by IWAX_MEMORY_LIMIT=7GB
    """
    allowed = limit(held)
    if needed > allowed:
        of_file = "" if held is None or os.environ.get(VARIABLE) else f" for a file of {in_words(held)}"
        raise MemoryLimitError(
            f"{what} would take {in_words(needed)} of memory, more than the {in_words(allowed)} allowed{of_file}; "
            f"where you trust it, and the memory is there, allow more by {VARIABLE}={_enough(needed)}"
        )


def limit(held: int | None = None) -> int:
    """The bytes allowed: those of ``$IWAX_MEMORY_LIMIT`` (16GB, 500 MB, 2GiB, or a number of bytes), if it is set.

    Otherwise, for a file of ``held`` bytes, 1 GB, or 16 times its own size where that is more: a file that holds its
    numbers is never refused, a small one that declares many always is. For what no file holds, half of this machine's
    memory, at most 16 GB. Raises ValueError for a variable that is no size.

    >>> limit(97_000), limit(500_000_000)
    (1000000000, 8000000000)
    """
    said = os.environ.get(VARIABLE)
    if said:
        return _parsed(said)
    if held is not None:
        return max(LEAST, TIMES * held)
    return min(_memory() // 2, MOST)


def in_words(size: int) -> str:
    """A number of bytes in three digits and a unit of powers of 1,000.

    >>> in_words(97_123), in_words(6_700_000_000), in_words(345_600), in_words(5)
    ('97.1 kB', '6.7 GB', '346 kB', '5 bytes')
    """
    for power, unit in ((4, "TB"), (3, "GB"), (2, "MB"), (1, "kB")):
        if size >= 1000**power:
            scaled = size / 1000**power
            return f"{scaled:.3g} {unit}" if scaled < 100 else f"{scaled:,.0f} {unit}"
    return f"{size} bytes"


def _enough(needed: int) -> str:
    """A size to set the variable to, rounded up."""
    unit, name = (10**9, "GB") if needed >= 10**9 else (10**6, "MB")
    return f"{-(-needed // unit)}{name}"


def _parsed(said: str) -> int:
    match = re.fullmatch(r"(\d{1,15}(?:\.\d{1,15})?) ?([kmgt]?i?b?)", said.strip().lower(), re.ASCII)
    factor = UNITS.get(match[2]) if match else None
    if match is None or factor is None:
        raise ValueError(f"{VARIABLE} must be a size such as 16GB, 500MB or 2GiB; got {said!r}")
    return math.floor(float(match[1]) * factor)


def _memory() -> int:
    """The memory of this machine in bytes, where the system says so."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # Windows has no sysconf
        return 2 * MOST
