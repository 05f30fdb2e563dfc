"""Prior, likelihood and posterior as the settings say, and how many bytes they take before any is there."""

from functools import partial
from typing import Any

import equinox as eqx
import jax
import numpy as np

from iwax import streams
from iwax._typing import PRNGKey
from iwax.experiments.families import OF_POSTERIOR, OF_PRIOR
from iwax.experiments.model import Model
from iwax.experiments.parts.likelihoods import likelihood
from iwax.experiments.parts.networks import Moments
from iwax.experiments.parts.posteriors import posterior
from iwax.experiments.parts.priors import prior

__all__ = ["assemble", "size"]

_COUNTED = 4  # maps of a flow that are counted; of more of them, each two take as much as the last two


def assemble(sizes: Model, start: Moments, *, key: PRNGKey) -> tuple[Any, Any, Any]:
    """The prior, the likelihood and the posterior, untrained."""
    layers = len(sizes.latents)
    keys = list(jax.random.split(key, 2 * layers))
    topmost = jax.random.fold_in(key, streams.Initialisation.TOPMOST_PRIOR)
    return (
        prior(sizes, start, keys=keys[layers + 1 :], key=topmost),
        likelihood(sizes, start, key=keys[layers]),
        posterior(sizes, start, keys=keys[:layers]),
    )


def size(sizes: Model, start: Moments) -> int:
    """The bytes of all arrays of the parts, by abstract evaluation: none of them is made.

    >>> start = Moments(np.zeros(3), np.ones(3))
    >>> size(Model(latent=2, hidden=(), likelihood="bernoulli"), start)  # 3 x 4 + 4 and 2 x 3 + 3 numbers
    100
    """
    used = (*OF_PRIOR.get(sizes.prior, ()), *OF_POSTERIOR.get(sizes.posterior, ()))
    many = {name: sizes.number(name) for name in used if name.endswith("_steps") and sizes.number(name) > _COUNTED}
    few: dict[str, Any] = dict.fromkeys(many, _COUNTED)
    total = counted = _size(sizes.model_copy(update=few), start)
    for name, steps in many.items():
        fewer = _size(sizes.model_copy(update=few | {name: _COUNTED - 2}), start)
        total += (steps - _COUNTED) * (counted - fewer) // 2
    return total


def _size(sizes: Model, start: Moments) -> int:
    found = eqx.filter_eval_shape(partial(assemble, sizes, start), key=jax.random.key(0))
    arrays = [leaf for leaf in jax.tree.leaves(found) if isinstance(leaf, jax.ShapeDtypeStruct | np.ndarray)]
    return sum(leaf.size * leaf.dtype.itemsize for leaf in arrays)
