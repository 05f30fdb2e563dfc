"""Data through the model and back: z from x, and the mean of p(x|z) there."""

from typing import Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from iwax import batched, streams
from iwax._typing import ArrayLike, PRNGKey
from iwax.evaluation import evidence, importance_posterior, trust
from iwax.evaluation.rows import Block, at_least, by_row, checked
from iwax.model import LatentVariableModel
from iwax.parts import Datum, Latent
from iwax.printed import printed

__all__ = ["ResamplingWeights", "reconstruct", "resample", "resampling_weights"]


@eqx.filter_jit
def _through_means(model: LatentVariableModel, key: PRNGKey, x: Datum) -> Array:
    def one(key: PRNGKey, datum: Datum) -> Array:
        z = model.infer(datum, key=jax.random.fold_in(key, streams.Draw.POSTERIOR)).mean
        return model.likelihood(z, datum.given, key=jax.random.fold_in(key, streams.Draw.LIKELIHOOD)).mean

    return batched.over_data(one, key, x)


_redrawn = eqx.filter_jit(batched.redraw)


def resample(
    model: LatentVariableModel, x: ArrayLike | Datum, *, key: PRNGKey, k: int, batch: int = 250
) -> tuple[Latent, np.ndarray]:
    """One draw per row of ``q_EW(z|x)``: z_j of k draws of q(z|x), j ~ Cat(w̃), w̃_i = w_i / sum w, w = p(x, z) / q(z|x).

    The posterior that IWAE's bound uses implicitly: q(z|x) at k = 1, p(z|x) as k grows
    (`iwax.evaluation.importance_posterior`; Cremer, Morris and Duvenaud 2017, arXiv:1704.02916, algorithm 1).
    Returns z [n, latent] (a tuple of layers for a chain) and the means [n, D] of p(x|z). The result is a function of
    (key, row, k) alone, and memory does not grow with k. Raises ValueError for data of another shape or not finite, or
    k below 1.
    """
    points = checked(model, x, None, key)
    at_least(1, {"k": k, "batch": batch})

    def of_block(part: Block) -> tuple[Latent, Array]:
        chosen = importance_posterior.chosen_draws(model, key, part.x, k=k)
        return _redrawn(model, key, part.x, jnp.asarray(chosen))

    return by_row(of_block, points, batch)


@printed()
class ResamplingWeights(NamedTuple):
    """Of the k draws that `resample` chooses among: how many count [n], and the tail index of their weights [n]."""

    ess: np.ndarray
    pareto_k: np.ndarray

    @property
    def unknown(self) -> np.ndarray:
        """Whether a row's draw may be far from one of ``p(z|x)``, [n]: the rule of `Evidence.known_error`."""
        return trust.unknown(self.ess, self.pareto_k)


def resampling_weights(
    model: LatentVariableModel, x: ArrayLike | Datum, *, key: PRNGKey, k: int, batch: int = 250
) -> ResamplingWeights:
    """Effective sample size and tail index of the weights of `resample` with the same key and k, drawn once more.

    A draw of q_EW is one of p(z|x) where many draws count; where few do it is nearer to q(z|x). Raises ValueError as
    `resample` does.
    """
    points = checked(model, x, None, key)
    at_least(1, {"k": k, "batch": batch})

    def of_block(part: Block) -> tuple[np.ndarray, np.ndarray]:
        size = len(part.x)
        calls = evidence.log_weight_calls(model, key, part.x, k, chunk=min(k, max(1, 4000 // size)))
        found = evidence.statistics(calls, size, k)
        return found[4], found[5]

    return ResamplingWeights(*by_row(of_block, points, batch))


def reconstruct(
    model: LatentVariableModel,
    x: ArrayLike | Datum,
    *,
    key: PRNGKey,
    method: Literal["posterior", "resample"] = "posterior",
    k: int = 50,
    batch: int = 250,
) -> np.ndarray:
    """The means [n, D] of p(x|z) at a z inferred from each row of data [n, D].

    "posterior": z is the mean of q(z|x), for a chain passed on from layer to layer; nothing is drawn. "resample": z is
    one draw of `resample` with k draws per row, closer to p(z|x) the larger k. Raises ValueError for another method,
    data of another shape or not finite, or k below 1.

    >>> from iwax import likelihoods, nn, posteriors, priors
    >>> model = LatentVariableModel(
    ...     prior=priors.StandardNormal(2),
    ...     likelihood=likelihoods.Bernoulli(nn.Linear(2, 4, key=jax.random.key(0))),
    ...     posterior=posteriors.Gaussian(nn.Linear(4, 4, key=jax.random.key(1))),
    ... )
    >>> reconstruct(model, np.zeros((3, 4)), key=jax.random.key(2)).shape
    (3, 4)
    """
    if method == "resample":
        return resample(model, x, key=key, k=k, batch=batch)[1]
    if method != "posterior":
        raise ValueError(f"method must be 'posterior' or 'resample': got {method!r}")
    points = checked(model, x, None, key)
    at_least(1, {"batch": batch})
    return by_row(lambda part: _through_means(model, key, part.x), points, batch)
