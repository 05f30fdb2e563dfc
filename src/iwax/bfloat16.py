"""Whether a device has units for products of bfloat16 factors."""

import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

__all__ = ["has_tensor_cores", "has_units", "no_units"]

_PROCESSORS = Path("/proc/cpuinfo")
_FLAGS = ("amx_bf16", "avx512_bf16")  # of x86: matrix units, and vector units
_TENSOR_CORES = 8.0  # compute capability from which a GPU has them


def has_units(device: Any = None) -> bool:
    """Whether products of bfloat16 factors are faster than of float32 on a device (None: where arrays go now).

    Of a processor it is asked on Linux, which tells what it has; elsewhere the answer is no.

    >>> isinstance(has_units(), bool)
    True
    """
    device = jnp.zeros(()).device if device is None else device
    if device.platform == "cpu":
        return _processor_has_units(_PROCESSORS.read_text()) if sys.platform == "linux" else False
    return has_tensor_cores(device)


def has_tensor_cores(device: Any) -> bool:
    """Whether an accelerator has units for rounded factors: a GPU of compute capability 8 or more, others always."""
    capability = getattr(device, "compute_capability", None)
    return capability is None or float(capability) >= _TENSOR_CORES


def _processor_has_units(described: str) -> bool:
    """Whether a flag of /proc/cpuinfo says so.

    >>> _processor_has_units("flags : fpu avx512_bf16 wbnoinvd"), _processor_has_units("flags : fpu avx2")
    (True, False)
    """
    flags = next((line.split() for line in described.splitlines() if line.startswith("flags")), [])
    return any(flag in flags for flag in _FLAGS)


def no_units() -> str:
    """The sentence that says that this device has none."""
    return f"this device ({jax.devices()[0].device_kind}) has no units for bfloat16: training stays in float32"
