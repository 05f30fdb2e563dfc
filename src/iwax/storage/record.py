r"""What a run writes down row by row: `metrics.jsonl`, which knows no clock, and `timing.jsonl`, which does.

One JSON object per line, floats exactly (by `repr`), NaN and infinities as null, each with its "step".
"""

import hashlib
import io
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

from iwax.storage import durable, strict_json
from iwax.storage.enclosed import Enclosed
from iwax.storage.tensors import CorruptCheckpointError

LARGEST = 1 << 30  # bytes of a record
NUMBERS = ("epoch", "bound", "validation", "learning_rate", "beta", "seconds", "images_per_second")  # besides the step
MOST = 20_000  # rows of a curve
SELDOM = b'"validation"'  # a key that only some rows have: these are thinned by themselves


class State(NamedTuple):
    """What a file is, or the first bytes of a record are."""

    bytes: int
    sha256: str


class Record:
    """An append-only `.jsonl` file. `sync()` before a checkpoint is saved, so that no row it covers can be lost.

    >>> import tempfile; runs = tempfile.TemporaryDirectory(); path = Path(runs.name) / "metrics.jsonl"
    >>> with Record(path) as record:
    ...     record.write({"step": 100, "bound": -101.25})
    ...     record.sync().bytes
    32
    >>> read(path)
    [{'step': 100, 'bound': -101.25}]
    >>> runs.cleanup()
    """

    def __init__(self, path: Path) -> None:
        """Open for appending; a last line that a crash cut off is dropped first."""
        self.path = path
        folder = Enclosed(path.parent)
        self._file = folder.append(path.name)
        self._file.seek(0)
        data = self._file.read()
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) < len(data):
            self._file.truncate(len(whole))
        self._bytes, self._digest = len(whole), hashlib.sha256(whole)
        folder.sync()

    def write(self, row: Mapping[str, object]) -> None:
        """Append one row of plain scalars; it must have a whole number "step". OSError(ENOSPC) on a full disk."""
        _step_of(row)
        data = strict_json.line(row)
        with durable.disk_full(self.path, len(data)):
            try:
                written = self._file.write(data)
                while written < len(data):
                    written += self._file.write(data[written:])
            except OSError:
                self._file.truncate(self._bytes)  # no half row
                raise
        self._bytes += len(data)
        self._digest.update(data)

    def sync(self) -> State:
        """Have every row on the disk before going on (fsync); returns the state of all rows so far."""
        with durable.disk_full(self.path, 0):
            os.fsync(self._file.fileno())
        return State(self._bytes, self._digest.hexdigest())

    def close(self) -> None:
        """Sync and close; closing twice does nothing."""
        if not self._file.closed:
            self.sync()
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def read(path: Path) -> list[dict[str, Any]]:
    """The rows of a record, without a last line cut off by a crash; no file, no rows.

    Raises CorruptCheckpointError naming file and line for a line that is no JSON object with a whole number "step".
    """
    return parse(_bytes(path), path=path)


def parse(data: bytes, *, path: Path) -> list[dict[str, Any]]:
    """The rows in the bytes of a record; raises as `read`."""
    return [row for row, _ in _rows(data, path)]


def truncate(path: Path, step: int) -> int:
    """Drop the rows after `step` and a torn last line, all at once; returns the number of whole rows dropped.

    The record must be closed. The rows that stay keep their bytes; where none is dropped nothing is written.
    """
    data = _bytes(path)
    rest = until(data, step, path=path)
    if len(rest) < len(data):
        Enclosed(path.parent).replace(path.name, rest)
    return data.count(b"\n") - rest.count(b"\n")


def until(data: bytes, step: int, *, path: Path) -> bytes:
    """The bytes of a record without the rows after `step` and without a torn last line; raises as `read`.

    >>> until(b'{"step": 1}\\n{"step": 2}\\n{"st', 1, path=Path("metrics.jsonl"))
    b'{"step": 1}\\n'
    """
    return b"".join(line for row, line in _rows(data, path) if row["step"] <= step)


def thinned(data: bytes, *, path: Path, most: int = MOST) -> list[dict[str, Any]]:
    """All rows in the bytes of a record of at most ``most``; of more, evenly spaced ones, the first and the last too.

    Rows with a validation are counted and spaced by themselves, so that their curve keeps its points too. Memory and
    time do not grow with the rows but for passing over them. Raises CorruptCheckpointError as `numeric`, for a row that
    is read.
    """
    counts = [0, 0]
    for _, line in _lines(data):
        counts[SELDOM in line] += 1
    if sum(counts) <= most:
        return numeric(data, path=path)
    steps, places, found = [-(-count // most) or 1 for count in counts], [0, 0], []
    for number, line in _lines(data):
        kind = SELDOM in line
        place, places[kind] = places[kind], places[kind] + 1
        if place % steps[kind] == 0 or place == counts[kind] - 1:
            found.append(_checked(_row(line, f"{path}:{number}"), f"{path}:{number}"))
    return found


def numeric(data: bytes, *, path: Path) -> list[dict[str, Any]]:
    """As `parse`, of a training. CorruptCheckpointError where under the name of a number stands another value.

    >>> numeric(b'{"step": 1, "bound": "x"}\\n', path=Path("metrics.jsonl"))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    iwax.storage.tensors.CorruptCheckpointError: metrics.jsonl:1: needed a number or null under 'bound', got 'x'; ...
    """
    return [_checked(row, f"{path}:{number}") for number, row in enumerate(parse(data, path=path), start=1)]


def _checked(row: dict[str, Any], where: str) -> dict[str, Any]:
    """A row of a training; CorruptCheckpointError where it holds anything but a number, or null, under its names."""
    for name in NUMBERS:
        if type(row.get(name)) not in (int, float, type(None)):
            raise CorruptCheckpointError(where, None, f"a number or null under {name!r}", f"{row[name]!r:.60}")
    return row


def _bytes(path: Path) -> bytes:
    try:
        return Enclosed(path.parent).read(path.name, limit=LARGEST)
    except FileNotFoundError:
        return b""


def _lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Whole lines and their numbers; what follows the last newline is nothing, or torn."""
    yield from ((number, line) for number, line in enumerate(io.BytesIO(data), start=1) if line.endswith(b"\n"))


def _rows(data: bytes, path: Path) -> list[tuple[dict[str, Any], bytes]]:
    return [(_row(line, f"{path}:{number}"), line) for number, line in _lines(data)]


def _row(line: bytes, where: str) -> dict[str, Any]:
    try:
        row = strict_json.parse(line)
        _step_of(row)
    except ValueError as error:
        raise CorruptCheckpointError(where, None, 'a JSON object with a whole number "step"', str(error)) from error
    return row


def _step_of(row: Mapping[str, object]) -> None:
    step = row.get("step")
    if type(step) is not int or step < 0:
        raise ValueError(f'"step" must be a whole number from 0, got {step!r}')
