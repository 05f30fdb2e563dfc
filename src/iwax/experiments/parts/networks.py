"""The networks inside parts: dense, gated or convolutional, all with the widths of the settings."""

from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Array, Float

from iwax import nn
from iwax._typing import PRNGKey
from iwax.experiments.families import CONVOLUTIONAL
from iwax.experiments.model import Model
from iwax.experiments.parts.columns import TableStart, coding

__all__ = ["Moments", "coded", "decoder", "dense", "encoder", "image", "one_layer"]

Owner: TypeAlias = Literal["encoder", "decoder"]

_GATED_START = "glorot_normal"  # s = sqrt(2 / (in + out)), as in the Householder flow's program


class Moments(NamedTuple):
    """What an untrained model is made to fit: mean and standard deviation of every feature of the training data as the
    model sees them, the shape of one row before flattening, some rows [m, features], and the columns of a table."""

    mean: Float[np.ndarray, " features"]
    scale: Float[np.ndarray, " features"]
    shape: tuple[int, ...] = ()
    rows: Float[np.ndarray, "rows features"] | None = None
    table: TableStart | None = None


def coded(sizes: Model, start: Moments) -> nn.Coding | None:
    """How the encoder reads a row, where it does not read the values themselves."""
    if start.table is not None:
        return coding(start.table, mask=bool(sizes.mask))
    features = len(start.mean)
    return nn.Coding(np.zeros(features), np.ones(features), mask=True) if sizes.mask else None


def image(sizes: Model, start: Moments) -> tuple[int, int, int]:
    """(channels, height, width) of the data; of one channel but for network=conv. ValueError where a row is no such
    picture."""
    if sizes.network == "conv" and len(start.shape) == 3:
        height, width, channels = start.shape
        return channels, height, width
    if len(start.shape) != 2:
        conv = sizes.network in CONVOLUTIONAL
        asks = f"model.network={sizes.network}" if conv else f"model.likelihood={sizes.likelihood}"
        colours = " (or x channels)" if sizes.network == "conv" else ""
        raise ValueError(
            f"{asks} needs data that are pictures of rows x columns{colours}, got rows of shape {tuple(start.shape)}"
        )
    return (1, *start.shape)


def dense(
    sizes: Model,
    inputs: int,
    hidden: tuple[int, ...],
    outputs: int | None,
    *,
    of: Owner | None,
    key: PRNGKey,
    heads: int = 1,
    bias: Float[Array, " out"] | None = None,
) -> nn.MLP | nn.GatedMLP:
    """Dense layers of these widths; without ``outputs``, to the last hidden one. ``outputs`` are those of all heads.

    Whether their weights are random is a matter of whose they are, ``of``; nobody's (None) are not.
    """
    gated = sizes.network in ("gated", "conv_hvae")
    how = {"activation": "gated", "initial": _GATED_START} if gated else {"activation": sizes.activation}
    sigma, floor = (None, 0.0) if of is None else sizes.uncertainty(of)
    return nn.dense_network(
        inputs,
        hidden,
        outputs,
        key=key,
        heads=heads,
        output_bias=bias,
        sigma=sigma,
        floor=floor,
        norm=bool(sizes.layer_norm),
        **how,
    )


def encoder(
    sizes: Model,
    start: Moments,
    inputs: int,
    hidden: tuple[int, ...],
    outputs: int | None,
    *,
    key: PRNGKey,
    heads: int = 1,
) -> Any:
    """A network of the data, or of the latents below: convolutional where that is set and the inputs are the data."""
    if sizes.network in CONVOLUTIONAL and inputs == len(start.mean):
        if sizes.network == "conv_hvae":
            return nn.conv_hvae_encoder(image(sizes, start), outputs, key=key, heads=heads)
        return nn.ConvNet(
            image(sizes, start),
            sizes.convolutions,
            outputs,
            hidden=hidden,
            activation=sizes.activation,
            key=key,
            heads=heads,
            channels_last=True,
        )
    return dense(sizes, inputs, hidden, outputs, of="encoder", key=key, heads=heads)


def decoder(
    sizes: Model,
    start: Moments,
    inputs: int,
    hidden: tuple[int, ...],
    heads: int,
    *,
    key: PRNGKey,
    bias: Float[Array, " out"] | None = None,
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
            slots=tuple(reversed(sizes.memory)),
            key=key,
            heads=heads,
            output_bias=bias,
            norm=bool(sizes.layer_norm),
            attention=sizes.attention or "sigmoid",
            composition=sizes.composition or "full",
        )
    if sizes.network == "conv":
        return _convolutions_back(sizes, start, inputs, hidden, heads, key=key, bias=bias)
    if sizes.network != "conv_hvae":
        return dense(sizes, inputs, hidden, heads * features, of="decoder", key=key, heads=heads, bias=bias)
    if heads != 1:
        raise ValueError(
            f"model.network=conv_hvae gives one number per pixel, and model.likelihood={sizes.likelihood} needs "
            f"{heads}: use network=conv, or bernoulli, "
            "continuous_bernoulli, discretized_logistic, or gaussian with model.variance=scalar"
        )
    return nn.conv_hvae_decoder(inputs, image(sizes, start), key=key, output_bias=bias)


def _convolutions_back(
    sizes: Model,
    start: Moments,
    inputs: int,
    hidden: tuple[int, ...],
    heads: int,
    *,
    key: PRNGKey,
    bias: Float[Array, " out"] | None,
) -> nn.DeconvNet:
    """The encoder's convolutions the other way round: dense layers, then transposed convolutions to the pixels."""
    channels, *size = picture = image(sizes, start)
    widths, layers = [heads * channels], []
    for each, kernel, stride in sizes.convolutions:
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


def one_layer(sizes: Model, inputs: int, outputs: int, *, of: Owner, key: PRNGKey) -> Any:
    """One hidden layer, as a branch before a joint network."""
    return dense(sizes, inputs, (outputs,), None, of=of, key=key)
