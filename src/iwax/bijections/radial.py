"""Radial flows."""

from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax._typing import AnyArray, Scalar
from iwax.numerics import above_minus_one

__all__ = ["Radial"]


class Radial(eqx.Module):
    """``y = z + beta (z - c) / (alpha + |z - c|)``, alpha = exp(log_alpha) and beta = alpha m(strength) > -alpha.

    Rezende and Mohamed (2015, arXiv:1505.05770, appendix A.2), with m(0) = 0 (`above_minus_one`): strength 0 is the
    identity. The inverse is the positive root of a quadratic in the radius.

    >>> flow = Radial(centre=jnp.zeros(2), log_alpha=jnp.array(0.0), strength=jnp.array(2.0))
    >>> y, _ = flow.forward(jnp.array([0.3, -0.4]))
    >>> bool(jnp.allclose(flow.inverse(y)[0], jnp.array([0.3, -0.4]), atol=1e-6))
    True
    """

    affine: ClassVar[bool] = False
    closed: ClassVar[bool] = True

    centre: Float[Array, "*layers features"]
    log_alpha: Float[Array, "*layers"]
    strength: Float[Array, "*layers"]

    def forward(self, z: Float[AnyArray, " features"]) -> tuple[Float[Array, " features"], Scalar]:
        """The image of z, and the log-determinant there."""
        alpha, beta = self._alpha_beta()
        offset = jnp.asarray(z) - self.centre
        r = _length(offset)
        return jnp.asarray(z) + beta * offset / (alpha + r), self._log_det(r)

    def inverse(self, y: Float[AnyArray, " features"], near: AnyArray | None = None) -> tuple[Array, Scalar]:
        """The z whose image is y, and the log-determinant there."""
        alpha, beta = self._alpha_beta()
        offset = jnp.asarray(y) - self.centre
        radius = _length(offset)
        half = (radius - alpha - beta) / 2
        root = jnp.sqrt(half**2 + alpha * radius)
        # the positive root of r^2 - 2 half r - alpha radius = 0, without cancellation on either side
        safe = jnp.where(half > 0, 1.0, root - half)
        r = jnp.where(half > 0, half + root, alpha * radius / safe)
        return self.centre + offset / (1 + beta / (alpha + r)), self._log_det(r)

    def _alpha_beta(self) -> tuple[Array, Array]:
        alpha = jnp.exp(jnp.clip(self.log_alpha, -_FARTHEST, _FARTHEST))
        return alpha, alpha * above_minus_one(jnp.asarray(self.strength))

    def _log_det(self, r: Array) -> Scalar:
        alpha, beta = self._alpha_beta()
        across, along = jnp.log1p(beta / (alpha + r)), jnp.log1p(beta * alpha / (alpha + r) ** 2)
        return (self.centre.shape[-1] - 1) * across + along


def _length(v: Array) -> Array:
    return jnp.sqrt(jnp.maximum(v @ v, _LEAST))  # with a gradient, 0, at 0


_LEAST = 1e-30
_FARTHEST = 30.0  # of log alpha from 0: beyond, the map no longer changes in float32, and its square leaves the range
