"""In what precision numbers are computed: of their type, and of the products on a GPU, which may keep fewer digits."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

__all__ = ["arithmetic", "in_words"]

# of jax_default_matmul_precision, as `jax.lax.Precision` tells: products of all digits, and TF32 where a GPU has it
_EXACT = ("highest", "float32", "F32_F32_F32")
_TF32 = (None, "default", "high", "tensorfloat32", "TF32_TF32_F32")
_TENSOR_CORES = 8.0  # compute capability from which a GPU has TF32


def arithmetic() -> dict[str, str]:
    """The type of a number, and of the factors of a product where these are rounded first, as computed now and here.

    TF32 keeps 10 bits of a fraction of 23: JAX takes it for products of single precision on GPUs of compute capability
    8 and more unless ``jax_default_matmul_precision`` says "highest".

    >>> arithmetic()
    {'numbers': 'float32', 'products': 'float32'}
    """
    zero = jnp.zeros(())
    return {"numbers": zero.dtype.name, "products": _products(zero.dtype.name, zero.device)}


def _products(numbers: str, device: Any) -> str:
    asked = jax.config.jax_default_matmul_precision  # pyright: ignore[reportAttributeAccessIssue]
    if numbers != "float32" or getattr(device, "platform", "cpu") == "cpu" or asked in _EXACT:
        return numbers
    if device.platform in ("gpu", "cuda") and asked in _TF32:
        capability = getattr(device, "compute_capability", None)
        return "TF32" if capability is None or float(capability) >= _TENSOR_CORES else numbers
    return f"{device.platform} {asked or 'default'}"  # whatever that is there


def in_words(found: Mapping[str, Any]) -> str:
    """The precision in a few words.

    >>> in_words({"numbers": "float64", "products": "float64"}), in_words({"numbers": "float32", "products": "TF32"})
    ('float64', 'float32 with products in TF32')
    """
    numbers, products = found["numbers"], found["products"]
    return numbers if products == numbers else f"{numbers} with products in {products}"
