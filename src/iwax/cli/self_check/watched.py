"""Checks of what is done beside computing: programs started, and sockets opened."""

import sys
from pathlib import Path

import jax

from iwax.cli.self_check import audit
from iwax.cli.self_check.check import Finding, NotHere
from iwax.cli.self_check.repetition import trained

__all__ = ["devices", "imports", "programs"]


def programs(folder: Path) -> Finding:
    """S2: a training with checkpoints starts no program and opens no socket."""
    with audit.watched() as events:
        trained(epochs=2, folder=folder / "fit")
    return _none(events, "a training")


def imports(folder: Path) -> Finding:
    """S7: what was seen when the verb imported all of iwax; of JAX, which asks for devices, nothing is said."""
    if not audit.AT_IMPORT:
        raise NotHere("iwax was imported before anybody looked")
    modules = sum(name.partition(".")[0] == "iwax" for name in sys.modules)
    return _none(audit.AT_IMPORT[-1], f"importing {modules} modules")


def _none(events: list[str], where: str) -> Finding:
    named = f": {', '.join(sorted(set(events)))}" if events else ""
    return Finding(not events, f"{len(events)} sockets or programs in {where}{named}")


def devices(folder: Path) -> Finding:
    """P2."""
    raise NotHere(f"a run computes on one device, and here on {jax.devices()[0].device_kind}")
