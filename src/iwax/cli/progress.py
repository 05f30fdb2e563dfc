"""How far a training or an evaluation is: a bar where somebody looks, else a plain line every ten seconds."""

import math
import threading
import time

from rich.progress import BarColumn, Progress, TaskID, TextColumn

from iwax.cli.terminal import Terminal
from iwax.training import Progress as Stage

__all__ = ["Meter", "clock"]

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


class Meter:
    """One bar, or one plain line every ten seconds, on stderr; nothing with --quiet."""

    def __init__(self, terminal: Terminal, label: str) -> None:
        self.terminal = terminal
        self.label = label
        self.spoken: float | None = None
        self.bar: Progress | None = None
        self.task: TaskID | None = None
        self.begun: float | None = None  # when the compilation began, until it is done
        self.slow = False  # it lasted longer than a person's patience
        self.timer: threading.Timer | None = None

    def begin(self) -> None:
        """Nothing is known until the first step is compiled and done; where that takes long, it is said."""
        self.begun = time.monotonic()
        if self.terminal.live:
            self._draw(0, None, "compiling the first step")
            return
        self.timer = threading.Timer(PATIENCE, self.terminal.say, [f"{self.label}: compiling the first step"])
        self.timer.daemon = True
        self.timer.start()

    def _compiled(self) -> None:
        """The first step is done."""
        if self.begun is None:
            return
        took, self.begun = time.monotonic() - self.begun, None
        self._hush()
        self.slow = took >= PATIENCE
        if self.slow and not self.terminal.live:
            self.terminal.say(f"{self.label}: compiled, and the first step done, in {took:.0f} s")

    def _hush(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def training(self, stage: Stage) -> None:
        """Show where training stands."""
        known = not math.isnan(stage.images_per_second)  # not while the first steps hold the compilation
        rate = f"{stage.images_per_second:,.0f} rows/s  {clock(stage.seconds_left)} left" if known else "compiled"
        self._compiled()
        if known and self.slow:
            self.slow = False
            step = stage.seconds_left / max(1, stage.steps * stage.epochs - stage.step)
            epoch = step * stage.steps
            whole = clock(epoch) if epoch >= 60 else f"{epoch:.2g} s"
            self.terminal.say(f"{self.label}: a step takes {step:.2g} s, an epoch {whole}")
        words = f"epoch {stage.epoch + 1}/{stage.epochs}  bound {stage.bound:.2f}  {rate}"
        self.show(stage.step, stage.steps * stage.epochs, words)

    def evaluation(self, done: int, total: int, *, started: float) -> None:
        """Show how many rows of an evaluation are done."""
        self._compiled()
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

    def _draw(self, done: int, total: int | None, words: str) -> None:
        if self.bar is None:
            columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), TextColumn("{task.fields[words]}"))
            self.bar = Progress(*columns, console=self.terminal.console(), transient=True, refresh_per_second=4)
            self.bar.start()
            self.task = self.bar.add_task(self.label, total=total, words=words)
        if self.task is not None:
            self.bar.update(self.task, completed=done, total=total, words=words)

    def close(self) -> None:
        """Take the bar away, so that what follows starts on a clean line."""
        self._hush()
        if self.bar is not None:
            self.bar.stop()
            self.bar = None
