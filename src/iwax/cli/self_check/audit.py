"""Programs started and sockets opened, as Python's own audit tells of them; nothing heavy is imported here."""

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

__all__ = ["AT_IMPORT", "watched"]

PROGRAMS = (
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.fork",
    "pty.spawn",
)
SOCKETS = ("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname", "urllib.Request")
AT_IMPORT: list[list[str]] = []  # what was seen while iwax was imported; empty where nobody looked

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
