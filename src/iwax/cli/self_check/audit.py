"""Programs started and sockets opened, as Python's own audit reports them, and the checks that there are none."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from iwax.cli.later import later
from iwax.cli.self_check.check import Finding, NotHere

with later():
    from iwax.cli.self_check import repetition

__all__ = ["AT_IMPORT", "imports", "programs", "watched"]

PROGRAMS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "pty.spawn")
SOCKETS = ("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname", "urllib.Request")
AT_IMPORT: list[list[str]] = []  # what was seen while iwax was imported; empty where nothing was watched

_watchers: list[list[str]] = []
_hooked: list[bool] = []  # there is one hook, for none can be taken away again


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _watchers and event.startswith((*PROGRAMS, *SOCKETS)):
        _watchers[-1].append(event)


@contextlib.contextmanager
def watched() -> Iterator[list[str]]:
    """The names of the events while this lasts.

    >>> with watched() as events:
    ...     1 + 1
    2
    >>> events
    []
    """
    if not _hooked:
        sys.addaudithook(_hook)
        _hooked.append(True)
    events: list[str] = []
    _watchers.append(events)
    try:
        yield events
    finally:
        _watchers.pop()


def programs(folder: Path) -> Finding:
    """S2: a training with checkpoints starts no program and opens no socket."""
    with watched() as events:
        repetition.trained(epochs=2, folder=folder / "fit")
    return _none(events, "a training")


def imports(folder: Path) -> Finding:
    """S7: what was seen when the verb imported all of iwax; JAX, which asks for devices, is left out."""
    if not AT_IMPORT:
        raise NotHere("iwax was imported before it was watched")
    modules = sum(name.partition(".")[0] == "iwax" for name in sys.modules)
    return _none(AT_IMPORT[-1], f"importing {modules} modules")


def _none(events: list[str], where: str) -> Finding:
    named = f": {', '.join(sorted(set(events)))}" if events else ""
    return Finding(not events, f"{len(events)} sockets or programs in {where}{named}")
