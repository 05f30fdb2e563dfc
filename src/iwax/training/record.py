r"""What a run writes down row by row: `metrics.jsonl`, which knows no clock, and `timing.jsonl`, which does.

One JSON object a line, floats exactly (by `repr`), NaN and infinities as null, each with its "step". A checkpoint keeps
the mark that `Record.sync` returns; `rewind` takes the file back to that mark, or says that it was changed.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from iwax.training import durable, strict_json
from iwax.training.tensors import CorruptCheckpointError

COURSE = ("epoch", "bound", "validation", "learning_rate", "beta")  # numbers of a training, beside the step


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
        whole = _drop_torn_line(path)
        self._bytes, self._digest = len(whole), hashlib.sha256(whole)
        # Unbuffered: one row is one write, there for whoever follows the file.
        self._file = open(path, "ab", buffering=0)  # noqa: SIM115 (closed by close)
        durable.sync_folder(path.parent)

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
    return [row for row, _ in _rows(path)]


def rewind(path: Path, mark: str) -> int:
    """Take a closed record back to the `mark` that `Record.sync` returned; returns the number of whole rows dropped.

    Raises CorruptCheckpointError where the bytes before the mark are not those it was made of.
    """
    size, _, needed = mark.partition(":")
    if not (size.isascii() and size.isdigit() and len(size) < 20):
        raise ValueError(f"a mark is 'bytes:SHA-256', got {mark!r:.100}")
    data = path.read_bytes() if path.exists() else b""
    kept, dropped = data[: int(size)], data[int(size) :]
    if len(kept) < int(size):
        raise CorruptCheckpointError(path, None, f"at least {size} bytes", f"{len(kept)} bytes")
    got = hashlib.sha256(kept).hexdigest()
    if got != needed:
        raise CorruptCheckpointError(path, None, f"SHA-256 {needed[:64]} of the first {size} bytes", got)
    if dropped:
        durable.replace(path, kept)
    return dropped.count(b"\n")


def truncate(path: Path, step: int) -> int:
    """Drop the rows after `step` and a torn last line, all at once; returns the number of whole rows dropped.

    For a record without marks, closed. The rows kept keep their bytes; where none is dropped nothing is written.
    """
    rows = list(_rows(path))
    kept = [line for row, line in rows if row["step"] <= step]
    if path.exists() and path.stat().st_size != sum(map(len, kept)):
        durable.replace(path, b"".join(kept))
    return len(rows) - len(kept)


def course(path: Path) -> list[dict[str, Any]]:
    """The rows of a metrics.jsonl, as `read`, with numbers where a training writes numbers; raises as `numeric`."""
    return numeric(read(path), COURSE, path=path)


def numeric(rows: list[dict[str, Any]], names: Sequence[str], *, path: Path) -> list[dict[str, Any]]:
    """The rows of a record. CorruptCheckpointError naming file and line for what is no number, or null, under a name.

    >>> numeric([{"step": 1, "bound": "x"}], ["bound"], path=Path("metrics.jsonl"))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    iwax.training.tensors.CorruptCheckpointError: metrics.jsonl:1: needed a number or null under 'bound', got 'x'; ...
    """
    for number, row in enumerate(rows, start=1):
        for name in names:
            if type(row.get(name)) not in (int, float, type(None)):
                needed = f"a number or null under {name!r}"
                raise CorruptCheckpointError(f"{path}:{number}", None, needed, f"{row[name]!r:.60}")
    return rows


def _rows(path: Path) -> list[tuple[dict[str, Any], bytes]]:
    if not path.exists():
        return []
    rows = []
    # What follows the last newline is nothing, or torn.
    for number, line in enumerate(path.read_bytes().split(b"\n")[:-1], start=1):
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


def _drop_torn_line(path: Path) -> bytes:
    if not path.exists():
        return b""
    with open(path, "r+b") as file:
        data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) < len(data):
            file.truncate(len(whole))
    return whole
