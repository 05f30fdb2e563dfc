"""Power means of the weights: Rényi's bounds, and the chi upper bound."""

import math
from dataclasses import replace

import jax
import jax.numpy as jnp

from iwax._typing import LogWeights, PerDatum, PRNGKey
from iwax.bounds.bound import Bound
from iwax.bounds.importance import elbo
from iwax.numerics import log_mean_exp

__all__ = ["cubo", "renyi"]


def renyi(alpha: float) -> Bound:
    """``1/(1 - alpha) log (1/k) sum_i w_i^(1 - alpha)`` (Li and Turner 2016, arXiv:1602.02311).

    alpha = 1 is `elbo`, 0 is `iwae`, -inf the largest log-weight (VR-max, which has a kink where two are equal). It
    falls as alpha rises, draw by draw, so it is a lower bound for alpha >= 0 at every k and an estimate below. Raises
    ValueError where alpha is NaN or +inf.

    >>> log_w = jnp.log(jnp.array([1.0, 4.0]))
    >>> [round(float(renyi(alpha)(log_w)), 4) for alpha in (2.0, 0.5, -math.inf)]  # log of 1.6, 2.25, 4
    [0.47, 0.8109, 1.3863]
    """
    if math.isnan(alpha) or alpha == math.inf:
        raise ValueError(f"renyi needs a finite alpha, or -inf for the largest weight, got alpha={alpha}")
    name, kind = f"renyi({alpha:g})", "lower" if alpha >= 0 else "estimate"
    if alpha == 1:
        return replace(elbo, name=name)
    if alpha == -math.inf:
        return Bound(name, kind, _largest, _largest_derivatives, smooth=False, weighted=_largest_weighted)
    return _power_mean(name, kind, 1 - alpha)


def cubo(n: float) -> Bound:
    """``(1/n) log (1/k) sum_i w_i^n``, n > 1 (Dieng et al. 2017, arXiv:1611.00328), which is ``renyi(1 - n)``.

    ``E exp(n cubo)`` is unbiased for ``E w^n >= p(x)^n``: averages on that scale bound log p(x) from above, while the
    logarithm of a finite average is biased low and promises nothing. Raises ValueError where n is not above 1.

    >>> float(cubo(2.0)(jnp.log(jnp.array([1.0, 7.0]))))  # log 5
    1.6094
    """
    if not 1 < n < math.inf:
        raise ValueError(f"cubo needs a finite n above 1 (1 is iwae), got n={n}")
    return _power_mean(f"cubo({n:g})", "estimate", n)


def _power_mean(name: str, kind: str, power: float) -> Bound:
    def value(log_w: LogWeights, key: PRNGKey | None) -> PerDatum:
        return log_mean_exp(power * log_w) / power

    def derivatives(log_w: LogWeights, key: PRNGKey | None) -> tuple[LogWeights, LogWeights]:
        share = jax.nn.softmax(power * log_w, axis=0)
        return share, power * share * (1 - share)

    def weighted(log_w: LogWeights, log_mass: LogWeights) -> PerDatum:
        return jax.nn.logsumexp(log_mass + power * log_w, axis=0) / power

    return Bound(name, "lower" if kind == "lower" else "estimate", value, derivatives, weighted=weighted)


def _largest(log_w: LogWeights, key: PRNGKey | None) -> PerDatum:
    return jnp.max(log_w, axis=0)


def _largest_weighted(log_w: LogWeights, log_mass: LogWeights) -> PerDatum:
    return jnp.max(jnp.where(log_mass == -jnp.inf, -jnp.inf, log_w), axis=0)


def _largest_derivatives(log_w: LogWeights, key: PRNGKey | None) -> tuple[LogWeights, LogWeights]:
    """Equal largest weights share the derivative."""
    largest = (log_w == jnp.max(log_w, axis=0)).astype(log_w.dtype)
    return largest / jnp.sum(largest, axis=0), jnp.zeros_like(log_w)
