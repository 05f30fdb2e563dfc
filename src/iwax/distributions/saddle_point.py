"""The parts of the saddle-point form of a count's probability, which keeps its digits however large the counts.

``n! = sqrt(2 pi n) (n/e)^n exp(delta(n))`` turns ``log P(x)`` into terms of the size of the answer, where the sum
``x log(rate) - log x! - rate`` loses 0.07 nats at a rate of 10^5 in float32 (Loader 2000, Fast and accurate computation
of binomial probabilities).
"""

import math

import jax.numpy as jnp
from jax.scipy.special import digamma, gammaln
from jaxtyping import Array

__all__ = ["deviance", "digamma_error", "in_powers", "log1p_minus", "stirling_error", "within"]

_LARGE = 10.0  # from here on, asymptotic series
_DELTA = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360)  # of 1/n, 1/n^3, 1/n^5 ...
_PSI = (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760)  # of 1/n, 1/n^3, 1/n^5 ...
_NEAR = 0.1  # up to here, Taylor series
_TERMS = 8  # of them: _NEAR^(2 _TERMS) is below the digits of float64


def within(log_size: Array) -> Array:
    """The logarithm itself, or one far from overflow where its exponential would overflow.

    >>> float(within(jnp.float32(1.0))), bool(jnp.isfinite(jnp.exp(within(jnp.float32(1e4)))))
    (1.0, True)
    """
    return jnp.minimum(log_size, math.log(jnp.finfo(log_size.dtype).max) - 8)


def stirling_error(n: Array, log_n: Array) -> Array:
    """``delta(n) = log n! - (n + 1/2) log n + n - log(2 pi)/2`` for n >= 0, whose logarithm is given too.

    >>> float(stirling_error(jnp.float32(1.0), jnp.float32(0.0)))
    0.0811
    """
    large = n > _LARGE
    below, inverse = jnp.where(large, 1, n), 1 / jnp.where(large, n, _LARGE)
    log_below = jnp.where(large, 0, log_n)
    exact = gammaln(below + 1) - (below + 0.5) * log_below + below - 0.5 * math.log(2 * math.pi)
    return jnp.where(large, in_powers(_DELTA, inverse**2) * inverse, exact)


def digamma_error(n: Array, log_n: Array) -> Array:
    """``n (log n - digamma(n))``: 1 at 0, and 1/2 far out.

    >>> float(digamma_error(jnp.float32(1.0), jnp.float32(0.0)))  # Euler's constant
    0.5772
    """
    large = n > _LARGE
    below, inverse = jnp.where(large, 1, n), 1 / jnp.where(large, n, _LARGE)
    exact = below * (jnp.where(large, 0, log_n) - digamma(below + 1)) + 1
    return jnp.where(large, 0.5 + in_powers(_PSI, inverse**2) * inverse, exact)


def deviance(x: Array, mean: Array, difference: Array, log_ratio: Array) -> Array:
    """``x log(x / mean) + mean - x >= 0``, given also ``x - mean`` and ``log(x / mean)``, each with its own digits.

    >>> float(deviance(*jnp.array([2.0, 1.0, 1.0, jnp.log(2.0)])))  # 2 log 2 - 1
    0.3863
    """
    v = difference / jnp.maximum(x + mean, jnp.finfo(x.dtype).tiny)
    small = jnp.where(jnp.abs(v) < _NEAR, v, 0)
    series = in_powers(tuple(1 / (2 * j + 3) for j in range(_TERMS)), small**2)
    return jnp.where(
        jnp.abs(v) < _NEAR,
        difference * small + 2 * x * small**3 * series,
        jnp.where(x > 0, x * log_ratio, 0) - difference,
    )


def log1p_minus(t: Array, log_of_sum: Array, times: Array, product: Array) -> Array:
    """``times (log(1 + t) - t)``, given also ``log(1 + t)`` and ``times t``, for a t that may overflow.

    >>> float(log1p_minus(*jnp.array([1.0, jnp.log(2.0), 3.0, 3.0])) / 3)
    -0.3069
    """
    near = jnp.abs(t) < _NEAR
    small, middle = jnp.where(near, t, 0), (t > -0.5) & (t < 1)
    w = small / (2 + small)  # log(1 + t) = 2 (w + w^3/3 + ...), and 2 w - t = - t w
    series = in_powers(tuple(1 / (2 * j + 3) for j in range(_TERMS)), w**2)
    far = times * jnp.where(middle, jnp.log1p(jnp.where(middle, t, 0)), log_of_sum) - product
    return jnp.where(near, times * (2 * w**3 * series - small * w), far)


def in_powers(coefficients: tuple[float, ...], x: Array) -> Array:
    """``c_0 + c_1 x + c_2 x^2 + ...``.

    >>> float(in_powers((1.0, 2.0), jnp.float32(3.0)))
    7.0
    """
    total = jnp.zeros_like(x)
    for coefficient in reversed(coefficients):
        total = total * x + coefficient
    return total
