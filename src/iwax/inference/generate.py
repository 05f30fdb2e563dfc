"""New data: z from the prior, x from p(x|z); and what the decoder makes of latents that are given."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from iwax import batched
from iwax._typing import PRNGKey
from iwax.evaluation.rows import Block, at_least, by_row, check_key
from iwax.inference import inputs
from iwax.model import LatentVariableModel
from iwax.parts import Datum

__all__ = ["Generated", "decode", "generate"]


class Generated(NamedTuple):
    """``mean`` [n, D] of p(x|z), ``sample`` [n, D] from it, and ``z`` [n, latent] (a tuple of layers for a chain)."""

    mean: np.ndarray
    sample: np.ndarray
    z: Any


_generated, _decoded = eqx.filter_jit(batched.generate), eqx.filter_jit(batched.decode)


def generate(
    model: LatentVariableModel, n: int, *, key: PRNGKey, given: Mapping[str, Any] | None = None, batch: int = 500
) -> Generated:
    """n draws ``z ~ p(z)``, ``x ~ p(x|z)``, with the means of p(x|z).

    ``given`` are the covariates of each draw by name, [n, ...], of a model that needs them. Draw i is a function of
    (key, i, its covariates) alone, whatever n and ``batch`` (draws worked at once) are. Raises ValueError for n or
    batch below 1 and for covariates that are missing or of another shape, TypeError for what is no key.

    >>> import jax
    >>> from iwax import likelihoods, nn, posteriors, priors
    >>> model = LatentVariableModel(
    ...     prior=priors.StandardNormal(2),
    ...     likelihood=likelihoods.Bernoulli(nn.Linear(2, 4, key=jax.random.key(0))),
    ...     posterior=posteriors.Gaussian(nn.Linear(4, 4, key=jax.random.key(1))),
    ... )
    >>> drawn = generate(model, 3, key=jax.random.key(2))
    >>> drawn.mean.shape, drawn.z.shape, bool(set(drawn.sample.ravel()) <= {0.0, 1.0})
    ((3, 4), (3, 2), True)
    """
    check_key(key)
    at_least(1, {"n": n, "batch": batch})
    size, points = min(batch, n), Datum(np.empty((n, 0)), given=inputs.covariates(model, given, n))

    def of_block(block: Block) -> Any:
        return _generated(model, key, size, first=jnp.int32(block.first), given=block.x.given)

    z, mean, sample = by_row(of_block, points, size)
    return Generated(mean, sample, z)


def decode(
    model: LatentVariableModel, z: Any, *, key: PRNGKey, given: Mapping[str, Any] | None = None, batch: int = 500
) -> np.ndarray:
    """The means [n, D] of p(x|z) at given latents [n, latent], a tuple of layers from the data upwards for a chain.

    ``given`` are the covariates [n, ...] by name. The key serves decoders with noise of their own; others ignore it.
    Raises ValueError for latents of another shape or not finite, TypeError for what is no key.
    """
    table, n = inputs.latent_rows(model, z, key)
    points = Datum(table, given=inputs.covariates(model, given, n))
    at_least(1, {"batch": batch})

    def of_block(block: Block) -> Any:
        return _decoded(model, key, block.x.values, first=jnp.int32(block.first), given=block.x.given)

    return by_row(of_block, points, batch)
