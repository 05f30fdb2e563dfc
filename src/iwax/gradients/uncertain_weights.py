"""Objectives that pay for what the random weights of a model say: a bound on log p(D), or a penalty."""

from typing import Any

import jax

from iwax import weights
from iwax._typing import PRNGKey
from iwax.gradients.objective import Surrogate
from iwax.gradients.wrapped import Objective, known_as, penalised
from iwax.model import LatentVariableModel
from iwax.parts import Datum

__all__ = ["bayesian", "with_weight_kl"]

_OF_THE_WEIGHTS = 2**32 - 4  # a row that no data has: key of the one draw of weights for all of them


def bayesian(objective: Objective, *, prior: weights.Prior, rows: int, scale: float = 1.0) -> Objective:
    """``E_q(w) [bound(x; w)] - scale KL(q(w) || P(w)) / rows``, w drawn once for all data of the step and all samples.

    Summed over the ``rows`` of the data and at scale 1 a lower bound of log p(D), the weights a latent of all of D
    (Blundell et al. 2015, arXiv:1505.05424; of a VAE's weights, Kingma and Welling 2014, arXiv:1312.6114, appendix F).
    The KL is in closed form where the prior has one (`weights.Normal`), and estimated at the draw otherwise. If every
    sample has weights of its own the noise is a part of the model instead: see `with_weight_kl`. ``objective`` is
    called as it is, at the model with w fixed. Raises ValueError where rows is below 1 or the scale negative.

    >>> from functools import partial
    >>> from iwax import bounds, gradients
    >>> of_weights_known = partial(gradients.surrogate, k=5, estimator=gradients.pathwise(bounds.iwae))
    >>> objective = bayesian(of_weights_known, prior=weights.Normal(1.0), rows=1000)
    """
    share = _share(rows, scale)

    def _shared(model: LatentVariableModel, key: PRNGKey, x: Datum, **given: Any) -> Surrogate:
        of_weights = jax.random.fold_in(key, _OF_THE_WEIGHTS)
        if isinstance(prior, weights.Normal):
            fixed, divergence = weights.drawn(model, of_weights), weights.kl(model, prior)
        else:
            fixed, divergence = weights.drawn_with_divergence(model, prior, of_weights)
        found, cost = objective(fixed, key, x, **given), share * divergence
        return found._replace(value=found.value - cost, bound=found.bound - jax.lax.stop_gradient(cost))

    return known_as(objective, _shared)


def with_weight_kl(objective: Objective, *, prior: weights.Normal, rows: int, scale: float = 1.0) -> Objective:
    """``bound(x) - scale KL(q(w) || P(w)) / rows``, every sample of every datum with weights of its own.

    The bound alone is one of log p(x) with the weights' noise a part of the model, and is what is reported; the KL
    keeps that noise from vanishing. With `bounds.renyi` at 1 - alpha this is black-box alpha on the weights, in the
    form of Li and Gal (2017, arXiv:1703.02914; Hernandez-Lobato et al. 2016, arXiv:1511.03243). Raises ValueError where
    rows is below 1 or the scale negative.
    """
    share = _share(rows, scale)
    return penalised(objective, lambda model, key, x: share * weights.kl(model, prior))


def _share(rows: int, scale: float) -> float:
    """Of the KL, that one datum pays."""
    if rows < 1:
        raise ValueError(f"rows, the number of training data that share the weights, must be at least 1, got {rows}")
    if not scale >= 0:
        raise ValueError(f"the scale of the KL of weights must not be negative, got {scale}")
    return scale / rows
