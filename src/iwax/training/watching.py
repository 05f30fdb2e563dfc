"""Observers of `fit` and functions of an epoch's row, called one after the other; and a line of progress."""

import math
import sys
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self, TextIO, TypeAlias

from iwax.training.loop import Observer, Progress, as_observer
from iwax.training.state import State

__all__ = ["Callback", "ProgressLine", "Watchers"]

Row: TypeAlias = dict[str, int | float]
Callback: TypeAlias = Observer | Callable[[Row], bool | None]
_PLAIN_SECONDS = 10.0  # between the lines of a stream that nobody watches
_OVER = "\r\x1b[K"  # back to the start of the line, which is wiped


class Watchers:
    """Several observers as one. A function of a row is called at the end of an epoch, and ends training by True.

    Raises TypeError for what is neither an `Observer` nor a function.

    >>> Watchers([print]).functions == [print]
    True
    """

    def __init__(self, watchers: Sequence[Callback]) -> None:
        watchers = [as_observer(each) for each in watchers]
        self.observers = [each for each in watchers if isinstance(each, Observer)]
        self.functions = [each for each in watchers if not isinstance(each, Observer)]
        for each in self.functions:
            if not callable(each) or hasattr(each, "epoch"):
                raise TypeError(
                    "a callback needs to be a function of a row, or to have the methods segment, epoch and improved of "
                    f"training.Observer; got {type(each).__name__}"
                )
        self._ended = False

    def segment(self, state: State, progress: Progress) -> bool:
        """Tell all of them; True where one of them wants to stop."""
        return any([self._ended, *(each.segment(state, progress) for each in self.observers)])

    def epoch(self, state: State, row: Row) -> None:
        """Give the row of an epoch to all of them, to functions as a copy of their own."""
        for observer in self.observers:
            observer.epoch(state, row)
        self._ended = any([self._ended, *(function(dict(row)) is True for function in self.functions)])

    def improved(self, state: State) -> None:
        """Tell all observers of the new best state."""
        for observer in self.observers:
            observer.improved(state)


class ProgressLine:
    """How far training is, on one line that is written over; on a stream that is no terminal, a line in ten seconds.

    A context manager, which ends the line. Without a stream nothing is written.

    >>> with ProgressLine(sys.stdout) as line:
    ...     line.segment(None, Progress(200, 1, 100, 2, -93.2, 5000.0, 0.0))
    epoch 2/2  bound -93.20  5,000 rows/s  0:00 left
    False
    """

    def __init__(self, stream: TextIO | None) -> None:
        self.stream, self.live = stream, stream is not None and stream.isatty()
        self._written, self._open = time.monotonic(), False

    @classmethod
    def asked(cls, asked: bool | None) -> Self:
        """The line on stderr where it is asked for or, with None, where that is a terminal."""
        shown = sys.stderr.isatty() if asked is None else asked
        return cls(sys.stderr if shown else None)

    def __enter__(self) -> Self:
        if self.live:
            self._write("compiling", end="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the line."""
        if self._open and self.stream is not None:
            self.stream.write("\n")

    def segment(self, state: State | None, progress: Progress) -> bool:
        """Write where training stands; never stop it."""
        last, now = progress.step >= progress.steps * progress.epochs, time.monotonic()
        if self.live or last or now - self._written >= _PLAIN_SECONDS:
            self._written = now
            self._write(_line(progress), end="" if self.live else "\n")
        return False

    def epoch(self, state: State, row: Row) -> None:
        """Nothing: the line stands already."""

    def improved(self, state: State) -> None:
        """Nothing."""

    def _write(self, words: str, *, end: str) -> None:
        if self.stream is not None:
            self.stream.write(f"{_OVER if self.live else ''}{words}{end}")
            self.stream.flush()
            self._open = not end


def _line(progress: Progress) -> str:
    words = f"epoch {progress.epoch + 1}/{progress.epochs}  bound {progress.bound:.2f}"
    if math.isnan(progress.images_per_second):  # the first steps hold the compilation
        return f"{words}  compiled"
    left = int(progress.seconds_left)
    return f"{words}  {progress.images_per_second:,.0f} rows/s  {left // 60}:{left % 60:02d} left"
