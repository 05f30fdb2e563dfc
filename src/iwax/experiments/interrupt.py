"""SIGINT and SIGTERM while a run trains: the first asks for a checkpoint and an end, the second ends at once."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

__all__ = ["Interrupted", "Signals", "watch"]

WATCHED = (signal.SIGINT, signal.SIGTERM)


class Interrupted(Exception):
    """A run stopped by a signal, its checkpoint written. ``signum`` gives the exit code, 128 + signum.

    >>> str(Interrupted(signal.SIGINT, 120, "runs/a"))
    'stopped by SIGINT at step 120; the checkpoint is written, iwax resume runs/a goes on from it'
    """

    def __init__(self, signum: int, step: int, run: str | Path) -> None:
        name = signal.Signals(signum).name
        super().__init__(
            f"stopped by {name} at step {step}; the checkpoint is written, iwax resume {run} goes on from it"
        )
        self.signum = int(signum)
        self.step = step


class Signals:
    """What has arrived so far: called, it gives the signal's number, or None.

    >>> Signals()() is None
    True
    """

    def __init__(self) -> None:
        self._signum: int | None = None

    def __call__(self) -> int | None:
        return self._signum

    def receive(self, signum: int, frame: FrameType | None = None) -> None:
        """Note the first signal and give the next one its ordinary, immediate effect."""
        self._signum = self._signum or signum
        # The default action needs no Python to run, so it works in the middle of a long compiled call.
        for each in WATCHED:
            signal.signal(each, signal.SIG_DFL)


@contextmanager
def watch() -> Iterator[Signals]:
    """Catch SIGINT and SIGTERM inside the block; outside the main thread nothing is caught (Python allows no more)."""
    signals = Signals()
    if threading.current_thread() is not threading.main_thread():
        yield signals
        return
    before = {each: signal.signal(each, signals.receive) for each in WATCHED}
    try:
        yield signals
    finally:
        for each, handler in before.items():
            signal.signal(each, signal.SIG_DFL if handler is None else handler)
