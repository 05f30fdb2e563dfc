"""Features between 0 and 1."""

from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax._typing import AnyArray, PRNGKey
from iwax.distributions.independent import AbstractIndependent
from iwax.distributions.saddle_point import in_powers
from iwax.parts import Trace

__all__ = ["ContinuousBernoulli"]

_NEAR = 0.5  # below it, A'(m) is summed from its Taylor series
_LEAST = 1e-20  # stands for 0 in what tends to 0 / 0
_TAYLOR = (1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160, -691 / 1307674368000)  # B_2k / (2k)!


class ContinuousBernoulli(AbstractIndependent):
    """``p(x) = prod_j exp(m_j x_j - A(m_j))`` on [0, 1], ``A(m) = log((exp m - 1) / m)``, for logits m, unclamped.

    The continuous Bernoulli of Loaiza-Ganem and Cunningham (2019, arXiv:1907.06845), whose lambda is ``sigmoid(m)``.

    >>> p = ContinuousBernoulli(jnp.array([0.0, 2.0]))
    >>> p.each(jnp.array([0.3, 1.0]))  # uniform; log(2 / (1 - exp(-2)))
    Array([0.    , 0.8386], dtype=float32)
    """

    reparameterized: ClassVar[bool] = True

    logits: Float[AnyArray, "*batch features"]

    @property
    def mean(self) -> Array:
        """``A'(m) = 1 / (1 - exp(-m)) - 1 / m``."""
        return _mean(jnp.asarray(self.logits))

    def draw(self, key: PRNGKey) -> tuple[Array, Trace]:
        """A value by the inverse of the distribution function, differentiable in the logits; there is no trace."""
        logits = jnp.asarray(self.logits)
        return _quantile(jax.random.uniform(key, logits.shape, logits.dtype), logits), None

    def each(self, value: AnyArray) -> Float[AnyArray, "*batch features"]:
        """``m x - A(m)`` of every feature, nats."""
        logits = jnp.asarray(self.logits)
        return logits * (value - (logits > 0)) - _log_ratio(logits)


@jax.custom_jvp
def _log_ratio(m: Array) -> Array:
    """``A(m) - max(m, 0) = log((1 - exp(-|m|)) / |m|)``, with derivative ``A'(m)`` below 0, ``-A'(-m)`` above."""
    size = jnp.maximum(jnp.abs(m), _LEAST)
    return jnp.log(-jnp.expm1(-size) / size)


@_log_ratio.defjvp
def _log_ratio_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (m,), (dm,) = primals, tangents
    return _log_ratio(m), jnp.where(m > 0, -1, 1) * _mean(-jnp.abs(m)) * dm


def _mean(m: Array) -> Array:
    """``A'(m)``."""
    near = jnp.abs(m) < _NEAR
    small, large = jnp.where(near, m, 0), jnp.where(near, 1, m)
    series = in_powers(_TAYLOR, small**2)
    size = jnp.abs(large)
    rest = jnp.exp(-size) / -jnp.expm1(-size)  # 1 / (1 - exp(-m)) is 1 + rest above 0, -rest below
    return jnp.where(near, 0.5 + small * series, jnp.where(large > 0, 1 + rest, -rest) - 1 / large)


@jax.custom_jvp
def _quantile(u: Array, m: Array) -> Array:
    """``log(1 + u (exp m - 1)) / m``, by the mirror image ``1 - x(1 - u, -m)`` above 0, where exp m may overflow."""
    falling = -jnp.maximum(jnp.abs(m), _LEAST)
    x = jnp.minimum(jnp.log1p(jnp.where(m > 0, 1 - u, u) * jnp.expm1(falling)) / falling, 1)
    return jnp.where(m > 0, 1 - x, x)


@_quantile.defjvp
def _quantile_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    """``dx = (du - dF/dm dm) / p(x)``; near 0, ``-dF/dm / p(x) = x exp(A(-m x)) (A'(m) - x A'(m x))``."""
    (u, m), (du, dm) = primals, tangents
    x = _quantile(u, m)
    near = jnp.abs(m) < _NEAR
    small, large = jnp.where(near, m, 0), jnp.where(near, 1, m)
    slow = x * jnp.exp(_log_ratio(small * x) - jnp.minimum(small * x, 0)) * (_mean(small) - x * _mean(small * x))
    above = 1 - x + (1 - u) * -jnp.exp(-jnp.abs(large) * x)  # of the mirror image, whose u is 1 - u
    below = u * jnp.exp(-jnp.abs(large) * (1 - x)) - x
    fast = jnp.where(large > 0, above, below) / large
    return x, jnp.where(near, slow, fast) * dm + jnp.exp(_log_ratio(m) + m * ((m > 0) - x)) * du
