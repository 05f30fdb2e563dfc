"""SIGINT and SIGTERM while a run trains: the first asks for a checkpoint and an end, the second ends at once.

Python hears a signal only between its own instructions, and compiling the first step may take minutes without one. So
a thread reads signals from a pipe as they arrive; while nothing is there to be saved, it obeys SIGTERM itself.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

__all__ = ["Interrupted", "Signals", "watch"]

WATCHED = (signal.SIGINT, signal.SIGTERM)
_GRACE = 1.0  # seconds in which Python would have heard a signal, were it not in a compiled call
_DONE = b"\0"


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

    def __init__(self, end: Callable[[int], None] | None = None) -> None:
        self._signum: int | None = None
        self._end = end  # the process, while nothing is there to be saved
        self._heard, self._begun = threading.Event(), threading.Event()

    def __call__(self) -> int | None:
        return self._signum

    def receive(self, signum: int, frame: FrameType | None = None) -> None:
        """Note the first signal and give the next one its ordinary, immediate effect; obey SIGTERM before `begun`."""
        self._signum = self._signum or signum
        self._heard.set()
        if signum == signal.SIGTERM and self._end is not None and not self._begun.is_set():
            self._end(signum)
        # The default action needs no Python to run, so it works in the middle of a long compiled call.
        for each in WATCHED:
            signal.signal(each, signal.SIG_DFL)

    def begun(self) -> None:
        """From now on there is something to be saved: every signal waits until Python hears it."""
        self._begun.set()

    def read(self, pipe: int, end: Callable[[int], None]) -> None:
        """Call ``end`` for a SIGTERM on the pipe that Python does not hear, unless training has `begun`."""
        while (byte := os.read(pipe, 1)) not in (b"", _DONE):
            unheard = byte[0] == signal.SIGTERM and not self._heard.wait(_GRACE)
            if unheard and not self._begun.is_set():
                end(byte[0])


@contextmanager
def watch(end: Callable[[int], None] | None = None) -> Iterator[Signals]:
    """Catch SIGINT and SIGTERM inside the block; outside the main thread nothing is caught (Python allows no more).

    ``end`` is called for a SIGTERM that arrives before the training has `begun`, from another thread where the main one
    is inside a compiled call; it should end the process.
    """
    signals = Signals(end)
    if threading.current_thread() is not threading.main_thread():
        yield signals
        return
    before = {each: signal.signal(each, signals.receive) for each in WATCHED}
    try:
        with _heard_at_once(signals, end):
            yield signals
    finally:
        for each, handler in before.items():
            signal.signal(each, signal.SIG_DFL if handler is None else handler)


@contextmanager
def _heard_at_once(signals: Signals, end: Callable[[int], None] | None) -> Iterator[None]:
    """Signals go to a pipe, and a thread reads them; not where somebody else reads them so already."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    if end is None or before != -1:
        signal.set_wakeup_fd(before)
        os.close(reader)
        os.close(writer)
        yield
        return
    thread = threading.Thread(target=signals.read, args=(reader, end), daemon=True)
    thread.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        os.write(writer, _DONE)
        thread.join()
        os.close(reader)
        os.close(writer)
