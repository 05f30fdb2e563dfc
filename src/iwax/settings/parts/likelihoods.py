"""p(x|z): the settings of every kind, each with the part that it makes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array
from pydantic import Field

from iwax import families, likelihoods, nn, supports
from iwax._typing import PRNGKey
from iwax.families import FAMILIES
from iwax.parts import Likelihood as _Part
from iwax.settings.fields import number
from iwax.settings.parted import Kind
from iwax.settings.parts.columns import in_units, output_bias
from iwax.settings.parts.networks import Networks

if TYPE_CHECKING:
    from iwax.settings.model import Model

__all__ = ["Chosen", "Likelihood"]

_GREY_SCALE = 0.1  # at which the one learned scale of grey values starts
_PIXEL_LAYERS = 7  # of masked convolutions after the first, with this many channels (Tomczak and Welling 2018)
_PIXEL_CHANNELS = 64
_WITHOUT_SETTINGS = tuple(name for name in FAMILIES if name != "gaussian")
_VARIANCE: Any = Field(default="network", description="one of fixed, scalar, feature, network")
_SCALE = number(1.0, "a standard deviation from 1e-6 to 1e6 (held if fixed, else the start)", ge=1e-6, le=1e6)


class _Likelihood(Kind):
    """A likelihood; of ``pictures`` where a pixel depends on those before it."""

    pictures: ClassVar[bool] = False

    @property
    def family(self) -> families.Family | None:
        """The family of all features, where they are alike and independent given z."""
        return None

    @property
    def support(self) -> supports.Support:
        """The values that have a density; those of a table are known by its columns."""
        return supports.anything if self.family is None else self.family.support

    def part(self, nets: Networks, *, key: PRNGKey) -> _Part:
        """The likelihood given the latents of one layer, or jointly those of all."""
        raise NotImplementedError

    def build(self, nets: Networks, *, key: PRNGKey) -> Any:
        """Given all latents: of the lowest layer, or jointly of all of them if q is drawn from the top."""
        part = self.part(nets, key=key)
        return likelihoods.Chain(part) if len(nets.sizes.latents) > 1 and not nets.joint else part


class Featurewise(_Likelihood):
    """A family of independent features, all of whose parameters the network gives."""

    if TYPE_CHECKING:
        kind: str
    else:
        kind: Literal[_WITHOUT_SETTINGS]

    @property
    def family(self) -> families.Family:
        return FAMILIES[self.kind]()

    def of(self, sizes: Model, features: int) -> families.Family:
        """The family of a model with these settings."""
        if self.kind == "discretized_logistic" and sizes.network.kind == "conv_hvae":
            return families.discretized_logistic(_GREY_SCALE)
        return self.family

    def part(self, nets: Networks, *, key: PRNGKey) -> _Part:
        """Its untrained output is the mean of the training data, as far as it has one, and their scale."""
        mean, scale = jnp.asarray(nets.start.mean), jnp.asarray(nets.start.scale)
        family = self.of(nets.sizes, len(mean))
        first = family.start(mean, scale)
        bias = jnp.concatenate([*first, *[jnp.zeros_like(mean)] * (family.outputs_per_feature - len(first))])
        return likelihoods.Likelihood(_network(nets, family.outputs_per_feature, key=key, bias=bias), family)


class Gaussian(Featurewise):
    """Normal features, their variance held, learned or given by the network."""

    kind: Literal["gaussian"] = "gaussian"  # pyright: ignore[reportIncompatibleVariableOverride]
    variance: Literal["fixed", "scalar", "feature", "network"] = _VARIANCE
    scale: float = _SCALE

    def of(self, sizes: Model, features: int) -> families.Family:
        if self.variance == "network":
            return self.family
        of_each = features if self.variance == "feature" else None
        return families.gaussian(self.scale, features=of_each, learned=self.variance != "fixed")


class Chosen(_Likelihood):
    """What suits the data, which are not read yet; if that is a Gaussian, with these settings."""

    kind: Literal[None] = None
    variance: Literal["fixed", "scalar", "feature", "network"] = _VARIANCE
    scale: float = _SCALE


class Columns(_Likelihood):
    """A family per column of a table, in the column's own units."""

    kind: Literal["columns"] = "columns"

    def part(self, nets: Networks, *, key: PRNGKey) -> _Part:
        table = nets.start.table
        if table is None:
            raise ValueError("model.likelihood=columns needs a table with columns (.csv or .parquet), got rows without")
        net = _network(nets, 1, key=key, bias=jnp.asarray(output_bias(table), float))
        return likelihoods.Scaled(likelihoods.Likelihood(net, in_units(table)), table.loc, table.scale)


class Autoregressive(_Likelihood):
    """Pixels of 0 and 1, each given those before it and a map of the picture's size from every latent (PixelCNN)."""

    pictures: ClassVar[bool] = True
    kind: Literal["pixelcnn", "gated_pixelcnn"]

    @property
    def support(self) -> supports.Support:
        return supports.binary

    def part(self, nets: Networks, *, key: PRNGKey) -> _Part:
        _, height, width = nets.image()
        features, latents = len(nets.start.mean), nets.sizes.latents
        of_maps, of_network = jax.random.split(key)
        if nets.joint:
            maps: Any = nn.Joined(_branches(nets, features, jax.random.split(of_maps, len(latents))))
        else:
            hidden = tuple(reversed(nets.sizes.hiddens[0]))
            maps = nets.dense(latents[0], hidden, features, of="decoder", key=of_maps)
        make = nn.PixelCNN if self.kind == "pixelcnn" else nn.GatedPixelCNN
        maps_in = len(latents) if nets.joint else 1
        how: dict[str, Any] = {"channels": _PIXEL_CHANNELS, "layers": _PIXEL_LAYERS, "map_channels": maps_in}
        return likelihoods.Autoregressive(maps, make((height, width), **how, key=of_network))


class Graph(_Likelihood):
    """Links between nodes, independent given the latents of all nodes."""

    kind: Literal["graph"] = "graph"
    score: Literal["inner_product", "scaled", "degree_corrected", "distance", "bilinear", "rates"] = Field(
        default="scaled",
        description="of a pair: inner_product, scaled (with a learned scale and bias), degree_corrected, distance, "
        "bilinear, or rates (how often nodes are linked)",
    )
    weight: Literal["one", "balanced"] = Field(
        default="one",
        description="how often a link counts: one, or balanced (as often as there are pairs without one for each, and "
        "every node is linked to itself, as Kipf and Welling have it: no likelihood)",
    )

    @property
    def support(self) -> supports.Support:
        return supports.binary

    def part(self, nets: Networks, *, key: PRNGKey) -> _Part:
        """Its untrained score is about the log-odds of a link."""
        graph = nets.graph()
        bias = math.log(graph.density / (1 - graph.density))
        scores: dict[str, Callable[[], nn.AbstractPairScore]] = {
            "inner_product": nn.InnerProduct,
            "scaled": lambda: nn.ScaledInnerProduct(bias=bias),
            "degree_corrected": lambda: nn.DegreeCorrected(bias),
            "distance": lambda: nn.Distance(bias + 2 * nets.sizes.latents[0]),
            "bilinear": lambda: nn.Bilinear(nets.sizes.latents[0], key=key, bias=bias),
            "rates": lambda: nn.Rates(nets.sizes.latents[0], rate=graph.density / nets.sizes.latents[0]),
        }
        ends = graph.density * graph.nodes * (graph.nodes - 1)
        balanced = self.weight == "balanced"
        return likelihoods.Graph(
            scores[self.score](),
            graph.pairs,
            graph.nodes,
            link="poisson" if self.score == "rates" else "logistic",
            edge_weight=(graph.nodes**2 - ends) / ends if balanced else 1.0,
            loops=balanced,
        )


Likelihood: TypeAlias = Annotated[
    Featurewise | Gaussian | Chosen | Columns | Autoregressive | Graph, Field(discriminator="kind")
]


def _network(nets: Networks, heads: int, *, key: PRNGKey, bias: Array | None) -> Any:
    """The decoder: of z_1, or of (z_1, ..., z_L) with a branch for each."""
    widths, latents = tuple(reversed(nets.sizes.hiddens[0])), nets.sizes.latents
    if not nets.joint:
        return nets.decoder(latents[0], widths, heads, key=key, bias=bias)
    *of_branches, of_joint = jax.random.split(key, len(latents) + 1)
    first, *rest = widths
    branches = _branches(nets, first, of_branches)
    joint = nets.decoder(first * len(branches), tuple(rest), heads, key=of_joint, bias=bias)
    return nn.Joined(branches, joint)


def _branches(nets: Networks, outputs: int, keys: Iterable[PRNGKey]) -> tuple[Any, ...]:
    """A layer of each latent, before what they share."""
    return tuple(
        nets.dense(latent, (outputs,), None, of="decoder", key=key)
        for latent, key in zip(nets.sizes.latents, keys, strict=True)
    )
