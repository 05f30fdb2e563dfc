"""So many rows of a record as a curve needs, however many there are: the rest is passed over, unread."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from iwax.storage import record, strict_json
from iwax.storage.tensors import CorruptCheckpointError

__all__ = ["parse"]

MOST = 20_000
SELDOM = b'"validation"'  # a key that only some rows have: these are thinned by themselves


def parse(data: bytes, *, path: Path, most: int = MOST) -> list[dict[str, Any]]:
    """All rows in the bytes of a record of at most ``most``; of more, evenly spaced ones, the first and the last too.

    Rows with a validation are counted and spaced by themselves, so that their curve keeps its points too. Memory and
    time do not grow with the rows but for passing over them. Raises CorruptCheckpointError as `record.parse`, for a
    row that is read.
    """
    total, seldom = 0, 0
    for _, line in _lines(data):
        total, seldom = total + 1, seldom + (SELDOM in line)
    if total <= most:
        return record.numeric(record.parse(data, path=path), path=path)
    usual, step, other, found = total - seldom, -(-(total - seldom) // most) or 1, -(-seldom // most) or 1, []
    place, rare = 0, 0
    for number, line in _lines(data):
        if SELDOM in line:
            wanted, rare = rare % other == 0 or rare == seldom - 1, rare + 1
        else:
            wanted, place = place % step == 0 or place == usual - 1, place + 1
        if wanted:
            found.append(_row(line, f"{path}:{number}"))
    return found


def _lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Whole lines and their numbers; what follows the last newline is nothing, or torn."""
    yield from ((number, line) for number, line in enumerate(io.BytesIO(data), start=1) if line.endswith(b"\n"))


def _row(line: bytes, where: str) -> dict[str, Any]:
    try:
        row = strict_json.parse(line)
    except ValueError as error:
        raise CorruptCheckpointError(where, None, 'a JSON object with a whole number "step"', str(error)) from error
    record.check_numbers(row, where)
    return row
