"""What a run reports while it trains and is measured: a bar on a terminal, else plain lines."""

import math
import threading
import time
from typing import Self

from rich.progress import BarColumn, Progress, TaskID, TextColumn

from iwax.cli.terminal import Terminal
from iwax.runs.reporter import Work
from iwax.training import Progress as Stage

__all__ = ["Reporter", "clock"]

PLAIN_SECONDS = 10.0
PATIENCE = 3.0  # seconds of silence after which a person asks what is going on


def clock(seconds: float) -> str:
    """Minutes and seconds, or hours, as people read them.

    >>> clock(62.3), clock(3725), clock(9.2)
    ('1:02', '1:02:05', '0:09')
    """
    if not 0 <= seconds < 1e9:
        return "-:--"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


class _Meter:
    """One bar, or one plain line every ten seconds, on stderr; nothing with --quiet."""

    def __init__(self, terminal: Terminal, label: str) -> None:
        self.terminal, self.label = terminal, label
        self.begun: float | None = None  # when the compilation began, until it is done
        self.spoken: float | None = None
        self.timer: threading.Timer | None = None
        self.bar: Progress | None = None
        self.task = TaskID(0)

    def begin(self) -> None:
        """Nothing is known until the first step is compiled and done; where that takes long, a line says so."""
        self.begun = time.monotonic()
        if self.terminal.live:
            self._draw(0, None, "compiling the first step")
            return
        self.timer = threading.Timer(PATIENCE, self.terminal.say, [f"{self.label}: compiling the first step"])
        self.timer.daemon = True
        self.timer.start()

    def compiled(self) -> bool:
        """Hear that the first step is done: whether it lasted longer than a person's patience."""
        if self.begun is None:
            return False
        took, self.begun = time.monotonic() - self.begun, None
        self._hush()
        if took >= PATIENCE and not self.terminal.live:
            self.terminal.say(f"{self.label}: compiled, and the first step done, in {took:.0f} s")
        return took >= PATIENCE

    def show(self, done: int, total: int, words: str) -> None:
        """Show a stage of a work as a text, and as a part of the whole."""
        if self.terminal.live:
            self._draw(done, total, words)
            return
        now = time.monotonic()
        self.spoken = now if self.spoken is None else self.spoken  # the clock starts after the compilation
        if done >= total or now - self.spoken >= PLAIN_SECONDS:
            self.spoken = now
            self.terminal.say(f"{self.label}: {words}")

    def close(self) -> None:
        """Take the bar away, so that what follows starts on a clean line."""
        self._hush()
        if self.bar is not None:
            self.bar.stop()
            self.bar = None

    def _hush(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def _draw(self, done: int, total: int | None, words: str) -> None:
        if self.bar is None:
            columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), TextColumn("{task.fields[words]}"))
            self.bar = Progress(*columns, console=self.terminal.console(), transient=True, refresh_per_second=4)
            self.bar.start()
            self.task = self.bar.add_task(self.label, total=total, words=words)
        self.bar.update(self.task, completed=done, total=total, words=words)


class Reporter:
    """Notes and bars on stderr: the `Reporter` that `iwax.runs` speaks to. As a context manager it leaves no bar."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self._trains, self._evaluates = _Meter(terminal, "training"), _Meter(terminal, "evaluating")
        self._slow = False  # the compilation lasted long, and how long a step takes has not been shown yet
        self._started: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._close()

    def note(self, text: str) -> None:
        """A line of information."""
        self._close()
        self.terminal.say(text)

    def warning(self, text: str) -> None:
        """A line that matters even with --quiet."""
        self._close()
        self.terminal.warn(text)

    def begun(self, work: Work) -> None:
        """A work has begun, and is compiled first."""
        (self._trains if work == "training" else self._evaluates).begin()

    def training(self, progress: Stage) -> None:
        """Where training stands."""
        self._slow |= self._trains.compiled()
        done, total = progress.step, progress.steps * progress.epochs
        rate = "compiled"
        if not math.isnan(progress.images_per_second):  # not while the first steps hold the compilation
            rate = f"{progress.images_per_second:,.0f} rows/s  {clock(progress.seconds_left)} left"
            if self._slow:
                step = progress.seconds_left / max(1, total - done)
                epoch = step * progress.steps
                whole = clock(epoch) if epoch >= 60 else f"{epoch:.2g} s"
                self.terminal.say(f"training: a step takes {step:.2g} s, an epoch {whole}")
                self._slow = False
        words = f"epoch {progress.epoch + 1}/{progress.epochs}  bound {progress.bound:.2f}  {rate}"
        self._trains.show(done, total, words)
        if done >= total:
            self._trains.close()

    def evaluation(self, done: int, total: int) -> None:
        """How many rows have been measured."""
        self._trains.close()
        self._started = time.monotonic() if self._started is None else self._started
        self._evaluates.compiled()
        left = (time.monotonic() - self._started) * (total - done) / max(done, 1)
        self._evaluates.show(done, total, f"{done:,}/{total:,} rows  {clock(left)} left")
        if done >= total:
            self._close()
            self._started = None

    def _close(self) -> None:
        self._trains.close()
        self._evaluates.close()
