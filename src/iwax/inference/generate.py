"""New data: z from the prior, x from p(x|z); and what the decoder makes of latents that are given."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from iwax import batched
from iwax._typing import PRNGKey
from iwax.evaluation.rows import Block, at_least, by_row, check_key
from iwax.evaluation.tables import table
from iwax.model import LatentVariableModel
from iwax.parts import Datum, layers_of
from iwax.printed import printed

__all__ = ["Generated", "decode", "generate"]


@printed()
class Generated(NamedTuple):
    """``mean`` [n, D] of p(x|z), ``sample`` [n, D] from it, and ``z`` [n, latent] (a tuple of layers for a chain)."""

    mean: np.ndarray
    sample: np.ndarray
    z: Any


_generated, _decoded = eqx.filter_jit(batched.generate), eqx.filter_jit(batched.decode)


def generate(
    model: LatentVariableModel, n: int, *, key: PRNGKey, given: Mapping[str, Any] | None = None, batch: int = 500
) -> Generated:
    """Draw n new data points, ``z ~ p(z)``, ``x ~ p(x|z)``, and the means of p(x|z).

    ``given`` are the covariates of each draw by name, [n, ...], of a model that needs them. Draw i is a function of
    (key, i, its covariates) alone, whatever n and ``batch`` (draws computed at once) are. Raises ValueError if n or
    batch is below 1, or if covariates are missing or of another shape; TypeError for what is not a key.

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
    size, points = min(batch, n), Datum(np.empty((n, 0)), given=_covariates(model, given, n))

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
    latents, n = _latents(model, z, key)
    points = Datum(latents, given=_covariates(model, given, n))
    at_least(1, {"batch": batch})

    def of_block(block: Block) -> Any:
        return _decoded(model, key, block.x.values, first=jnp.int32(block.first), given=block.x.given)

    return by_row(of_block, points, batch)


def _covariates(model: LatentVariableModel, given: Mapping[str, Any] | None, n: int) -> dict[str, Any] | None:
    """Covariates [n, ...] by name, of arrays or trees of them; ValueError where prior or likelihood need others."""
    found = None if given is None else {name: jax.tree.map(np.asarray, each) for name, each in given.items()}
    sizes = [np.shape(leaf)[:1] for leaf in jax.tree.leaves(found)]
    if any(size != (n,) for size in sizes):
        raise ValueError(f"given must have {n} rows in every array, got shapes that begin with {sizes}")
    model.check_given(jax.tree.map(lambda leaf: leaf[0], found), generating=True)
    return found


def _latents(model: LatentVariableModel, z: Any, key: PRNGKey) -> tuple[Any, int]:
    """Latents [n, latent] (a tuple of them for a chain) that the model can decode, and n; an error says why not."""
    check_key(key)
    of_model = model.latent
    wanted = layers_of(of_model)
    if len(wanted) == 1 and wanted[0] is of_model:
        latents = table("z", z, of_model.shape)
        return latents, len(latents)
    if len(layers_of(z)) != len(wanted):
        got = f"{len(layers_of(z))} in a {type(z).__name__}"
        raise ValueError(f"z must be a tuple of {len(wanted)} layers, from the data upwards: got {got}")
    layers = tuple(table(f"z[{i}]", leaf, wanted[i].shape) for i, leaf in enumerate(z))
    if len({len(layer) for layer in layers}) > 1:
        raise ValueError(f"the layers of z must have equally many rows: got {[len(layer) for layer in layers]}")
    return layers, len(layers[0])
