"""Where data lie in the latent space: the means of q(z|x)."""

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array

from iwax import batched, streams
from iwax._typing import ArrayLike, PRNGKey
from iwax.evaluation.rows import at_least, by_row, checked
from iwax.model import LatentVariableModel
from iwax.parts import Datum, layers_of

__all__ = ["embed"]


@eqx.filter_jit
def _means(model: LatentVariableModel, key: PRNGKey, x: Datum, layer: int) -> Array:
    def one(key: PRNGKey, datum: Datum) -> Array:
        mean = model.infer(datum, key=jax.random.fold_in(key, streams.Draw.POSTERIOR)).mean
        return layers_of(mean)[layer - 1]

    return batched.over_data(one, key, x)


def embed(
    model: LatentVariableModel,
    x: ArrayLike | Datum,
    *,
    key: PRNGKey,
    layer: int = 1,
    missing: bool = False,
    batch: int = 500,
) -> np.ndarray:
    """Compute the means [n, latent] of q(z|x) for data [n, D].

    ``layer`` counts stochastic layers from the data upwards: 1 is z_1, the layer next to the data, whose mean is exact;
    in higher layers a chain gives the mean of q(z_l|z_{l-1}) at the mean below. The key is for encoders with
    stochastic weights; others ignore it. With ``missing`` a NaN is a missing value. Raises ValueError if data have
    another shape or are not finite, or if there is no such layer.

    >>> from iwax import likelihoods, nn, posteriors, priors
    >>> model = LatentVariableModel(
    ...     prior=priors.StandardNormal(2),
    ...     likelihood=likelihoods.Bernoulli(nn.Linear(2, 4, key=jax.random.key(0))),
    ...     posterior=posteriors.Gaussian(nn.Linear(4, 4, key=jax.random.key(1))),
    ... )
    >>> embed(model, np.zeros((3, 4)), key=jax.random.key(2)).shape
    (3, 2)
    """
    points, layers = checked(model, x, None, key, missing=missing), len(layers_of(model.latent))
    at_least(1, {"layer": layer, "batch": batch})
    if layer > layers:
        raise ValueError(f"layer must be at most {layers}, the layers of the model, got {layer}")
    return by_row(lambda part: _means(model, key, part.x, layer), points, batch)
