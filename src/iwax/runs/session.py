"""One sitting of a training run: writes rows, saves checkpoints, and handles requests to stop."""

import time
from collections.abc import Callable
from typing import Self

from iwax.runs.reporter import Reporter
from iwax.settings.config import Training
from iwax.storage.record import Record
from iwax.storage.sealed import METRICS, TIMING, Sealed
from iwax.training import NumericalStop, Progress, State
from iwax.training.saved_state import Resumed, save_state

__all__ = ["Session"]


class Session:
    """What `training.train` reports to (an Observer). A context manager: it holds the records open.

    What a checkpoint holds is a function of its step alone: not of the clock, nor of why it was saved. So a run
    that was cut anywhere and resumed ends in the same bytes.
    """

    def __init__(
        self,
        folder: Sealed,
        settings: Training,
        *,
        reporter: Reporter,
        asked: Callable[[], bool],
        begun: Callable[[], None] = lambda: None,
        resumed: Resumed | None = None,
    ) -> None:
        self.folder, self.settings, self.reporter, self.asked = folder, settings, reporter, asked
        self._begun = begun  # called once a step is done, which a signal must not lose
        self.epochs = settings.epochs
        self.stopped = False
        self._sound: int | None = None  # the step of the newest checkpoint, which was read, or saved
        self._validation: tuple[int, float] | None = None  # the last one, with the step at which it was taken
        if resumed is not None:
            self._sound = int(resumed.state.step)
            self._validation = None if resumed.validation is None else (self._sound, resumed.validation)

    def __enter__(self) -> Self:
        self._metrics, self._timing = (Record(self.folder.path / name) for name in (METRICS, TIMING))
        self._saved = self._spoken = time.monotonic()
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        """Close the records; of a training that a number stopped, the last finite state is saved first."""
        if isinstance(error, NumericalStop):
            self.keep(error)
        self._metrics.close()
        self._timing.close()

    def segment(self, state: State, progress: Progress) -> bool:
        """Report, save where it is time, and stop where that was asked for."""
        self._begun()
        now = time.monotonic()
        row = {"step": int(progress.step), "seconds": now - self._spoken}
        self._timing.write({**row, "images_per_second": float(progress.images_per_second)})
        self._spoken = now
        self.reporter.training(progress)
        self.stopped = self.asked()
        if self.stopped or now - self._saved >= self.settings.checkpoint_seconds:
            self.save(state)
        return self.stopped

    def epoch(self, state: State, row: dict[str, int | float]) -> None:
        """Write the epoch's row of metrics.jsonl."""
        if "validation" in row:
            self._validation = (int(row["step"]), float(row["validation"]))
        number = int(row["epoch"])
        if number % self.settings.record == 0 or number == self.epochs or "validation" in row:
            self._metrics.write(row)

    def improved(self, state: State) -> None:
        """Keep the best state there has been."""
        self.save(state)

    def keep(self, stop: NumericalStop) -> None:
        """Save the last finite state of a training that was stopped, and say why, and in whose folder it is."""
        self.folder.log(str(stop))
        stop.run = self.folder.path
        if stop.state is not None:
            self.save(stop.state)

    def save(self, state: State) -> None:
        """Write the checkpoint of this step, unless it is there, and let go of old ones."""
        step = int(state.step)
        # a row that a checkpoint covers must outlive any crash that the checkpoint outlives
        states = {each.path: each.sync() for each in (self._metrics, self._timing)}
        known = self._validation[1] if self._validation is not None and self._validation[0] == step else None
        if step != self._sound:
            save_state(self.folder.path / "checkpoints", state, validation=known, keep=self.settings.keep)
            self._sound = step
        self.folder.seal(states)
        self._saved = time.monotonic()
