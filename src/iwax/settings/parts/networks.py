"""The networks inside parts: dense, gated or convolutional, all with the widths of the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Array, Float, Int
from pydantic import AfterValidator, Field

from iwax import nn
from iwax._typing import PRNGKey
from iwax.settings.fields import LARGEST_DEPTH, LARGEST_LAYER, Units, integer
from iwax.settings.parted import Kind
from iwax.settings.parts.columns import TableStart, feature_encoding

if TYPE_CHECKING:
    from iwax.settings.model import Model

__all__ = [
    "Dense",
    "FeatureStatistics",
    "GraphStart",
    "Network",
    "Networks",
]

Bias: TypeAlias = Float[Array, " out"] | None
Hidden: TypeAlias = tuple[int, ...]

_GATED_START = "glorot_normal"  # s = sqrt(2 / (in + out)), as in the Householder flow's program


class FeatureStatistics(NamedTuple):
    """What an untrained model is made to fit: mean and standard deviation of every feature of the training data as the
    model sees them, the shape of one row before flattening, some rows [m, features], the columns of a table, and the
    pairs and nodes of a graph."""

    mean: Float[np.ndarray, " features"]
    scale: Float[np.ndarray, " features"]
    shape: tuple[int, ...] = ()
    rows: Float[np.ndarray, "rows features"] | None = None
    table: TableStart | None = None
    graph: GraphStart | None = None


class GraphStart(NamedTuple):
    """The pairs that a row of a graph lists, its nodes, what is known of each, and the share of linked pairs."""

    pairs: Int[np.ndarray, "pairs 2"]
    nodes: int
    features: Float[np.ndarray, "nodes features"] | None
    density: float


class _Network(Kind):
    """What encoders and decoders are made of; ``convolutional`` where that is no dense layers alone."""

    convolutional: ClassVar[bool] = True

    def check(self, model: Model) -> None:
        if model.layer_norm and model.network.kind != "mlp":
            raise ValueError(f"model.layer_norm=true needs model.network=mlp, got {model.network.kind}")


class Dense(_Network):
    """Dense layers, with an activation or with gates in its place."""

    convolutional: ClassVar[bool] = False
    kind: Literal["mlp", "gated"] = "mlp"


def _odd(width: int) -> int:
    if width % 2 == 0:
        raise ValueError("a kernel has an odd width, so that a pixel is in its middle")
    return width


class Conv(_Network):
    """Convolutions of pictures, then dense layers; of the decoder the same backwards."""

    kind: Literal["conv"] = "conv"
    channels: Annotated[tuple[Units, ...], Field(min_length=1, max_length=LARGEST_DEPTH)] = Field(
        default=(16, 32),
        description="channels of every convolution of the encoder, and backwards of the decoder: a list of integers "
        f"from 1 to {LARGEST_LAYER}",
    )
    kernel: Annotated[int, AfterValidator(_odd)] = integer(
        3, 1, 255, "the width of every kernel, to be odd, so that a pixel is in its middle"
    )
    stride: int = integer(2, 1, 16, "of every convolution")

    @property
    def layers(self) -> tuple[tuple[int, int, int], ...]:
        """(channels, kernel, stride) of every convolution of the encoder."""
        return tuple((each, self.kernel, self.stride) for each in self.channels)

    def backwards(self, channels: int, size: list[int]) -> tuple[list[tuple[int, int, int]], nn.Image]:
        """The transposed convolutions that undo them, to this many channels of that size, and what they start from."""
        widths, layers = [channels], []
        for each in self.channels:
            layers.append((widths[-1], self.kernel, self.stride))
            widths.append(each)
            size = [-(-pixels // self.stride) for pixels in size]
        return layers[::-1], (widths[-1], size[0], size[1])


class ConvHvae(_Network):
    """The gated convolutions of Tomczak and Welling (2018, arXiv:1705.07120)."""

    kind: Literal["conv_hvae"] = "conv_hvae"


class Graph(_Network):
    """Graph convolutions (Kipf and Welling 2017, arXiv:1609.02907): of a graph, whose decoder is the score of pairs."""

    kind: Literal["graph"] = "graph"
    features: bool = Field(
        default=True, description="true (the encoder reads the features of nodes, where there are any) or false"
    )

    def check(self, model: Model) -> None:
        super().check(model)
        for part, kinds in (("posterior", ("gaussian", "point")), ("likelihood", ("graph", None))):
            if dict(model)[part].kind not in kinds:
                needed = " or ".join(kind for kind in kinds if kind)
                raise ValueError(f"model.network=graph needs model.{part}={needed}, got {dict(model)[part].kind}")
        if len(model.latents) > 1:
            raise ValueError(f"model.network=graph needs one stochastic layer, got model.latent={list(model.latents)}")


Network: TypeAlias = Annotated[Dense | Conv | ConvHvae | Graph, Field(discriminator="kind")]


class Networks(NamedTuple):
    """The networks of a model with these settings, which starts from these feature statistics."""

    sizes: Model
    start: FeatureStatistics

    @property
    def latents(self) -> tuple[int, ...]:
        """Latent units of every stochastic layer, from the data up; of a graph those of all its nodes."""
        nodes = 1 if self.start.graph is None else self.start.graph.nodes
        return tuple(nodes * latent for latent in self.sizes.latents)

    def graph(self) -> GraphStart:
        """The graph that the data are. Raises ValueError where they are none."""
        if self.start.graph is None:
            raise ValueError(
                f"model.network={self.sizes.network.kind} and model.likelihood={self.sizes.likelihood.kind} need a "
                "graph, got rows; --set data.graph=true reads a list of links"
            )
        return self.start.graph

    @property
    def joint(self) -> bool:
        """Whether p(x|z) is given the latents of all layers, as they are drawn from the top."""
        return self.sizes.order == "top_down"

    def feature_encoding(self) -> nn.FeatureEncoding | None:
        """What the encoder reads of a row; None where that is the values themselves."""
        if self.start.table is not None:
            return feature_encoding(self.start.table, mask=bool(self.sizes.mask))
        features = len(self.start.mean)
        return nn.FeatureEncoding(np.zeros(features), np.ones(features), mask=True) if self.sizes.mask else None

    def image(self) -> nn.Image:
        """(channels, height, width) of the data, of one channel unless network=conv.

        Raises ValueError if a row is no such picture.
        """
        network, shape = self.sizes.network, self.start.shape
        colours = isinstance(network, Conv)
        if colours and len(shape) == 3:
            height, width, channels = shape
            return channels, height, width
        if len(shape) != 2:
            asks = ("network", network) if network.convolutional else ("likelihood", self.sizes.likelihood)
            raise ValueError(
                f"model.{asks[0]}={asks[1].kind} needs data that are pictures of rows x columns"
                f"{' (or x channels)' if colours else ''}, got rows of shape {tuple(shape)}"
            )
        return 1, *shape

    def dense(
        self,
        inputs: int,
        hidden: Hidden,
        outputs: int | None,
        *,
        of: Literal["encoder", "decoder"] | None,
        key: PRNGKey,
        heads: int = 1,
        bias: Bias = None,
    ) -> nn.MLP:
        """Dense layers of these widths, to the ``outputs`` of all heads; without those, to the last hidden one.

        ``of`` names the part that they belong to, whose weights may be random; None: they are not.
        """
        gated = self.sizes.network.kind in ("gated", "conv_hvae")
        random = self.sizes.stochastic_weights if of else None
        of_weights = None if random is None or random.of not in (of, "both") else random
        return nn.MLP(
            inputs,
            hidden,
            outputs,
            key=key,
            activation="gated" if gated else self.sizes.activation,
            initial=_GATED_START if gated else "glorot_uniform",
            heads=heads,
            output_bias=bias,
            sigma=None if of_weights is None else of_weights.sigma,
            floor=0.0 if of_weights is None else of_weights.floor,
            norm=bool(self.sizes.layer_norm),
        )

    def encoder(self, inputs: int, hidden: Hidden, outputs: int | None, *, key: PRNGKey, heads: int = 1) -> Any:
        """A network of the data, or of the latents below: convolutional if set, where the inputs are the data."""
        network = self.sizes.network
        if isinstance(network, Graph):
            of, known = self.graph(), self.graph().features if network.features else None
            return nn.GraphConvolution(
                of.pairs, of.nodes, hidden=hidden, out=(outputs or 0) // of.nodes, features=known, heads=heads, key=key
            )
        if isinstance(network, Dense) or inputs != len(self.start.mean):
            return self.dense(inputs, hidden, outputs, of="encoder", key=key, heads=heads)
        if isinstance(network, ConvHvae):
            return nn.conv_hvae_encoder(self.image(), outputs, key=key, heads=heads)
        return nn.ConvNet(
            self.image(),
            network.layers,
            outputs,
            hidden=hidden,
            activation=self.sizes.activation,
            key=key,
            heads=heads,
            channels_last=True,
        )

    def decoder(self, inputs: int, hidden: Hidden, heads: int, *, key: PRNGKey, bias: Bias = None) -> Any:
        """A network to ``heads`` numbers per feature of the data; for a table, to as many as there are biases."""
        sizes, outputs = self.sizes, heads * len(self.start.mean)
        if self.start.table is not None and bias is not None:
            return self.dense(inputs, hidden, len(bias), of="decoder", key=key, bias=bias)
        if sizes.memory is not None:
            return nn.MemoryMLP(
                inputs,
                hidden,
                outputs,
                slots=tuple(reversed(sizes.memory.slots)),
                key=key,
                heads=heads,
                output_bias=bias,
                norm=bool(sizes.layer_norm),
                attention=sizes.memory.attention,
                composition=sizes.memory.composition,
            )
        if isinstance(sizes.network, Conv):
            channels, *size = picture = self.image()
            layers, start = sizes.network.backwards(heads * channels, size)
            return nn.DeconvNet(
                inputs,
                picture,
                layers,
                start=start,
                hidden=hidden,
                activation=sizes.activation,
                key=key,
                output_bias=bias,
                channels_last=True,
            )
        if isinstance(sizes.network, Dense):
            return self.dense(inputs, hidden, outputs, of="decoder", key=key, heads=heads, bias=bias)
        if heads != 1:
            raise ValueError(
                f"model.network=conv_hvae gives one number per pixel, and model.likelihood={sizes.likelihood.kind} "
                f"needs {heads}: use network=conv, or bernoulli, "
                "continuous_bernoulli, discretized_logistic, or gaussian with model.likelihood.variance=scalar"
            )
        return nn.conv_hvae_decoder(inputs, self.image(), key=key, output_bias=bias)
