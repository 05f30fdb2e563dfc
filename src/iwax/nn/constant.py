"""Numbers that a network reads and no optimiser sees."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, UInt

from iwax._typing import AnyArray

__all__ = ["Constant"]


class Constant(eqx.Module):
    """An array of floating numbers, held as its bits: it has no gradient, no moments of Adam, and does not decay.

    >>> Constant(jnp.array([0.5, -1.0])).value.tolist()
    [0.5, -1.0]
    """

    bits: UInt[Array, "..."]

    def __init__(self, value: AnyArray) -> None:
        value = jnp.asarray(value)
        value = value if jnp.issubdtype(value.dtype, jnp.floating) else value.astype(float)
        self.bits = jax.lax.bitcast_convert_type(value, f"uint{8 * value.dtype.itemsize}")

    @property
    def value(self) -> Array:
        """The array."""
        return jax.lax.bitcast_convert_type(self.bits, f"float{8 * self.bits.dtype.itemsize}")
