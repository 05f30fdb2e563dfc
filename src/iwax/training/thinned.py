"""So many rows of a record as a curve needs, however many there are: the rest is passed over, unread."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from iwax.training import record, strict_json
from iwax.training.tensors import CorruptCheckpointError

__all__ = ["read"]

MOST = 20_000
SELDOM = b'"validation"'  # a key that only some rows have: these are thinned by themselves


def read(path: Path, *, most: int = MOST) -> list[dict[str, Any]]:
    """All rows of a record of at most ``most``; of a longer one evenly spaced rows, the first and the last among them.

    Rows with a validation are counted and spaced by themselves, so that their curve keeps its points too. Memory and
    time do not grow with the rows but for passing over them. Raises CorruptCheckpointError as `record.read`, for a
    row that is read.
    """
    if not path.exists():
        return []
    total, seldom = 0, 0
    for _, line in _lines(path):
        total, seldom = total + 1, seldom + (SELDOM in line)
    if total <= most:
        return record.read(path)
    usual, step, other, found = total - seldom, -(-(total - seldom) // most) or 1, -(-seldom // most) or 1, []
    place, rare = 0, 0
    for number, line in _lines(path):
        if SELDOM in line:
            wanted, rare = rare % other == 0 or rare == seldom - 1, rare + 1
        else:
            wanted, place = place % step == 0 or place == usual - 1, place + 1
        if wanted:
            found.append(_row(line, f"{path}:{number}"))
    return found


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Whole lines and their numbers; what follows the last newline is nothing, or torn."""
    with path.open("rb") as file:
        yield from ((number, line) for number, line in enumerate(file, start=1) if line.endswith(b"\n"))


def _row(line: bytes, where: str) -> dict[str, Any]:
    try:
        return strict_json.parse(line)
    except ValueError as error:
        raise CorruptCheckpointError(where, None, 'a JSON object with a whole number "step"', str(error)) from error
