"""Real features with heavy tails."""

import math
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax._typing import AnyArray, PRNGKey
from iwax.distributions.independent import AbstractIndependent
from iwax.distributions.saddle_point import in_powers
from iwax.numerics import reciprocal
from iwax.parts import Trace

__all__ = ["StudentT"]

_HUGE = 1e18  # |r| above which r^2 may overflow
_LARGE = 8  # from here on, the ratio of gamma functions is summed from its asymptotic series
_SERIES = (
    *(-1 / 8, 1 / 192, -1 / 640, 17 / 14336, -31 / 18432, 691 / 180224, -5461 / 425984, 929569 / 15728640),
    -3202291 / 8912896,
)  # of 1/a, 1/a^3, 1/a^5 ...: (4^-n - 1) B_2n / (n (2n - 1)), B the numbers of Bernoulli


class StudentT(AbstractIndependent):
    """``p(x) = prod_j G(df_j) / scale_j (1 + y_j^2 / df_j)^(-(df_j + 1)/2)`` with ``y = (x - loc) / scale``.

    G(df) is ``Gamma((df + 1)/2) / (Gamma(df/2) sqrt(pi df))``. Our own rather than NumPyro's, whose difference of
    logarithms of G is off by 0.02 nats at df = 10^5 in float32.

    >>> p = StudentT(jnp.array([1.0]), jnp.zeros(1), jnp.ones(1))  # a Cauchy variable
    >>> float(p.log_prob(jnp.zeros(1)))  # -log pi
    -1.1447
    """

    reparameterized: ClassVar[bool] = True
    one_per_feature: ClassVar[bool] = True

    df: Float[AnyArray, "*batch features"]
    loc: Float[AnyArray, "*batch features"]
    scale: Float[AnyArray, "*batch features"]

    @property
    def mean(self) -> Array:
        """``loc`` where df > 1; below there is no mean, which gives NaN."""
        return jnp.where(jnp.asarray(self.df) > 1, self.loc, jnp.nan)

    def draw(self, key: PRNGKey) -> tuple[Array, Trace]:
        """``loc + scale sqrt(df (u^(-2/df) - 1)) cos(2 pi v)`` for u, v uniform, differentiable in all three.

        Bailey (1994), Polar generation of random variates with the t-distribution. There is no trace.
        """
        df, loc = jnp.asarray(self.df), jnp.asarray(self.loc)
        keys = jax.random.fold_in(key, 0), jax.random.fold_in(key, 1)
        u = jax.random.uniform(keys[0], df.shape, df.dtype, minval=jnp.finfo(df.dtype).eps / 2)
        angle = 2 * math.pi * jax.random.uniform(keys[1], df.shape, df.dtype)
        radius = jnp.sqrt(df * jnp.expm1(-2 * jnp.log(u) / df))
        return loc + self.scale * radius * jnp.cos(angle), None

    def each(self, value: AnyArray) -> Float[AnyArray, "*batch features"]:
        """``log p(x_j)`` of every feature, nats."""
        df, scale = jnp.asarray(self.df), jnp.asarray(self.scale)
        y = (jnp.asarray(value) - self.loc) * reciprocal(scale)
        tail = 0.5 * (df + 1) * _log_one_plus_square(y * jax.lax.rsqrt(df))
        return _log_gamma_ratio(0.5 * df) - 0.5 * math.log(2 * math.pi) - jnp.log(scale) - tail


def _log_one_plus_square(r: Array) -> Array:
    """``log(1 + r^2)``, where r^2 may overflow: ``2 log(1 + |r|)`` beyond `_HUGE`, where the one is lost in both."""
    size = jnp.abs(r)
    huge = size > _HUGE
    log = jnp.log1p(jnp.where(huge, size, jnp.where(huge, 1, size) ** 2))
    return jnp.where(huge, 2 * log, log)


def _log_gamma_ratio(a: Array) -> Array:
    """``log Gamma(a + 1/2) - log Gamma(a) - log(a) / 2``, which tends to 0.

    Stirling's series from 8 on; from below, ``Gamma(a + 1) = a Gamma(a)`` leads there.
    """
    small = a < _LARGE
    below, inverse = jnp.where(small, a, 1), 1 / jnp.where(small, a + _LARGE, a)
    above, under = jnp.ones_like(a), below + 0.5
    for i in range(1, _LARGE):
        above, under = above * (below + i), under * (below + i + 0.5)
    steps = jnp.log(below * (below + _LARGE) * (above / under) ** 2)  # twice what _LARGE steps of the recurrence add
    return in_powers(_SERIES, inverse**2) * inverse + jnp.where(small, 0.5 * steps, 0)
