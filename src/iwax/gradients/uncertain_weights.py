"""Objectives that pay for what the random weights of a model say: a bound on log p(D), or a penalty."""

from dataclasses import dataclass
from typing import Any

import jax
from jaxtyping import Array

from iwax import streams, weights
from iwax._typing import PRNGKey
from iwax.gradients.functions import AnyObjective, as_objective
from iwax.gradients.protocol import AbstractObjective, Beta, Rows, Surrogate, WithPenalties, Wrapper
from iwax.model import LatentVariableModel
from iwax.parts import Datum

__all__ = ["bayesian", "with_weight_kl"]


@dataclass(frozen=True)
class Bayesian(Wrapper):
    """The objective at weights that are drawn once for all data of a step, less their divergence (`bayesian`)."""

    prior: weights.Prior
    rows: int
    scale: float

    def ascend(self, model: LatentVariableModel, key: PRNGKey, x: Rows, beta: Beta, control: Any) -> Surrogate:
        of_weights = jax.random.fold_in(key, streams.Step.WEIGHTS)
        if isinstance(self.prior, weights.Normal):
            fixed, divergence = weights.drawn(model, of_weights), weights.kl(model, self.prior)
        else:
            fixed, divergence = weights.drawn_with_divergence(model, self.prior, of_weights)
        found = self.objective(fixed, key, x, beta=beta, control=control)
        cost = self.scale / self.rows * divergence
        return found._replace(value=found.value - cost, bound=found.bound - jax.lax.stop_gradient(cost))


@dataclass(frozen=True)
class WeightKL:
    """``scale KL(q(w) || P(w)) / rows``, nats: the penalty of `with_weight_kl`."""

    prior: weights.Normal
    rows: int
    scale: float

    def __call__(self, model: LatentVariableModel, key: PRNGKey, x: Datum) -> Array:
        return self.scale / self.rows * weights.kl(model, self.prior)


def bayesian(objective: AnyObjective, *, prior: weights.Prior, rows: int, scale: float = 1.0) -> AbstractObjective:
    """``E_q(w) [bound(x; w)] - scale KL(q(w) || P(w)) / rows``, w drawn once for all data of the step and all samples.

    Summed over the ``rows`` of the data and at scale 1 a lower bound of log p(D), the weights a latent of all of D
    (Blundell et al. 2015, arXiv:1505.05424; of a VAE's weights, Kingma and Welling 2014, arXiv:1312.6114, appendix F).
    The KL is in closed form where the prior has one (`weights.Normal`), and estimated at the draw otherwise. If every
    sample has weights of its own the noise is a part of the model instead: see `with_weight_kl`. ``objective`` is
    called as it is, at the model with w fixed. Raises ValueError where rows is below 1 or the scale negative.

    >>> from iwax import bounds, gradients
    >>> of_weights_known = gradients.Objective(gradients.pathwise(bounds.iwae), k=5)
    >>> bayesian(of_weights_known, prior=weights.Normal(1.0), rows=1000)
    Bayesian(objective=Objective(pathwise(iwae), k=5), prior=Normal(sigma=1.0), rows=1000, scale=1.0)
    """
    _refuse(rows, scale)
    return Bayesian(as_objective(objective), prior, rows, scale)


def with_weight_kl(
    objective: AnyObjective, *, prior: weights.Normal, rows: int, scale: float = 1.0
) -> AbstractObjective:
    """``bound(x) - scale KL(q(w) || P(w)) / rows``, every sample of every datum with weights of its own.

    The bound alone is one of log p(x) with the weights' noise a part of the model, and is what is reported; the KL
    keeps that noise from vanishing. With `bounds.renyi` at 1 - alpha this is black-box alpha on the weights, in the
    form of Li and Gal (2017, arXiv:1703.02914; Hernandez-Lobato et al. 2016, arXiv:1511.03243). Raises ValueError where
    rows is below 1 or the scale negative.
    """
    _refuse(rows, scale)
    return WithPenalties(as_objective(objective), (WeightKL(prior, rows, scale),))


def _refuse(rows: int, scale: float) -> None:
    if rows < 1:
        raise ValueError(f"rows, the number of training data that share the weights, must be at least 1, got {rows}")
    if not scale >= 0:
        raise ValueError(f"the scale of the KL of weights must not be negative, got {scale}")
