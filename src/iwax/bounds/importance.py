"""Means of logarithms of means: the ELBO, the importance-weighted bound, and what lies between them."""

from dataclasses import replace

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax._typing import LogWeights, PerDatum, PRNGKey
from iwax.bounds.bound import Bound
from iwax.numerics import log_mean_exp

__all__ = ["ciwae", "elbo", "iwae", "miwae"]


def _elbo(log_w: LogWeights, key: PRNGKey | None) -> PerDatum:
    return jnp.mean(log_w, axis=0)


def _elbo_derivatives(log_w: LogWeights, key: PRNGKey | None) -> tuple[LogWeights, LogWeights]:
    return jnp.full_like(log_w, 1 / log_w.shape[0]), jnp.zeros_like(log_w)


def _iwae(log_w: LogWeights, key: PRNGKey | None) -> PerDatum:
    return log_mean_exp(log_w)


def _iwae_derivatives(log_w: LogWeights, key: PRNGKey | None) -> tuple[LogWeights, LogWeights]:
    normalised = jax.nn.softmax(log_w, axis=0)
    return normalised, normalised * (1 - normalised)


def _elbo_weighted(log_w: LogWeights, log_mass: LogWeights) -> PerDatum:
    return jnp.sum(jnp.exp(log_mass) * log_w, axis=0)


def _iwae_weighted(log_w: LogWeights, log_mass: LogWeights) -> PerDatum:
    return jax.nn.logsumexp(log_mass + log_w, axis=0)


elbo = Bound("elbo", "lower", _elbo, _elbo_derivatives, weighted=_elbo_weighted)
"""``(1/k) sum_i log w_i``: the evidence lower bound; estimator A of Kingma and Welling (2014, arXiv:1312.6114)."""

iwae = Bound("iwae", "lower", _iwae, _iwae_derivatives, weighted=_iwae_weighted)
"""``log (1/k) sum_i w_i``: the importance-weighted bound (Burda, Grosse and Salakhutdinov 2016, arXiv:1509.00519)."""


def miwae(m: int) -> Bound:
    """``(1/m) sum_g log (m/k) sum_{i in g} w_i`` over m groups of k/m draws (Rainforth et al. 2018, arXiv:1802.04537).

    m = 1 is `iwae` and m = k is `elbo`. Raises ValueError where m is below 1 or does not divide k.

    >>> float(miwae(2)(jnp.log(jnp.array([1.0, 1.0, 4.0, 4.0]))))  # (log 1 + log 4) / 2
    0.6931
    """
    if m < 1:
        raise ValueError(f"miwae needs at least one group of draws, got m={m}")

    def groups(log_w: LogWeights) -> Float[Array, "k_over_m m *batch"]:
        k = log_w.shape[0]
        if k % m:
            raise ValueError(f"miwae needs k to be a multiple of its m={m} groups, got k={k}")
        return jnp.moveaxis(log_w.reshape(m, k // m, *log_w.shape[1:]), 0, 1)  # [k/m, m, *batch]

    def value(log_w: LogWeights, key: PRNGKey | None) -> PerDatum:
        return jnp.mean(log_mean_exp(groups(log_w)), axis=0)

    def derivatives(log_w: LogWeights, key: PRNGKey | None) -> tuple[LogWeights, LogWeights]:
        within = jax.nn.softmax(groups(log_w), axis=0)
        first = jnp.moveaxis(within, 1, 0).reshape(log_w.shape)
        return first / m, first * (1 - first) / m

    return Bound(f"miwae({m})", "lower", value, derivatives, least_k=m)


def ciwae(beta: float) -> Bound:
    """``beta elbo + (1 - beta) iwae`` (Rainforth et al. 2018, arXiv:1802.04537): 0 is `iwae`, 1 is `elbo`.

    Raises ValueError where beta is not in 0 <= beta <= 1.

    >>> float(ciwae(0.5)(jnp.log(jnp.array([1.0, 3.0]))))  # (log 2 + log(3) / 2) / 2
    0.6212
    """
    if not 0 <= beta <= 1:
        raise ValueError(f"ciwae needs 0 <= beta <= 1 (0 is iwae, 1 is elbo), got beta={beta}")
    if beta in (0, 1):  # no part of the other: 0 times the logarithm of a weight of zero is not 0
        return replace(elbo if beta else iwae, name=f"ciwae({beta:g})")

    def value(log_w: LogWeights, key: PRNGKey | None) -> PerDatum:
        return beta * _elbo(log_w, key) + (1 - beta) * log_mean_exp(log_w)

    def derivatives(log_w: LogWeights, key: PRNGKey | None) -> tuple[LogWeights, LogWeights]:
        first, second = _iwae_derivatives(log_w, key)
        return beta / log_w.shape[0] + (1 - beta) * first, (1 - beta) * second

    def weighted(log_w: LogWeights, log_mass: LogWeights) -> PerDatum:
        return beta * _elbo_weighted(log_w, log_mass) + (1 - beta) * _iwae_weighted(log_w, log_mass)

    return Bound(f"ciwae({beta:g})", "lower", value, derivatives, weighted=weighted)
