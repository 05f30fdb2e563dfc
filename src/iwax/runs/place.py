"""Where and in what precision a run computes."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Literal

import jax

__all__ = ["placed"]


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
            stack.enter_context(jax.default_device(_first(device)))
        stack.enter_context(jax.enable_x64(precision == 64))
        yield


def _first(kind: str) -> Any:
    try:
        return jax.devices(kind)[0]
    except RuntimeError as error:
        have = ", ".join(sorted({device.platform for device in jax.devices()}))
        raise ValueError(f"device: {kind} was asked for, JAX has {have} here; use --device {have}") from error
