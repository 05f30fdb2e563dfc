"""q(z|x): the settings of every kind, each with the part that it makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, TypeAlias

import jax
from pydantic import Field

from iwax import parts, posteriors
from iwax._typing import PRNGKey
from iwax.settings.fields import LARGEST_LAYER, LARGEST_STEPS, Widths, integer
from iwax.settings.parted import Kind
from iwax.settings.parts.networks import Networks

if TYPE_CHECKING:
    from iwax.settings.model import Model

__all__ = ["Factorized", "Flow", "Layer", "Posterior"]

_FLOOR = 1e-6  # of the scale of q(z|x), where that of p(x|z) has one
_STEPS = integer(4, 1, LARGEST_STEPS, "maps, one after another")
_NETS = Field(default=(100,), description=f"hidden layers of its nets, a list of integers from 1 to {LARGEST_LAYER}")


class Layer(NamedTuple):
    """One stochastic layer: how many numbers its encoder reads, and its widths and latents."""

    nets: Networks
    inputs: int
    hidden: tuple[int, ...]
    latent: int

    def encoder(self, outputs: int | None, *, key: PRNGKey, heads: int = 1) -> Any:
        """The network; without ``outputs``, to its last hidden layer."""
        return self.nets.encoder(self.inputs, self.hidden, outputs, key=key, heads=heads)


class Factorized(Kind):
    """Independent normals or bits, of one layer or of several."""

    kind: Literal["gaussian", "bernoulli"] = "gaussian"

    def check(self, model: Model) -> None:
        if self.kind == "bernoulli" and model.order in ("top_down", "ladder"):
            raise ValueError(f"model.order={model.order} needs Gaussian latents, got posterior=bernoulli")

    def build(self, layer: Layer, *, key: PRNGKey) -> parts.Posterior:
        if self.kind == "bernoulli":
            return posteriors.Bernoulli(layer.encoder(layer.latent, key=key))
        floor = _FLOOR if layer.nets.sizes.scale_floor else 0.0
        return posteriors.Gaussian(layer.encoder(2 * layer.latent, key=key, heads=2), floor=floor)


class _OneLayer(Kind):
    """A posterior of one stochastic layer."""

    def check(self, model: Model) -> None:
        if len(model.latents) > 1:
            raise ValueError(
                f"model.posterior={model.posterior.kind} needs one stochastic layer, got "
                f"model.latent={list(model.latents)}; several take gaussian, with model.order"
            )


class Prior(_OneLayer):
    """The prior itself, without an encoder."""

    kind: Literal["prior"] = "prior"

    def build(self, layer: Layer, *, key: PRNGKey) -> parts.Posterior:
        return posteriors.Prior()


class Point(_OneLayer):
    """One value without a density: an autoencoder, with objective.beta=0."""

    kind: Literal["point"] = "point"

    def build(self, layer: Layer, *, key: PRNGKey) -> parts.Posterior:
        return posteriors.Point(layer.encoder(layer.latent, key=key))


class FullGaussian(_OneLayer):
    """A normal with a full covariance."""

    kind: Literal["full_gaussian"] = "full_gaussian"

    def build(self, layer: Layer, *, key: PRNGKey) -> parts.Posterior:
        network = layer.encoder(posteriors.FullGaussian.outputs(layer.latent), key=key)
        return posteriors.FullGaussian(network, layer.latent)


class Mixture(_OneLayer):
    """A mixture of normals."""

    kind: Literal["mixture"] = "mixture"
    components: int = integer(5, 1, LARGEST_LAYER, "normals")

    def build(self, layer: Layer, *, key: PRNGKey) -> parts.Posterior:
        outputs = posteriors.Mixture.outputs(layer.latent, components=self.components)
        return posteriors.Mixture(layer.encoder(outputs, key=key), layer.latent, components=self.components)


class Flow(_OneLayer):
    """A map of normals, read off the last hidden layer of the encoder: what ``_FLOWS`` makes with these settings."""

    def build(self, layer: Layer, *, key: PRNGKey) -> parts.Posterior:
        of_trunk, of_map = jax.random.split(key)
        settings = self.model_dump()
        make = _FLOWS[settings.pop("kind")]
        return make(layer.encoder(None, key=of_trunk), layer.latent, **settings, key=of_map)


class LinearIaf(Flow):
    """A triangular matrix."""

    kind: Literal["linear_iaf"] = "linear_iaf"


class ConvexLinearIaf(Flow):
    """A convex combination of triangular matrices."""

    kind: Literal["convex_linear_iaf"] = "convex_linear_iaf"
    components: int = integer(5, 1, LARGEST_LAYER, "matrices")


class Maps(Flow):
    """Reflections, planar or radial maps."""

    kind: Literal["householder", "planar", "radial"]
    steps: int = _STEPS


class Sylvester(Flow):
    """Planar maps of several planes at once."""

    kind: Literal["sylvester"] = "sylvester"
    steps: int = _STEPS
    planes: int = integer(5, 1, LARGEST_LAYER, "planes of a map, at most the latents")


class Nets(Flow):
    """Additive or affine coupling layers, or inverse autoregressive maps, with nets of their own."""

    kind: Literal["nice", "real_nvp", "iaf"]
    steps: int = _STEPS
    hidden: Widths = _NETS


class Hamiltonian(Flow):
    """Leapfrog steps towards p(z|x), with a reverse net for the momenta."""

    kind: Literal["hamiltonian"] = "hamiltonian"
    steps: int = _STEPS
    hidden: Widths = _NETS

    def build(self, layer: Layer, *, key: PRNGKey) -> parts.Posterior:
        of_trunk, of_map = jax.random.split(key)
        of_reverse, of_base = jax.random.split(of_map)
        trunk = layer.encoder(None, key=of_trunk)
        inputs, outputs = trunk.out_features + layer.latent, 2 * layer.latent
        reverse = layer.nets.dense(inputs, self.hidden, outputs, of=None, key=of_reverse, heads=2)
        return posteriors.hamiltonian(trunk, layer.latent, steps=self.steps, reverse=reverse, key=of_base)


def _householder(trunk: Any, latent: int, *, steps: int, key: PRNGKey) -> parts.Posterior:
    return posteriors.householder(trunk, latent, reflections=steps, key=key)


_FLOWS: Mapping[str, Callable[..., parts.Posterior]] = MappingProxyType(
    {
        "linear_iaf": posteriors.linear_iaf,
        "convex_linear_iaf": posteriors.convex_linear_iaf,
        "householder": _householder,
        "planar": posteriors.planar,
        "radial": posteriors.radial,
        "sylvester": posteriors.sylvester,
        "nice": posteriors.nice,
        "real_nvp": posteriors.real_nvp,
        "iaf": posteriors.iaf,
    }
)
Posterior: TypeAlias = Annotated[
    Factorized
    | Point
    | FullGaussian
    | Mixture
    | Maps
    | LinearIaf
    | ConvexLinearIaf
    | Nets
    | Sylvester
    | Hamiltonian
    | Prior,
    Field(discriminator="kind"),
]
