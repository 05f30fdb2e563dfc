"""What a run runs on: device and precision, versions, source revision and command, without anything personal."""

import os
import platform
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
from pydantic import BaseModel

from iwax import parallel
from iwax.bfloat16 import has_tensor_cores
from iwax.runs.revision import commit
from iwax.runs.run_data import DataRecord

__all__ = ["Environment", "Start", "arithmetic", "environment", "in_words", "placed", "versions"]

PACKAGES = ("iwax", "jax", "jaxlib", "numpy", "equinox", "optax", "safetensors", "scikit-learn")

# of jax_default_matmul_precision, as `jax.lax.Precision` says: products of all digits, and TF32 where a GPU has it
_EXACT = ("highest", "float32", "F32_F32_F32")
_TF32 = (None, "default", "high", "tensorfloat32", "TF32_TF32_F32")


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


def environment(command: list[str] | None = None, *, mixed: bool = False) -> dict[str, Any]:
    """Versions, the commit of the current folder's repository, device, precision, platform and command.

    The home folder is ~ in it.

    >>> environment(["iwax", "train"])["command"]
    ['iwax', 'train']
    """
    device = jnp.zeros(()).device  # where arrays go under the default that holds now
    return {
        "versions": versions(),
        "git": None if (revision := commit(Path.cwd())) is None else {"commit": revision},
        "device": {
            "platform": getattr(device, "platform", str(device)),
            "kind": getattr(device, "device_kind", str(device)),
            "cpus": os.cpu_count(),
            **({"count": parallel.count()} if parallel.count() > 1 else {}),
        },
        "arithmetic": arithmetic(mixed=mixed),
        "platform": {"system": platform.system(), "release": platform.release(), "machine": platform.machine()},
        "command": [_anonymous(word) for word in (sys.argv if command is None else command)],
    }


def _anonymous(word: str) -> str:
    """A word of the command line with the home folder as ~, and the program by its name alone."""
    home = str(Path.home())
    if word == sys.argv[0]:
        return Path(word).name
    return word.replace(home, "~") if len(home) > 1 else word


def arithmetic(*, mixed: bool = False) -> dict[str, str]:
    """The type of a number, and of the factors of a product where these are rounded first, as computed now and here.

    In ``mixed`` precision those of the products in training too.

    TF32 keeps 10 bits of a fraction of 23: JAX takes it for products of single precision on GPUs of compute capability
    8 and more unless ``jax_default_matmul_precision`` says "highest".

    >>> arithmetic()
    {'numbers': 'float32', 'products': 'float32'}
    """
    zero = jnp.zeros(())
    found = {"numbers": zero.dtype.name, "products": _products(zero.dtype.name, zero.device)}
    return found | ({"training": "bfloat16"} if mixed else {})


def _products(numbers: str, device: Any) -> str:
    asked = jax.config.jax_default_matmul_precision  # pyright: ignore[reportAttributeAccessIssue]
    if numbers != "float32" or getattr(device, "platform", "cpu") == "cpu" or asked in _EXACT:
        return numbers
    if device.platform in ("gpu", "cuda") and asked in _TF32:
        return "TF32" if has_tensor_cores(device) else numbers
    return f"{device.platform} {asked or 'default'}"  # whatever that is there


def in_words(found: Mapping[str, Any]) -> str:
    """The precision in a few words, that of the training where it was another.

    >>> in_words({"numbers": "float64", "products": "float64"}), in_words({"numbers": "float32", "products": "TF32"})
    ('float64', 'float32 with products in TF32')
    """
    numbers, products = found["numbers"], found.get("training", found["products"])
    return numbers if products == numbers else f"{numbers} with products in {products}"


@contextmanager
def placed(*, device: Literal["cpu", "gpu"] | None, precision: Literal[32, 64]) -> Iterator[None]:
    """Compute on a kind of device (None: what JAX finds) in single or double precision inside the block.

    Raises ValueError where this machine, or this installation of JAX, has no such device.

    >>> with placed(device="cpu", precision=64):
    ...     jax.numpy.zeros(()).dtype
    dtype('float64')
    """
    with ExitStack() as stack:
        if device is not None:
            stack.enter_context(jax.default_device(_device(device)))
        stack.enter_context(jax.enable_x64(precision == 64))
        yield


def _device(kind: str) -> Any:
    try:
        return jax.devices(kind)[0]
    except RuntimeError as error:
        have = ", ".join(sorted({device.platform for device in jax.devices()}))
        raise ValueError(f"device: {kind} was asked for, JAX has {have} here; use --device {have}") from error
