"""Reflections."""

from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax._typing import AnyArray, Scalar

__all__ = ["Householder"]


class Householder(eqx.Module):
    """``y = z - 2 v (v'z) / |v|^2``: the reflection at the plane with normal v; log-determinant 0, its own inverse.

    ``normal`` is v [features], of any length, which a network may give as it is; one of length zero stands for the
    identity. Tomczak and Welling (2016, arXiv:1611.09630).

    >>> y, log_det = Householder(jnp.array([1.0, 0.0])).forward(jnp.array([3.0, 4.0]))
    >>> y.tolist(), float(log_det)
    ([-3.0, 4.0], 0.0)
    """

    affine: ClassVar[bool] = True
    closed: ClassVar[bool] = True

    normal: Float[Array, "*layers features"]

    def forward(self, z: Float[AnyArray, " features"]) -> tuple[Float[Array, " features"], Scalar]:
        """The image of z, and 0."""
        v = jnp.asarray(self.normal)
        v = v / jnp.maximum(jnp.max(jnp.abs(v)), _LEAST)  # any length will do: no square overflows or underflows
        return jnp.asarray(z) - 2 * v * (v @ z) / jnp.maximum(v @ v, _LEAST), jnp.zeros((), v.dtype)

    def inverse(self, y: Float[AnyArray, " features"], near: AnyArray | None = None) -> tuple[Array, Scalar]:
        """The same reflection."""
        return self.forward(y)


_LEAST = 1e-30
