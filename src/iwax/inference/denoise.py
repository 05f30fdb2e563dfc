"""Binary rows without the noise that they were seen through: means by self-normalised importance weights."""

from dataclasses import dataclass

import equinox as eqx
import numpy as np

from iwax import former_names, likelihoods
from iwax._typing import ArrayLike, PRNGKey
from iwax.evaluation.rows import at_least, blocks, prepared
from iwax.inference.self_normalised import Sampling, SelfNormalised, estimated
from iwax.model import LatentVariableModel
from iwax.parts import Datum
from iwax.printed import printed

__all__ = ["Denoised", "denoise"]


@printed()
@dataclass(frozen=True)
class Denoised(SelfNormalised):
    """Rows [n, *event] as they were before noise, as far as can be known.

    ``values`` hold ``P(x = 1 | what is seen)``, ``error`` [n, *event] the Monte-Carlo error of these means, ``ess``
    [n] how many of the k draws count; ``draws`` [m, n, *event] are m draws of ``p(x | what is seen)``, where they were
    asked for.
    ``pareto_k`` [n], ``unknown`` [n] and ``known_error`` are those of `Imputation`.
    """

    k: int
    flips: float
    values: np.ndarray
    error: np.ndarray
    ess: np.ndarray
    draws: np.ndarray | None
    pareto_k: np.ndarray

    phrases = ("their values", "noisy rows", "another number of iterations or a larger k helps")


@former_names.argument("sweeps", "iterations")
def denoise(
    model: LatentVariableModel,
    x: ArrayLike | Datum,
    *,
    flips: float,
    k: int,
    key: PRNGKey,
    iterations: int = 50,
    draws: int = 0,
    batch: int = 100,
) -> Denoised:
    """``sum_i w̃_i P(x_j = 1 | y_j, z_i)`` of binary rows y [n, *event], each value a coin's with chance ``flips``.

    Which ones were is not known: w = p(z) prod_j P(y_j | z) / q(z|.) with P(y_j = 1 | z) = (1 - flips) pi_j + flips/2
    (`likelihoods.Flipped`), and P(x_j | y_j, z) by Bayes. NaN in y is a value not seen at all. The encoder was not
    trained on such rows, so it reads what ``iterations`` of z ~ q(z|x), x = E[x|y, z] make of y, from y on (0: y
    itself); the weights are right whatever it reads, and ``ess`` says how many draws count. ``draws`` and ``batch`` are
    those of `impute`. Raises ValueError for rows of another shape or not of 0, 1 and NaN, flips outside 0 < flips < 1,
    a likelihood that is not Bernoulli, a model of missingness, and counts that are too small.

    >>> import jax
    >>> from iwax import nn, posteriors, priors
    >>> model = LatentVariableModel(
    ...     prior=priors.StandardNormal(2),
    ...     likelihood=likelihoods.Bernoulli(nn.Linear(2, 3, key=jax.random.key(0))),
    ...     posterior=posteriors.Gaussian(nn.Linear(3, 4, key=jax.random.key(1))),
    ... )
    >>> found = denoise(model, np.array([[1, 0, 1]]), flips=0.2, k=100, key=jax.random.key(2))
    >>> found.values.shape, bool((found.error > 0).all())
    ((1, 3), True)
    """
    if model.missingness is not None:
        raise ValueError("values replaced by noise need a model without one of missingness")
    noisy = eqx.tree_at(lambda each: each.likelihood, model, likelihoods.Flipped(model.likelihood, flips))
    at_least(1, {"k": k, "batch": batch})
    at_least(0, {"draws": draws, "iterations": iterations})
    noisy, points = prepared(noisy, x, None, key, missing=True)
    how = Sampling(k, draws, iterations, defensive=False)
    parts = [estimated(noisy, key, block, how) for block in blocks(points, batch)]
    values, error, ess, shape = (np.concatenate([part[i] for part in parts]) for i in range(4))
    copies = np.concatenate([part.draws for part in parts], axis=1) if draws else None
    return Denoised(k, float(flips), values, error, ess, copies, shape)
