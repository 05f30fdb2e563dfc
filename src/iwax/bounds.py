"""Bounds on log p(x) as functions of log-weights: ``[k, *batch] -> [*batch]``, ascended, nats per datum.

With ``log w_i = log p(x, z_i) - log q(z_i|x)`` and z_i ~ q(z|x). No bound here knows a model.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax._typing import LogWeights, PerDatum
from iwax.numerics import log_mean_exp

__all__ = ["Bound", "elbo", "iwae", "miwae"]


@dataclass(frozen=True)
class Bound:
    """A named function of log-weights, with its first and diagonal second derivative in each of them.

    ``kind`` is "lower" where E bound <= log p(x) for every k, and "estimate" where that is not promised.

    >>> iwae.kind, float(iwae(jnp.log(jnp.array([1.0, 3.0]))))
    ('lower', 0.6931)
    """

    name: str
    kind: Literal["lower", "estimate"]
    value: Callable[[LogWeights], PerDatum] = field(repr=False)
    derivatives: Callable[[LogWeights], tuple[LogWeights, LogWeights]] = field(repr=False)

    def __call__(self, log_w: LogWeights) -> PerDatum:
        """The bound of log-weights ``[k, *batch]``, for every datum."""
        return self.value(log_w)


def _elbo_derivatives(log_w: LogWeights) -> tuple[LogWeights, LogWeights]:
    return jnp.full_like(log_w, 1 / log_w.shape[0]), jnp.zeros_like(log_w)


def _iwae_derivatives(log_w: LogWeights) -> tuple[LogWeights, LogWeights]:
    normalised = jax.nn.softmax(log_w, axis=0)
    return normalised, normalised * (1 - normalised)


elbo = Bound("elbo", "lower", lambda log_w: jnp.mean(log_w, axis=0), _elbo_derivatives)
"""``(1/k) sum_i log w_i``: the evidence lower bound; estimator A of Kingma and Welling (2014, arXiv:1312.6114)."""

iwae = Bound("iwae", "lower", log_mean_exp, _iwae_derivatives)
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

    def value(log_w: LogWeights) -> PerDatum:
        return jnp.mean(log_mean_exp(groups(log_w)), axis=0)

    def derivatives(log_w: LogWeights) -> tuple[LogWeights, LogWeights]:
        within = jax.nn.softmax(groups(log_w), axis=0)
        first = jnp.moveaxis(within, 1, 0).reshape(log_w.shape)
        return first / m, first * (1 - first) / m

    return Bound(f"miwae({m})", "lower", value, derivatives)
