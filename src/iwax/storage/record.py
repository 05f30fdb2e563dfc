r"""What a run writes down row by row: `metrics.jsonl`, which knows no clock, and `timing.jsonl`, which does.

One JSON object a line, floats exactly (by `repr`), NaN and infinities as null, each with its "step". A checkpoint keeps
the mark that `Record.sync` returns; `rewind` takes the file back to that mark, or says that it was changed.
"""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from iwax.storage import durable, strict_json
from iwax.storage.enclosed import Enclosed
from iwax.storage.tensors import CorruptCheckpointError

LARGEST = 1 << 30  # bytes of a record
NUMBERS = ("epoch", "bound", "validation", "learning_rate", "beta", "seconds", "images_per_second")  # beside the step


class Record:
    """An append-only `.jsonl` file. `sync()` before a checkpoint is saved, so that no row it covers can be lost.

    >>> import tempfile; runs = tempfile.TemporaryDirectory(); path = Path(runs.name) / "metrics.jsonl"
    >>> with Record(path) as record:
    ...     record.write({"step": 100, "bound": -101.25})
    ...     mark = record.sync()
    ...     record.write({"step": 200, "bound": -95.5})
    >>> rewind(path, mark), read(path)
    (1, [{'step': 100, 'bound': -101.25}])
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

    def sync(self) -> str:
        """Have every row on the disk before going on (fsync); returns the mark "bytes:SHA-256" of all rows so far."""
        with durable.disk_full(self.path, 0):
            os.fsync(self._file.fileno())
        return f"{self._bytes}:{self._digest.hexdigest()}"

    def close(self) -> None:
        """Sync and close; closing twice does nothing."""
        if not self._file.closed:
            self.sync()
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read(path: Path) -> list[dict[str, Any]]:
    """The rows of a record, without a last line cut off by a crash; no file, no rows.

    Raises CorruptCheckpointError naming file and line for a line that is no JSON object with a whole number "step".
    """
    return parse(_bytes(path), path=path)


def parse(data: bytes, *, path: Path) -> list[dict[str, Any]]:
    """The rows in the bytes of a record; raises as `read`."""
    return [row for row, _ in _rows(data, path)]


def rewind(path: Path, mark: str) -> int:
    """Take a closed record back to the `mark` that `Record.sync` returned; returns the number of whole rows dropped.

    Raises CorruptCheckpointError where the bytes before the mark are not those it was made of.
    """
    size, _, needed = mark.partition(":")
    if not (size.isascii() and size.isdigit() and len(size) < 20):
        raise ValueError(f"a mark is 'bytes:SHA-256', got {mark!r:.100}")
    data = _bytes(path)
    kept, dropped = data[: int(size)], data[int(size) :]
    if len(kept) < int(size):
        raise CorruptCheckpointError(path, None, f"at least {size} bytes", f"{len(kept)} bytes")
    got = hashlib.sha256(kept).hexdigest()
    if got != needed:
        raise CorruptCheckpointError(path, None, f"SHA-256 {needed[:64]} of the first {size} bytes", got)
    if dropped:
        Enclosed(path.parent).replace(path.name, kept)
    return dropped.count(b"\n")


def truncate(path: Path, step: int) -> int:
    """Drop the rows after `step` and a torn last line, all at once; returns the number of whole rows dropped.

    For a record without marks, closed. The rows kept keep their bytes; where none is dropped nothing is written.
    """
    data = _bytes(path)
    kept = until(data, step, path=path)
    if len(kept) < len(data):
        Enclosed(path.parent).replace(path.name, kept)
    return data.count(b"\n") - kept.count(b"\n")


def until(data: bytes, step: int, *, path: Path) -> bytes:
    """The bytes of a record without the rows after `step` and without a torn last line; raises as `read`.

    >>> until(b'{"step": 1}\\n{"step": 2}\\n{"st', 1, path=Path("metrics.jsonl"))
    b'{"step": 1}\\n'
    """
    return b"".join(line for row, line in _rows(data, path) if row["step"] <= step)


def numeric(rows: list[dict[str, Any]], *, path: Path) -> list[dict[str, Any]]:
    """The rows of a training. CorruptCheckpointError naming file and line where it writes numbers, and there is none.

    >>> numeric([{"step": 1, "bound": "x"}], path=Path("metrics.jsonl"))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    iwax.storage.tensors.CorruptCheckpointError: metrics.jsonl:1: needed a number or null under 'bound', got 'x'; ...
    """
    for number, row in enumerate(rows, start=1):
        check_numbers(row, f"{path}:{number}")
    return rows


def check_numbers(row: Mapping[str, Any], where: str) -> None:
    """CorruptCheckpointError where a row of a training holds anything but a number, or null, under its names."""
    for name in NUMBERS:
        if type(row.get(name)) not in (int, float, type(None)):
            raise CorruptCheckpointError(where, None, f"a number or null under {name!r}", f"{row[name]!r:.60}")


def _bytes(path: Path) -> bytes:
    try:
        return Enclosed(path.parent).read(path.name, limit=LARGEST)
    except FileNotFoundError:
        return b""


def _rows(data: bytes, path: Path) -> list[tuple[dict[str, Any], bytes]]:
    rows = []
    # What follows the last newline is nothing, or torn.
    for number, line in enumerate(data.split(b"\n")[:-1], start=1):
        try:
            row = strict_json.parse(line)
            _step_of(row)
        except ValueError as error:
            needed = 'a JSON object with a whole number "step"'
            raise CorruptCheckpointError(f"{path}:{number}", None, needed, str(error)) from error
        rows.append((row, line + b"\n"))
    return rows


def _step_of(row: Mapping[str, object]) -> None:
    step = row.get("step")
    if type(step) is not int or step < 0:
        raise ValueError(f'"step" must be a whole number from 0, got {step!r}')
