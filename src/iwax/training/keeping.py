"""The history and best model of a `fit`, in memory and, in a folder, all that it resumes from.

fit.json  history.jsonl  step-<n>/ (checkpoints)
"""

import hashlib
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import jax
import numpy as np

from iwax.storage import checkpoint, lock, record, strict_json, tensors
from iwax.storage.enclosed import Enclosed
from iwax.storage.record import Record
from iwax.training.loop import Progress
from iwax.training.saved_state import load_state, save_state
from iwax.training.state import State
from iwax.writable import OF_FIT

__all__ = ["Keeper", "digest"]

CHECKPOINT_SECONDS = 60.0  # between checkpoints; there is one at each improvement, and at the end
_FORMAT = "iwax fit 1"


def digest(rows: Any) -> str | None:
    """The SHA-256 of the types, shapes and values of an array, or of all arrays of a tree; None of none.

    >>> digest(np.zeros(2)) == digest(np.zeros(2)), digest(np.zeros(2)) == digest(np.zeros((2, 1))), digest(None)
    (True, False, None)
    """
    if rows is None:
        return None
    found = hashlib.sha256()
    for path, leaf in jax.tree.leaves_with_path(rows):
        found.update(f"{jax.tree_util.keystr(path)}{leaf.dtype.name} {leaf.shape}".encode())
        found.update(np.ascontiguousarray(leaf).data)
    return found.hexdigest()


class Keeper:
    """An Observer that stores the history and the best model; in a ``folder`` also checkpoints. A context manager.

    ``about`` tells fits apart: a folder serves one alone; ``last`` is the step at which training is to end. What a
    checkpoint holds is a function of its step, so that a fit that was killed and taken up again ends in the same bits.
    """

    def __init__(self, start: State, *, folder: Path | None, about: Mapping[str, str | int | None], last: int) -> None:
        self.history: list[dict[str, Any]] = []
        self.best: Any = None
        self.start, self.about, self.last = start, about, last
        self.folder = folder.resolve() if folder is not None and folder.is_symlink() else folder
        self._validation: tuple[int, float] | None = None  # the last one, with its step
        self._record: Record | None = None
        self._held = ExitStack()

    def _open(self, folder: Path) -> Record:
        """Take up what the folder holds, or begin in it. ValueError where it is not a folder of this fit."""
        weights = hashlib.sha256(tensors.encode(self.start.model)).hexdigest()
        _claim(folder, {"format": _FORMAT, "model": weights, **self.about})
        checkpoint.sweep(folder)
        file = folder / "history.jsonl"
        found = load_state(folder, self.start)
        if found is not None:
            self.start = found.state
            step, best = int(self.start.step), int(self.start.best_step)
            if step > self.last:
                raise ValueError(f"checkpoint={folder}: is at step {step} already, got epochs that end at {self.last}")
            if found.validation is not None:
                self._validation = (step, found.validation)
            if best:
                self.best = checkpoint.load(folder / f"step-{best}", model=self.start.model, train=None)[0]
        record.truncate(file, int(self.start.step))
        self.history = record.read(file)
        return Record(file)

    def __enter__(self) -> Self:
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            with self._held:
                self._held.enter_context(lock.held(self.folder / ".lock"))
                self._record = self._open(self.folder)
                self._held = self._held.pop_all()  # still held, unless opening failed
        self._latest, self._saved = self.start, time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Save the last state, at the end and where somebody interrupts."""
        with self._held:
            if self._record is not None:
                if kind is None or issubclass(kind, KeyboardInterrupt):
                    self._save(self._latest)
                self._record.close()

    def segment(self, state: State, progress: Progress) -> bool:
        """Save where it is time; never stop."""
        self._latest = state
        if time.monotonic() - self._saved >= CHECKPOINT_SECONDS:
            self._save(state)
        return False

    def epoch(self, state: State, row: dict[str, int | float]) -> None:
        """Store the row."""
        self.history.append(row)
        if "validation" in row:
            self._validation = (int(row["step"]), float(row["validation"]))
        if self._record is not None:
            self._record.write(row)

    def improved(self, state: State) -> None:
        """Store the best state so far."""
        self.best = state.model
        self._save(state)

    def _save(self, state: State) -> None:
        if self.folder is None or self._record is None:
            return
        self._record.sync()  # a row that a checkpoint covers must outlive any crash that the checkpoint outlives
        known = self._validation
        save_state(self.folder, state, validation=known[1] if known and known[0] == int(state.step) else None)
        self._saved = time.monotonic()


def _claim(folder: Path, about: dict[str, Any]) -> None:
    """Write what the fit is of into a new folder; refuse a folder of another fit, or of something else."""
    files = Enclosed(folder)
    if files.kind(OF_FIT) is None:
        if any(name[0] != "." for name in files.names()):
            raise ValueError(f"checkpoint={folder}: needed a new folder, or that of an earlier fit; got another")
        files.replace(OF_FIT, strict_json.canonical(about))
        return
    before = strict_json.parse(files.read(OF_FIT))
    others = [name for name in about if before.get(name) != about[name]]
    if others:
        raise ValueError(
            f"checkpoint={folder} belongs to a fit with another {' and '.join(others)}: a fit goes on only with what "
            "it began with; use another folder, or remove this one to start again"
        )
