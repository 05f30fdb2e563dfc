"""The telescoping sum of importance-weighted bounds, cut at random."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from iwax._typing import LogWeights, PerDatum, PRNGKey
from iwax.bounds.bound import Bound

__all__ = ["sumo"]

_SLOW = 80  # P(J >= j) = 1/j up to here, and falls by a tenth from one j to the next beyond
_DECAY = 0.9


def sumo(m: int) -> Bound:
    """``L_m + sum_{j=1..J} (L_{m+j} - L_{m+j-1}) / P(J >= j)``, L_i being iwae of the first i draws.

    J is random, ``P(J >= j) = 1/j`` with a geometric tail beyond 80 (Luo et al. 2020, arXiv:2004.00353), and is cut at
    k - m, the draws there are: the mean is that of ``iwae`` at k, and tends to log p(x) as k grows, with a variance
    that may be large. All k draws are made whatever J is, so a step costs what IWAE's costs. Needs a key; raises
    ValueError where m is below 1 or k not above m.

    >>> log_w = jnp.zeros((8, 3))
    >>> [float(value) for value in sumo(2)(log_w, jax.random.key(0))]
    [0.0, 0.0, 0.0]
    """
    if m < 1:
        raise ValueError(f"sumo needs a start of at least one draw, got m={m}")

    def value(log_w: LogWeights, key: PRNGKey | None) -> PerDatum:
        largest = jnp.max(log_w, axis=0)
        sizes = np.arange(1, log_w.shape[0] + 1).reshape(-1, *[1] * (log_w.ndim - 1))
        means = jax.lax.cumlogsumexp(jnp.asarray(log_w - largest), axis=0) - jnp.log(sizes)  # L_1, ..., L_k
        factors = _coefficients(key, m, log_w)
        return largest + jnp.sum(jnp.where(factors == 0, 0, factors * means), axis=0)

    def derivatives(log_w: LogWeights, key: PRNGKey | None) -> tuple[LogWeights, LogWeights]:
        def add(total: tuple, at: tuple) -> tuple[tuple, None]:
            size, factor, log_sum = at
            number = jnp.arange(log_w.shape[0]).reshape(-1, *[1] * (log_w.ndim - 1))
            share = jnp.where(number < size, jnp.exp(jnp.minimum(log_w - log_sum, 0)), 0)
            return (total[0] + factor * share, total[1] + factor * share * (1 - share)), None

        sums = jax.lax.cumlogsumexp(jnp.asarray(log_w), axis=0)
        zero = (jnp.zeros_like(log_w), jnp.zeros_like(log_w))
        sizes = jnp.arange(1, log_w.shape[0] + 1)
        return jax.lax.scan(add, zero, (sizes, _coefficients(key, m, log_w), sums))[0]

    return Bound(f"sumo({m})", "estimate", value, derivatives, least_k=m + 1, random=lambda k: True)


def _coefficients(key: PRNGKey | None, m: int, log_w: LogWeights) -> Float[Array, "k *batch"]:
    """What multiplies L_1, ..., L_k: the telescoping sum, collected. They add up to 1."""
    if key is None:
        raise ValueError(f"sumo({m}) is cut at random: it needs a key, got None")
    k, batch = log_w.shape[0], log_w.shape[1:]
    j = np.arange(1, k - m + 1)
    survival = np.where(j <= _SLOW, 1 / j, _DECAY ** (j - _SLOW).clip(0) / _SLOW)
    survival = survival.reshape(-1, *[1] * len(batch))
    reached = jax.random.uniform(key, batch, minval=jnp.finfo(float).tiny) <= survival
    factors = jnp.where(reached, 1 / survival, 0).astype(log_w.dtype)  # of L_{m+j} - L_{m+j-1}
    one = jnp.ones((1, *batch), log_w.dtype)
    zeros = jnp.zeros((m - 1, *batch), log_w.dtype)
    nothing = jnp.zeros((1, *batch), log_w.dtype)
    after = jnp.concatenate([factors, nothing])
    return jnp.concatenate([zeros, jnp.concatenate([one, factors]) - after])
