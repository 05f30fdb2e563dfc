"""The networks inside parts: dense, gated or convolutional, all with the widths of the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Array, Float
from pydantic import AfterValidator, Field

from iwax import nn
from iwax._typing import PRNGKey
from iwax.settings.fields import LARGEST_DEPTH, LARGEST_LAYER, Units, integer
from iwax.settings.parted import Kind
from iwax.settings.parts.columns import TableStart
from iwax.settings.parts.columns import feature_encoding as of_table

if TYPE_CHECKING:
    from iwax.settings.model import Model

__all__ = [
    "Dense",
    "FeatureStatistics",
    "Network",
    "decoder",
    "dense",
    "encoder",
    "feature_encoding",
    "image",
    "one_layer",
]

Bias: TypeAlias = Float[Array, " out"] | None
Hidden: TypeAlias = tuple[int, ...]

_GATED_START = "glorot_normal"  # s = sqrt(2 / (in + out)), as in the Householder flow's program


class FeatureStatistics(NamedTuple):
    """What an untrained model is made to fit: mean and standard deviation of every feature of the training data as the
    model sees them, the shape of one row before flattening, some rows [m, features], and the columns of a table."""

    mean: Float[np.ndarray, " features"]
    scale: Float[np.ndarray, " features"]
    shape: tuple[int, ...] = ()
    rows: Float[np.ndarray, "rows features"] | None = None
    table: TableStart | None = None


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


class ConvHvae(_Network):
    """The gated convolutions of Tomczak and Welling (2018, arXiv:1705.07120)."""

    kind: Literal["conv_hvae"] = "conv_hvae"


Network: TypeAlias = Annotated[Dense | Conv | ConvHvae, Field(discriminator="kind")]


def feature_encoding(sizes: Model, start: FeatureStatistics) -> nn.FeatureEncoding | None:
    """What the encoder reads of a row; None where that is the values themselves."""
    if start.table is not None:
        return of_table(start.table, mask=bool(sizes.mask))
    features = len(start.mean)
    return nn.FeatureEncoding(np.zeros(features), np.ones(features), mask=True) if sizes.mask else None


def image(sizes: Model, start: FeatureStatistics) -> tuple[int, int, int]:
    """(channels, height, width) of the data; of one channel but for network=conv. ValueError where a row is no such
    picture."""
    colours = isinstance(sizes.network, Conv)
    if colours and len(start.shape) == 3:
        height, width, channels = start.shape
        return channels, height, width
    if len(start.shape) != 2:
        conv = sizes.network.convolutional
        asks = f"model.network={sizes.network.kind}" if conv else f"model.likelihood={sizes.likelihood.kind}"
        raise ValueError(
            f"{asks} needs data that are pictures of rows x columns{' (or x channels)' if colours else ''}, "
            f"got rows of shape {tuple(start.shape)}"
        )
    return (1, *start.shape)


def dense(
    sizes: Model,
    inputs: int,
    hidden: Hidden,
    outputs: int | None,
    *,
    of: Literal["encoder", "decoder"] | None,
    key: PRNGKey,
    heads: int = 1,
    bias: Bias = None,
) -> nn.MLP:
    """Dense layers of these widths; without ``outputs``, to the last hidden one. ``outputs`` are those of all heads.

    Whether their weights are random is a matter of whose they are, ``of``; nobody's (None) are not.
    """
    gated = sizes.network.kind in ("gated", "conv_hvae")
    how = {"activation": "gated", "initial": _GATED_START} if gated else {"activation": sizes.activation}
    random = sizes.uncertain if sizes.uncertain is not None and sizes.uncertain.of in (of, "both") and of else None
    return nn.MLP(
        inputs,
        hidden,
        outputs,
        key=key,
        heads=heads,
        output_bias=bias,
        sigma=None if random is None else random.sigma,
        floor=0.0 if random is None else random.floor,
        norm=bool(sizes.layer_norm),
        **how,
    )


def encoder(
    sizes: Model,
    start: FeatureStatistics,
    inputs: int,
    hidden: Hidden,
    outputs: int | None,
    *,
    key: PRNGKey,
    heads: int = 1,
) -> Any:
    """A network of the data, or of the latents below: convolutional where that is set and the inputs are the data."""
    network = sizes.network
    if isinstance(network, Dense) or inputs != len(start.mean):
        return dense(sizes, inputs, hidden, outputs, of="encoder", key=key, heads=heads)
    if isinstance(network, ConvHvae):
        return nn.conv_hvae_encoder(image(sizes, start), outputs, key=key, heads=heads)
    return nn.ConvNet(
        image(sizes, start),
        network.layers,
        outputs,
        hidden=hidden,
        activation=sizes.activation,
        key=key,
        heads=heads,
        channels_last=True,
    )


def decoder(
    sizes: Model,
    start: FeatureStatistics,
    inputs: int,
    hidden: Hidden,
    heads: int,
    *,
    key: PRNGKey,
    bias: Bias = None,
) -> Any:
    """A network to ``heads`` numbers a feature of the data; of a table, to as many as there are biases."""
    features = len(start.mean)
    if start.table is not None and bias is not None:
        return dense(sizes, inputs, hidden, len(bias), of="decoder", key=key, bias=bias)
    if sizes.memory is not None:
        return nn.MemoryMLP(
            inputs,
            hidden,
            heads * features,
            slots=tuple(reversed(sizes.memory.slots)),
            key=key,
            heads=heads,
            output_bias=bias,
            norm=bool(sizes.layer_norm),
            attention=sizes.memory.attention,
            composition=sizes.memory.composition,
        )
    if isinstance(sizes.network, Conv):
        return _convolutions_back(sizes, sizes.network, start, inputs, hidden, heads, key=key, bias=bias)
    if isinstance(sizes.network, Dense):
        return dense(sizes, inputs, hidden, heads * features, of="decoder", key=key, heads=heads, bias=bias)
    if heads != 1:
        raise ValueError(
            f"model.network=conv_hvae gives one number per pixel, and model.likelihood={sizes.likelihood.kind} needs "
            f"{heads}: use network=conv, or bernoulli, "
            "continuous_bernoulli, discretized_logistic, or gaussian with model.likelihood.variance=scalar"
        )
    return nn.conv_hvae_decoder(inputs, image(sizes, start), key=key, output_bias=bias)


def _convolutions_back(
    sizes: Model,
    network: Conv,
    start: FeatureStatistics,
    inputs: int,
    hidden: Hidden,
    heads: int,
    *,
    key: PRNGKey,
    bias: Bias,
) -> nn.DeconvNet:
    """The encoder's convolutions the other way round: dense layers, then transposed convolutions to the pixels."""
    channels, *size = picture = image(sizes, start)
    widths, layers = [heads * channels], []
    for each, kernel, stride in network.layers:
        layers.append((widths[-1], kernel, stride))
        widths.append(each)
        size = [-(-pixels // stride) for pixels in size]
    return nn.DeconvNet(
        inputs,
        picture,
        layers[::-1],
        start=(widths[-1], size[0], size[1]),
        hidden=hidden,
        activation=sizes.activation,
        key=key,
        output_bias=bias,
        channels_last=True,
    )


def one_layer(sizes: Model, inputs: int, outputs: int, *, of: Literal["encoder", "decoder"], key: PRNGKey) -> Any:
    """One hidden layer, as a branch before a joint network."""
    return dense(sizes, inputs, (outputs,), None, of=of, key=key)
