"""Inverses that are searched for."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax._typing import AnyArray, Scalar
from iwax.numerics import implicit

__all__ = ["searched_inverse"]


def searched_inverse(
    bijection: Any,
    y: Float[AnyArray, " features"],
    near: AnyArray | None,
    solve: Callable[[Any, Array, Array], Array],
) -> tuple[Float[Array, " features"], Scalar]:
    """The z with ``bijection.forward(z) = y`` and the log-determinant there, with derivatives by the implicit rule.

    z is ``near`` where that is given, else what ``bijection.search(y)`` finds: neither is differentiated.
    ``solve((bijection, y), z, v)`` applies the inverse of the Jacobian at z.
    """
    fixed, target = jax.lax.stop_gradient((bijection, jnp.asarray(y)))
    found = fixed.search(target) if near is None else jax.lax.stop_gradient(near)
    z = implicit(_residual, solve, (bijection, y), found)
    return z, bijection.forward(z)[1]


def _residual(given: tuple[Any, Array], z: Array) -> Array:
    bijection, y = given
    return bijection.forward(z)[0] - y
