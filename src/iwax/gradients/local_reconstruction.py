"""Objectives that ask the decoder to give back what the encoder's hidden layers saw."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from iwax import batched, streams
from iwax._typing import PRNGKey
from iwax.gradients.functions import AnyObjective, as_objective
from iwax.gradients.protocol import AbstractObjective, WithPenalties
from iwax.model import LatentVariableModel
from iwax.parts import Datum, Likelihood, Posterior

__all__ = ["with_local_reconstruction"]


@dataclass(frozen=True)
class LocalReconstruction:
    """``weight sum_l mean_j (e_lj - d_lj)^2`` per data point: the penalty of `with_local_reconstruction`."""

    weight: float
    draws: int

    def __call__(self, model: LatentVariableModel, key: PRNGKey, x: Datum) -> Array:
        of_draws = jax.random.fold_in(key, streams.Step.RECONSTRUCTION)
        return self.weight * batched.over_data(lambda key, datum: _error(model, key, datum, self.draws), of_draws, x)


def with_local_reconstruction(objective: AnyObjective, *, weight: float, draws: int = 1) -> AbstractObjective:
    """``bound(x) - weight sum_l mean_j (e_lj - d_lj)^2``, e_l and d_l hidden layers of encoder and decoder.

    Layers are paired from the data on, each to mean 0 and variance 1 over its features (`Part.hidden_layers`); d_l is
    the mean of that over draws z ~ q(z|x) that the bound has no part in. The local reconstruction of Li, Zhu and Zhang
    (2016, arXiv:1602.07416, section 4; weight 0.1). A penalty: the bound that is reported is that of the objective.
    Raises ValueError where the weight is negative, draws is below 1, or encoder and decoder have other hidden layers.

    >>> from iwax import bounds, gradients
    >>> plain = gradients.Objective(gradients.pathwise(bounds.iwae), k=5)
    >>> with_local_reconstruction(plain, weight=0.1).k
    5
    """
    if not weight >= 0:
        raise ValueError(f"the weight of local reconstruction must not be negative, got {weight}")
    if draws < 1:
        raise ValueError(f"local reconstruction needs at least 1 draw, got draws={draws}")

    return WithPenalties(as_objective(objective), (LocalReconstruction(weight, draws),))


def _error(model: LatentVariableModel, key: PRNGKey, x: Datum, draws: int) -> Array:
    def of_part(part: Posterior | Likelihood, context: Any, key: PRNGKey) -> list[Array]:
        layers = part.hidden_layers(context, key=key)
        if layers is None:
            kind = "posterior" if isinstance(part, Posterior) else "likelihood"
            raise ValueError(
                "local reconstruction needs a posterior and a likelihood that give their hidden layers, as those with "
                f"a network nn.MLP or nn.MemoryMLP do, and the {kind} {type(part).__name__} gives none"
            )
        return layers

    def of_decoder(key: PRNGKey) -> list[Array]:
        draw = model.propose(x, key)
        return of_part(model.likelihood, draw.z, draw.keys[1])

    up = of_part(model.posterior, x, key)
    down = [jnp.mean(each, axis=0) for each in batched.over_draws(of_decoder, key, draws)][::-1]
    if [each.shape for each in up] != [each.shape for each in down]:
        raise ValueError(
            "local reconstruction needs the decoder's hidden layers to be the encoder's, backwards: got widths "
            f"{[each.shape[-1] for each in up]} and, from the data on, {[each.shape[-1] for each in down]}"
        )
    return sum((jnp.mean((e - d) ** 2) for e, d in zip(up, down, strict=True)), jnp.zeros(()))
