"""Convolutional networks from a vector to a flat image, as a decoder is."""

import math
from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax._typing import AnyArray, PRNGKey
from iwax.nn.conv import Conv, ConvLayer, Image, Spec, stacked
from iwax.nn.mlp import MLP
from iwax.nn.sizes import check_one, check_output_bias

__all__ = ["DeconvNet"]


class DeconvNet(eqx.Module):
    """A vector through dense layers to an image ``start``, through transposed convolutions to a flat image, logits say.

    ``layers`` are `Conv` or tuples (channels, kernel, stride), a stride multiplying height and width; all of them, and
    the dense layers of widths ``hidden`` and of ``start``, have the same activation (a name, or "gated") but the last
    layer, which is affine. Where that gives twice the channels of an image, the halves of the output are two heads.
    ``output_bias`` [out] is a learned bias of every pixel from there on, instead of one a channel. Each image is flat
    channel by channel or, with ``channels_last``, pixel by pixel. Rows and columns beyond those of ``image`` (channels,
    height, width), fewer than all strides together make of one, are left out at the bottom and the right. Takes one
    datum. Raises ValueError where the last layer gives too few pixels or more than that, and as `ConvLayer` and `MLP`.

    >>> layers = [(16, 3, 2), (1, 5, 2)]
    >>> net = DeconvNet(40, (1, 28, 28), layers, start=(32, 7, 7), key=jax.random.key(0))
    >>> net(jnp.zeros(40)).shape
    (784,)
    """

    dense: MLP
    layers: tuple[ConvLayer, ...]
    output_bias: Float[Array, " out"] | None
    image: Image = eqx.field(static=True)
    channels_last: bool = eqx.field(static=True)

    def __init__(
        self,
        in_features: int,
        image: Image,
        layers: Sequence[Spec],
        *,
        start: Image,
        key: PRNGKey,
        hidden: tuple[int, ...] = (),
        activation: str = "relu",
        output_bias: Float[AnyArray, " out"] | None = None,
        initial: str = "glorot_uniform",
        channels_last: bool = False,
    ) -> None:
        self.image, self.channels_last = image, channels_last
        if not layers:
            raise ValueError("a DeconvNet needs at least one convolutional layer, the output's, got none")
        widths, first = (*hidden, math.prod(start)), jax.random.fold_in(key, len(layers))
        self.dense = MLP(in_features, widths, None, key=first, activation=activation, initial=initial)
        *inner, last = layers
        built = stacked(start, inner, key=key, activation=activation, initial=initial, transposed=True)
        output = ConvLayer(
            built[-1].out_image if built else start,
            Conv.of(last),
            key=jax.random.fold_in(key, len(inner)),
            activation="linear",
            transposed=True,
            initial=initial,
            use_bias=output_bias is None,
        )
        self.layers = (*built, output)
        _check_output(output.out_image, image, math.prod(layer.spec.stride for layer in self.layers))
        if output_bias is not None:
            check_output_bias(output_bias, self.out_features)
        self.output_bias = None if output_bias is None else jnp.asarray(output_bias, output.conv.weight.dtype)

    @property
    def in_features(self) -> int:
        """How many numbers it takes."""
        return self.dense.in_features

    @property
    def out_features(self) -> int:
        """How many numbers it gives: those of an image, or of two."""
        return self.layers[-1].out_image[0] * math.prod(self.image[1:])

    def __call__(self, x: Float[AnyArray, "..."], *, key: PRNGKey | None = None) -> Float[Array, " out"]:
        """The flat image at one vector; ``key`` is ignored. Raises ValueError where x has another size."""
        check_one(x, self.in_features, "a DeconvNet")
        h = self.dense(x).reshape(self.layers[0].image)
        for layer in self.layers:
            h = layer(h)
        h = h[:, : self.image[1], : self.image[2]]
        if self.channels_last:
            h = h.reshape(-1, *self.image).transpose(0, 2, 3, 1)
        return h.reshape(-1) if self.output_bias is None else h.reshape(-1) + self.output_bias


def _check_output(got: Image, image: Image, strides: int) -> None:
    channels, *size = got
    if not all(0 <= given - needed < strides for given, needed in zip(size, image[1:], strict=True)) or (
        channels % image[0]
    ):
        raise ValueError(
            f"the last layer of a DeconvNet of images {image} needs to give {image[1]} x {image[2]} pixels, in a "
            f"multiple of {image[0]} channels; got {size[0]} x {size[1]} in {channels}: see start, strides and channels"
        )
