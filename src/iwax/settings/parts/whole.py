"""Prior, likelihood and posterior as the settings say, and how many bytes they take before any is there."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import equinox as eqx
import jax
import numpy as np

from iwax import nn, posteriors, priors, streams
from iwax._typing import PRNGKey
from iwax.parts import Posterior
from iwax.settings.model import Model
from iwax.settings.parts.networks import FeatureStatistics, Networks
from iwax.settings.parts.posteriors import Layer

__all__ = ["assemble", "size"]

_COUNTED = 4  # maps of a flow that are counted; of more of them, each two take as much as the last two


def assemble(sizes: Model, start: FeatureStatistics, *, key: PRNGKey) -> tuple[Any, Any, Any]:
    """The prior, the likelihood and the posterior, untrained; ValueError, naming the part, where one cannot be made."""
    layers, nets = len(sizes.latents), Networks(sizes, start)
    keys = list(jax.random.split(key, 2 * layers))
    topmost = jax.random.fold_in(key, streams.Initialisation.TOPMOST_PRIOR)
    with _named(f"model.prior={sizes.prior.kind}"):
        prior = _prior(nets, keys[layers + 1 :], key=topmost)
    with _named(f"model.likelihood={sizes.likelihood.kind}"):
        likelihood = sizes.likelihood.build(nets, key=keys[layers])
    with _named(f"model.posterior={sizes.posterior.kind}"):
        return prior, likelihood, _posterior(nets, keys=keys[:layers])


@contextmanager
def _named(part: str) -> Iterator[None]:
    """The part before what is wrong with it, where no setting is named."""
    try:
        yield
    except ValueError as error:
        raise error if str(error).startswith("model.") else ValueError(f"{part}: {error}") from error


def _prior(nets: Networks, keys: list[PRNGKey], *, key: PRNGKey) -> Any:
    """The prior of all stochastic layers; ``keys`` has one for each conditional p(z_l | z_{l+1}), from the data up."""
    sizes = nets.sizes
    top = sizes.prior.build(nets, nets.latents[-1], key=key)
    below = zip(sizes.latents[1:], sizes.hiddens[1:], sizes.latents[:-1], keys, strict=True)
    downwards = [
        sizes.prior.below(nets, above, tuple(reversed(hidden)), latent, key=each)
        for above, hidden, latent, each in below
    ]
    return priors.Chain(top, tuple(reversed(downwards))) if downwards else top


def _posterior(nets: Networks, *, keys: list[PRNGKey]) -> Posterior:
    """The posterior of all stochastic layers; ``keys`` has one for each of them, from the data up."""
    encoding = nets.feature_encoding()
    if encoding is None or nets.sizes.posterior.kind == "prior":
        return _of_rows(nets, len(nets.start.mean), keys)
    return posteriors.Encoded(_of_rows(nets, encoding.features, keys), encoding)


def _of_rows(nets: Networks, features: int, keys: list[PRNGKey]) -> Posterior:
    """The posterior whose encoder reads that many numbers."""
    sizes = nets.sizes
    if nets.joint:
        return _top_down(nets, features, keys)
    if sizes.order == "ladder":
        return _ladder(nets, features, keys)
    inputs = (features, *sizes.latents[:-1])
    first, *upwards = (
        sizes.posterior.build(Layer(nets, below, hidden, latent), key=key)
        for below, hidden, latent, key in zip(inputs, sizes.hiddens, nets.latents, keys, strict=True)
    )
    return posteriors.Chain(first, tuple(upwards)) if upwards else first


def _top_down(nets: Networks, features: int, keys: list[PRNGKey]) -> Posterior:
    """q(z_L|x), then q(z_l|x, z_{l+1}) with a branch for x and one for what is above, as in the HVAE."""
    sizes = nets.sizes
    top = nets.encoder(features, sizes.hiddens[-1], 2 * sizes.latents[-1], key=keys[-1], heads=2)
    conditionals = []
    for layer in reversed(range(len(sizes.latents) - 1)):
        of_x, of_above, of_joint = jax.random.split(keys[layer], 3)
        first, *rest = sizes.hiddens[layer]
        branch = nets.encoder(features, (first,), None, key=of_x)
        width, outputs = branch.out_features, 2 * sizes.latents[layer]
        above = nets.dense(sizes.latents[layer + 1], (width,), None, of="encoder", key=of_above)
        joint = nets.dense(2 * width, tuple(rest), outputs, of="encoder", key=of_joint, heads=2)
        conditionals.append(posteriors.Gaussian(nn.Joined((branch, above), joint)))
    return posteriors.TopDown(posteriors.Gaussian(top), tuple(conditionals))


def _ladder(nets: Networks, features: int, keys: list[PRNGKey]) -> Posterior:
    rungs, inputs = [], features
    for hidden, latent, key in zip(nets.sizes.hiddens, nets.sizes.latents, keys, strict=True):
        of_trunk, of_head = jax.random.split(key)
        trunk = nets.encoder(inputs, hidden, None, key=of_trunk)
        inputs = trunk.out_features
        rungs.append(posteriors.Rung(trunk, nn.Linear(inputs, 2 * latent, key=of_head, heads=2)))
    return posteriors.Ladder(tuple(rungs))


def size(sizes: Model, start: FeatureStatistics) -> int:
    """The bytes of all arrays of the parts, by abstract evaluation: none of them is made.

    >>> start = FeatureStatistics(np.zeros(3), np.ones(3))
    >>> size(Model(latent=2, hidden=(), likelihood="bernoulli"), start)  # 3 x 4 + 4 and 2 x 3 + 3 numbers
    100
    """
    many = {name: steps for name in ("prior", "posterior") if (steps := _steps(sizes, name)) > _COUNTED}
    few = sizes.model_copy(update={name: _of_steps(sizes, name, _COUNTED) for name in many})
    total = counted = _size(few, start)
    for name, steps in many.items():
        fewer = _size(few.model_copy(update={name: _of_steps(sizes, name, _COUNTED - 2)}), start)
        total += (steps - _COUNTED) * (counted - fewer) // 2
    return total


def _steps(sizes: Model, name: str) -> int:
    return dict(dict(sizes)[name]).get("steps", 0)


def _of_steps(sizes: Model, name: str, steps: int) -> Any:
    return dict(sizes)[name].model_copy(update={"steps": steps})


def _size(sizes: Model, start: FeatureStatistics) -> int:
    found = eqx.filter_eval_shape(partial(assemble, sizes, start), key=jax.random.key(0))
    arrays = [leaf for leaf in jax.tree.leaves(found) if isinstance(leaf, jax.ShapeDtypeStruct | np.ndarray)]
    return sum(leaf.size * leaf.dtype.itemsize for leaf in arrays)
