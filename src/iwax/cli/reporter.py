"""What a run tells the terminal while it trains and is measured."""

import time
from typing import Self

from iwax.cli.progress import Meter
from iwax.cli.terminal import Terminal
from iwax.experiments.reporter import Work
from iwax.training import Progress

__all__ = ["Reporter"]


class Reporter:
    """Notes and bars on stderr: the `Reporter` that `experiments` speaks to. As a context manager it leaves no bar."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self.trains = Meter(terminal, "training")
        self.evaluates = Meter(terminal, "evaluating")
        self.started: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def note(self, text: str) -> None:
        """A line of information."""
        self.close()
        self.terminal.say(text)

    def warning(self, text: str) -> None:
        """A line that matters even with --quiet."""
        self.close()
        self.terminal.warn(text)

    def begun(self, work: Work) -> None:
        """A work has begun, and is compiled first."""
        (self.trains if work == "training" else self.evaluates).begin()

    def training(self, progress: Progress) -> None:
        """Where training stands."""
        self.trains.training(progress)
        if progress.step >= progress.steps * progress.epochs:
            self.trains.close()

    def evaluation(self, done: int, total: int) -> None:
        """How many rows have been measured."""
        self.trains.close()
        self.started = time.monotonic() if self.started is None else self.started
        self.evaluates.evaluation(done, total, started=self.started)
        if done >= total:
            self.close()
            self.started = None

    def close(self) -> None:
        """Take the bars away."""
        self.trains.close()
        self.evaluates.close()
