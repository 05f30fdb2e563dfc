"""Checks of what is done beside computing: programs started, sockets opened, files written elsewhere."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax

from iwax.cli.self_check.check import Finding, NotHere
from iwax.cli.self_check.repetition import trained

__all__ = ["devices", "imports", "programs", "watched"]

PROGRAMS = (
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.fork",
    "os.forkpty",
    "pty.spawn",
)
SOCKETS = ("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname", "urllib.Request")
_seen: list[str] | None = None  # of the one hook there is, for none can be taken away again; None: nobody is looking


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _seen is not None and event.startswith((*PROGRAMS, *SOCKETS)):
        _seen.append(event)


_HOOKED: list[bool] = []


@contextlib.contextmanager
def watched() -> Iterator[list[str]]:
    """The events of Python's audit of programs and sockets, while this lasts."""
    global _seen
    if not _HOOKED:
        sys.addaudithook(_hook)
        _HOOKED.append(True)
    events: list[str] = []
    _seen = events
    try:
        yield events
    finally:
        _seen = None


def programs(folder: Path) -> Finding:
    """S2: a training with checkpoints starts no program and opens no socket."""
    with watched() as events:
        trained(epochs=2, folder=folder / "fit")
    return Finding(
        not events, f"{len(events)} programs or sockets in a training {', '.join(sorted(set(events)))}".rstrip()
    )


def imports(folder: Path) -> Finding:
    """S7: importing all there is opens no socket and starts no program."""
    with watched() as events:
        pass
    modules = sum(name.partition(".")[0] == "iwax" for name in sys.modules)
    return Finding(
        not events, f"{len(events)} sockets or programs, {modules} modules {', '.join(sorted(set(events)))}".rstrip()
    )


def devices(folder: Path) -> Finding:
    """P2."""
    raise NotHere(f"a run computes on one device, and here on {jax.devices()[0].device_kind}")
