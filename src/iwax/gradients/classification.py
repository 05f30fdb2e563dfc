"""What a classifier inside a posterior costs where labels are known."""

from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax import batched
from iwax._typing import PRNGKey
from iwax.model import LatentVariableModel
from iwax.parts import Datum

__all__ = ["Classification"]


@dataclass(frozen=True)
class Classification:
    """``-weight log q(y|x)`` of rows whose label is known, nats, a penalty of `gradients.Objective`.

    Without it nothing teaches the classifier what a label means: where the label is known, the bound of M2 has no
    q(y|x) (Kingma, Rezende, Mohamed and Welling 2014, arXiv:1406.5298, equation 9, where the weight is 0.1 times the
    rows per labelled row). ``label`` names the covariate, a class from 0, or -1 where it is not known; ``layer`` is the
    place of the class in the latents, the topmost by default. Raises ValueError unless the weight is positive.

    >>> Classification(50.0)
    Classification(weight=50.0, label='label', layer=-1)
    """

    weight: float
    label: str = "label"
    layer: int = -1

    def __post_init__(self) -> None:
        if not 0 < self.weight < float("inf"):
            raise ValueError(f"the weight of log q(y|x) must be positive and finite, got {self.weight}")

    def __call__(self, model: LatentVariableModel, key: PRNGKey, x: Datum) -> Float[Array, " batch"]:
        """The penalty of every row; 0 where the label is not known."""
        model = batched.bound(model, key)

        def of_row(key: PRNGKey, datum: Datum) -> Array:
            proposal = model.propose(datum, key)
            label = (datum.given or {})[self.label]
            q = proposal.distribution.layers(proposal.z)[self.layer]
            known = q.log_prob(jnp.maximum(label, 0)[None].astype(float))
            return jnp.where(label >= 0, -self.weight * known, 0.0)

        return batched.over_data(of_row, key, x)
