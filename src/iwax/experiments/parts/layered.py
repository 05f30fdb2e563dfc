"""q(z|x) of all stochastic layers: one of the settings' kind, or a chain, top-down or ladder posterior of Gaussians."""

import jax

from iwax import nn, posteriors
from iwax._typing import PRNGKey
from iwax.experiments.model import Model
from iwax.experiments.parts.networks import Moments, coded, dense, encoder, one_layer
from iwax.experiments.parts.posteriors import Layer
from iwax.parts import Posterior

__all__ = ["posterior"]


def posterior(sizes: Model, start: Moments, *, keys: list[PRNGKey]) -> Posterior:
    """The posterior of all stochastic layers; ``keys`` has one for each of them, from the data up."""
    coding = coded(sizes, start)
    if coding is None or sizes.posterior.kind == "prior":
        return _of_rows(sizes, start, len(start.mean), keys)
    return posteriors.Coded(_of_rows(sizes, start, coding.features, keys), coding)


def _of_rows(sizes: Model, start: Moments, features: int, keys: list[PRNGKey]) -> Posterior:
    """The posterior whose encoder reads so many numbers."""
    if sizes.order == "top_down":
        return _top_down(sizes, start, features, keys)
    if sizes.order == "ladder":
        return _ladder(sizes, start, features, keys)
    inputs = (features, *sizes.latents[:-1])
    first, *upwards = (
        sizes.posterior.build(Layer(sizes, start, below, hidden, latent), key=key)
        for below, hidden, latent, key in zip(inputs, sizes.hiddens, sizes.latents, keys, strict=True)
    )
    return posteriors.Chain(first, tuple(upwards)) if upwards else first


def _top_down(sizes: Model, start: Moments, features: int, keys: list[PRNGKey]) -> Posterior:
    """q(z_L|x), then q(z_l|x, z_{l+1}) with a branch for x and one for what is above, as in the HVAE."""
    top = encoder(sizes, start, features, sizes.hiddens[-1], 2 * sizes.latents[-1], key=keys[-1], heads=2)
    conditionals = []
    for layer in reversed(range(len(sizes.latents) - 1)):
        of_x, of_above, of_joint = jax.random.split(keys[layer], 3)
        first, *rest = sizes.hiddens[layer]
        branch = encoder(sizes, start, features, (first,), None, key=of_x)
        above = one_layer(sizes, sizes.latents[layer + 1], branch.out_features, of="encoder", key=of_above)
        joint = dense(
            sizes, 2 * branch.out_features, tuple(rest), 2 * sizes.latents[layer], of="encoder", key=of_joint, heads=2
        )
        conditionals.append(posteriors.Gaussian(nn.Joined((branch, above), joint)))
    return posteriors.TopDown(posteriors.Gaussian(top), tuple(conditionals))


def _ladder(sizes: Model, start: Moments, features: int, keys: list[PRNGKey]) -> Posterior:
    rungs, inputs = [], features
    for hidden, latent, key in zip(sizes.hiddens, sizes.latents, keys, strict=True):
        of_trunk, of_head = jax.random.split(key)
        trunk = encoder(sizes, start, inputs, hidden, None, key=of_trunk)
        inputs = trunk.out_features
        rungs.append(posteriors.Rung(trunk, nn.Linear(inputs, 2 * latent, key=of_head, heads=2)))
    return posteriors.Ladder(tuple(rungs))
