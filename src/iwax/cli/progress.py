"""How far a training or an evaluation is: a bar where somebody looks, else a plain line every ten seconds."""

import math
import time
from typing import Protocol

from rich.progress import BarColumn, Progress, TaskID, TextColumn

from iwax.cli.terminal import Terminal

__all__ = ["Meter", "clock"]

PLAIN_SECONDS = 10.0


class Stage(Protocol):
    """What `training` tells after every stretch: steps are counted from the start, ``steps`` are those of an epoch."""

    @property
    def step(self) -> int: ...
    @property
    def epoch(self) -> int: ...
    @property
    def steps(self) -> int: ...
    @property
    def epochs(self) -> int: ...
    @property
    def bound(self) -> float: ...
    @property
    def images_per_second(self) -> float: ...
    @property
    def seconds_left(self) -> float: ...


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


class Meter:
    """One bar, or one plain line every ten seconds, on stderr; nothing with --quiet."""

    def __init__(self, terminal: Terminal, label: str) -> None:
        self.terminal = terminal
        self.label = label
        self.spoken: float | None = None
        self.bar: Progress | None = None
        self.task: TaskID | None = None

    def training(self, stage: Stage) -> None:
        """Show where training stands."""
        known = not math.isnan(stage.images_per_second)  # not while the first steps hold the compilation
        rate = f"{stage.images_per_second:,.0f} rows/s  {clock(stage.seconds_left)} left" if known else "compiled"
        words = f"epoch {stage.epoch + 1}/{stage.epochs}  bound {stage.bound:.2f}  {rate}"
        self.show(stage.step, stage.steps * stage.epochs, words)

    def evaluation(self, done: int, total: int, *, started: float) -> None:
        """Show how many rows of an evaluation are done."""
        left = (time.monotonic() - started) * (total - done) / max(done, 1)
        self.show(done, total, f"{done:,}/{total:,} rows  {clock(left)} left")

    def show(self, done: int, total: int, words: str) -> None:
        """Show a stage of a work in words, and as a part of the whole."""
        if self.terminal.live:
            self._draw(done, total, words)
            return
        now = time.monotonic()
        self.spoken = now if self.spoken is None else self.spoken  # the clock starts after the compilation
        if done >= total or now - self.spoken >= PLAIN_SECONDS:
            self.spoken = now
            self.terminal.say(f"{self.label}: {words}")

    def _draw(self, done: int, total: int, words: str) -> None:
        if self.bar is None:
            columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), TextColumn("{task.fields[words]}"))
            self.bar = Progress(*columns, console=self.terminal.console(), transient=True, refresh_per_second=4)
            self.bar.start()
            self.task = self.bar.add_task(self.label, total=total, words=words)
        if self.task is not None:
            self.bar.update(self.task, completed=done, total=total, words=words)

    def close(self) -> None:
        """Take the bar away, so that what follows starts on a clean line."""
        if self.bar is not None:
            self.bar.stop()
            self.bar = None
