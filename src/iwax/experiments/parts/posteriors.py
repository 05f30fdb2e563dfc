"""q(z|x) as the settings say."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import jax

from iwax import nn, posteriors
from iwax._typing import PRNGKey
from iwax.experiments.model import Model
from iwax.experiments.parts.networks import Moments, coded, dense, encoder, one_layer
from iwax.parts import Posterior

__all__ = ["posterior"]

_FLOOR = 1e-6  # of the scale of q(z|x), where that of p(x|z) has one


def posterior(sizes: Model, start: Moments, *, keys: list[PRNGKey]) -> Posterior:
    """The posterior of all stochastic layers; ``keys`` has one for each of them, from the data up."""
    coding = coded(sizes, start)
    if coding is None or sizes.posterior == "prior":
        return _of_rows(sizes, start, len(start.mean), keys)
    return posteriors.Coded(_of_rows(sizes, start, coding.features, keys), coding)


def _of_rows(sizes: Model, start: Moments, features: int, keys: list[PRNGKey]) -> Posterior:
    """The posterior whose encoder reads so many numbers."""
    if len(sizes.latents) == 1:
        return _one_layer(sizes, start, features, key=keys[0])
    if sizes.order == "top_down":
        return _top_down(sizes, start, features, keys)
    if sizes.order == "ladder":
        return _ladder(sizes, start, features, keys)
    inputs = (features, *sizes.latents[:-1])
    upwards = tuple(
        _factorised(sizes, start, below, hidden, latent, key=key)
        for below, hidden, latent, key in zip(inputs, sizes.hiddens, sizes.latents, keys, strict=True)
    )
    return posteriors.Chain(upwards[0], upwards[1:])


def _factorised(
    sizes: Model, start: Moments, inputs: int, hidden: tuple[int, ...], latent: int, *, key: PRNGKey
) -> Posterior:
    if sizes.posterior == "bernoulli":
        return posteriors.Bernoulli(encoder(sizes, start, inputs, hidden, latent, key=key))
    network = encoder(sizes, start, inputs, hidden, 2 * latent, key=key, heads=2)
    return posteriors.Gaussian(network, floor=_FLOOR if sizes.scale_floor else 0.0)


def _one_layer(sizes: Model, start: Moments, features: int, *, key: PRNGKey) -> Posterior:
    latent, hidden = sizes.latents[0], sizes.hiddens[0]
    if sizes.posterior in ("gaussian", "bernoulli"):
        return _factorised(sizes, start, features, hidden, latent, key=key)
    if sizes.posterior == "prior":
        return posteriors.Prior()
    if sizes.posterior == "full_gaussian":
        outputs = posteriors.FullGaussian.outputs(latent)
        return posteriors.FullGaussian(encoder(sizes, start, features, hidden, outputs, key=key), latent)
    if sizes.posterior == "mixture":
        components = sizes.number("posterior_components")
        outputs = posteriors.Mixture.outputs(latent, components=components)
        net = encoder(sizes, start, features, hidden, outputs, key=key)
        return posteriors.Mixture(net, latent, components=components)
    of_trunk, of_map = jax.random.split(key)
    trunk = encoder(sizes, start, features, hidden, None, key=of_trunk)
    return _FLOWS[sizes.posterior](sizes, trunk, latent, of_map)


def _stepped(make: Callable[..., Posterior], name: str, *, nets: bool = False) -> Callable[..., Posterior]:
    """A flow of some steps, with nets of its own or without."""

    def build(sizes: Model, trunk: Any, latent: int, key: PRNGKey) -> Posterior:
        own: dict[str, Any] = {"hidden": sizes.maps_hidden} if nets else {}
        return make(trunk, latent, **{name: sizes.number("posterior_steps")}, **own, key=key)

    return build


def _hamiltonian(sizes: Model, trunk: Any, latent: int, key: PRNGKey) -> Posterior:
    of_reverse, of_base = jax.random.split(key)
    inputs = trunk.out_features + latent
    reverse = dense(sizes, inputs, sizes.maps_hidden, 2 * latent, of=None, key=of_reverse, heads=2)
    steps = sizes.number("posterior_steps")
    return posteriors.hamiltonian(trunk, latent, steps=steps, reverse=reverse, key=of_base)


def _sylvester(sizes: Model, trunk: Any, latent: int, key: PRNGKey) -> Posterior:
    steps, planes = sizes.number("posterior_steps"), sizes.number("posterior_components")
    return posteriors.sylvester(trunk, latent, steps=steps, planes=planes, key=key)


def _convex(sizes: Model, trunk: Any, latent: int, key: PRNGKey) -> Posterior:
    return posteriors.convex_linear_iaf(trunk, latent, components=sizes.number("posterior_components"), key=key)


_FLOWS: Mapping[str, Callable[..., Posterior]] = MappingProxyType(
    {
        "householder": _stepped(posteriors.householder, "reflections"),
        "linear_iaf": lambda sizes, trunk, latent, key: posteriors.linear_iaf(trunk, latent, key=key),
        "convex_linear_iaf": _convex,
        "planar": _stepped(posteriors.planar, "steps"),
        "radial": _stepped(posteriors.radial, "steps"),
        "nice": _stepped(posteriors.nice, "steps", nets=True),
        "real_nvp": _stepped(posteriors.real_nvp, "steps", nets=True),
        "iaf": _stepped(posteriors.iaf, "steps", nets=True),
        "sylvester": _sylvester,
        "hamiltonian": _hamiltonian,
    }
)


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
