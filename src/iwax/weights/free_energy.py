"""Bayes by Backprop: what a minibatch costs under a distribution of the weights."""

from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from iwax import streams
from iwax._typing import PRNGKey, Scalar
from iwax.weights.posterior import drawn_with_divergence, kl
from iwax.weights.prior import Normal, Prior

__all__ = ["free_energy", "shares"]

LogLikelihood = Callable[[Any, PRNGKey], Scalar]


def shares(batches: int, kind: Literal["equal", "decaying"]) -> Float[np.ndarray, " batches"]:
    """The share of the divergence that each of M minibatches pays: ``1/M``, or ``2^(M-i) / (2^M - 1)`` for i = 1..M.

    Blundell et al. (2015, arXiv:1505.05424), section 3.4; the second as ``2^-i / (1 - 2^-M)``, which does not overflow.
    Raises ValueError where M is below 1.

    >>> shares(2, "decaying").round(4).tolist(), float(shares(5000, "decaying")[0])
    ([0.6667, 0.3333], 0.5)
    """
    if batches < 1:
        raise ValueError(f"the number of minibatches must be at least 1, got {batches}")
    if kind == "equal":
        return np.full(batches, 1 / batches)
    return np.exp2(-np.arange(1.0, batches + 1)) / -np.expm1(-batches * np.log(2))


def free_energy(
    network: Any,
    log_likelihood: LogLikelihood,
    prior: Prior,
    *,
    share: float | Array,
    samples: int,
    local: bool,
    key: PRNGKey,
) -> Scalar:
    """``share KL(q(w) || P(w)) - E_q(w) log p(D_i|w)``, nats, the expectations over ``samples`` draws of w.

    ``log_likelihood(network, key)`` is that of the minibatch D_i. Each draw of w is in all terms (Blundell et al. 2015,
    eq. 2), or with ``local`` the likelihood is of activations drawn per row (`StochasticLinear`), with less variance,
    and the divergence of a draw of its own, or in closed form where the prior has one. Minus the sum over all
    minibatches, with shares of sum one, is a lower bound on log p(D). Raises ValueError if samples is below 1.
    """
    if samples < 1:
        raise ValueError(f"the number of draws of weights must be at least 1, got {samples}")

    def one(key: PRNGKey) -> Scalar:
        fixed, divergence = drawn_with_divergence(network, prior, key)
        if local and isinstance(prior, Normal):
            divergence = kl(network, prior)
        of_data = jax.random.fold_in(key, streams.Weights.LIKELIHOOD)
        return share * divergence - log_likelihood(network if local else fixed, of_data)

    return jnp.mean(jax.vmap(one)(jax.random.split(key, samples)))
