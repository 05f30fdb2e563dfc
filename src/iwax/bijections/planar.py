"""Planar flows."""

from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax._typing import AnyArray, Scalar
from iwax.bijections.searched import searched_inverse
from iwax.numerics import above_minus_one, bisect

__all__ = ["Planar"]


class Planar(eqx.Module):
    """``y = z + u^ tanh(w'z + b)``, with u^ = u + (m(w'u) - w'u) w / |w|^2 and m > -1, so that it is invertible.

    Rezende and Mohamed (2015, arXiv:1505.05770, appendix A.1), with m shifted such that m(0) = 0 (`above_minus_one`):
    u = 0 is then the identity, and u^ stays bounded as w goes to 0. ``log|det| = log(1 + (1 - tanh^2) m(w'u))``. The
    inverse is found by bisection along w, and its derivative in closed form.

    >>> flow = Planar(u=jnp.array([1.0, 0.0]), w=jnp.array([-3.0, 0.5]), b=jnp.array(0.1))
    >>> y, log_det = flow.forward(jnp.array([0.3, -0.2]))
    >>> z, _ = flow.inverse(y)
    >>> bool(jnp.allclose(z, jnp.array([0.3, -0.2]), atol=1e-5))
    True
    """

    affine: ClassVar[bool] = False
    closed: ClassVar[bool] = False

    u: Float[Array, "*layers features"]
    w: Float[Array, "*layers features"]
    b: Float[Array, "*layers"]

    def forward(self, z: Float[AnyArray, " features"]) -> tuple[Float[Array, " features"], Scalar]:
        """The image of z, and the log-determinant there."""
        direction, slope = self._direction()
        h = jnp.tanh(self.w @ z + self.b)
        return jnp.asarray(z) + direction * h, jnp.log1p((1 - h**2) * slope)

    def inverse(self, y: Float[AnyArray, " features"], near: AnyArray | None = None) -> tuple[Array, Scalar]:
        """The z whose image is y, and the log-determinant there."""
        return searched_inverse(self, y, near, _solve)

    def _direction(self) -> tuple[Array, Scalar]:
        """u^, and w'u^ > -1."""
        along = self.w @ self.u
        slope = above_minus_one(along)
        return self.u + (slope - along) * self.w / jnp.maximum(self.w @ self.w, _LEAST), slope

    def search(self, y: Array) -> Array:
        """The z whose image is y, without derivatives."""
        direction, slope = self._direction()
        target, reach = self.w @ y, jnp.abs(slope) + 1e-3
        along = bisect(lambda a: a + slope * jnp.tanh(a + self.b) - target, target - reach, target + reach)
        return y - direction * jnp.tanh(along + self.b)


def _solve(given: tuple[Planar, Any], z: Array, v: Array) -> Array:
    """``(I + (1 - tanh^2) u^ w')^-1 v`` (Sherman and Morrison 1950)."""
    flow, _ = given
    direction, slope = flow._direction()
    steep = 1 - jnp.tanh(flow.w @ z + flow.b) ** 2
    return v - direction * (flow.w @ v) * steep / (1 + steep * slope)


_LEAST = 1e-30
