"""What a run ran on: versions, source revision, device and command, without anything personal."""

import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import jax.numpy as jnp
from pydantic import BaseModel

from iwax.runs.arithmetic import arithmetic
from iwax.runs.revision import commit
from iwax.runs.run_data import DataRecord

__all__ = ["Environment", "Start", "environment", "versions"]

PACKAGES = ("iwax", "jax", "jaxlib", "numpy", "equinox", "optax", "safetensors", "scikit-learn")


class Start(BaseModel):
    """The checkpoint whose weights a run began with; ``run`` is the folder it lay in."""

    checkpoint: str
    sha256: str
    run: str | None = None


class Environment(BaseModel):
    """env.json: with config.json, all that is needed to do a run again."""

    versions: dict[str, str]
    git: dict[str, Any] | None
    device: dict[str, Any]
    arithmetic: dict[str, str] | None = None  # not of runs made before it was recorded
    platform: dict[str, Any]
    command: list[str]
    data: DataRecord
    start: Start | None


def versions() -> dict[str, str]:
    """Versions of Python, of iwax and of the libraries on which a number depends.

    >>> sorted(versions())[:2]
    ['equinox', 'iwax']
    """
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:  # run from a source tree that was never installed
            found[package] = "unknown"
    return found


def environment(command: list[str] | None = None) -> dict[str, Any]:
    """Versions, the commit of the current folder's repository, device, precision, platform and command.

    The home folder is ~ in it.

    >>> environment(["iwax", "train"])["command"]
    ['iwax', 'train']
    """
    device = jnp.zeros(()).device  # where arrays go under the default that holds now
    return {
        "versions": versions(),
        "git": _revision(),
        "device": {
            "platform": getattr(device, "platform", str(device)),
            "kind": getattr(device, "device_kind", str(device)),
            "cpus": os.cpu_count(),
        },
        "arithmetic": arithmetic(),
        "platform": {"system": platform.system(), "release": platform.release(), "machine": platform.machine()},
        "command": [_anonymous(word) for word in (sys.argv if command is None else command)],
    }


def _revision() -> dict[str, Any] | None:
    found = commit(Path.cwd())
    return None if found is None else {"commit": found}


def _anonymous(word: str) -> str:
    """A word of the command line with the home folder as ~, and the program by its name alone."""
    home = str(Path.home())
    if word == sys.argv[0]:
        return Path(word).name
    return word.replace(home, "~") if len(home) > 1 else word
