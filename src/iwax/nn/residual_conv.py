"""Convolutional residual networks: a small ResNet from a flat image to a vector, and one back."""

import math
from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax._typing import AnyArray, PRNGKey
from iwax.nn.conv import Conv, ConvLayer, Image
from iwax.nn.linear import Linear
from iwax.nn.mlp import ACTIVATIONS, activation_named
from iwax.nn.normalisation import ChannelNorm
from iwax.nn.sizes import as_image, check_one, check_output_bias

__all__ = ["ResNetDecoder", "ResNetEncoder", "ResidualConvBlock"]


class ResidualConvBlock(eqx.Module):
    """``S h + W' * f(norm(W * f(norm h)))`` for one image, the norm over the channels of a pixel (`ChannelNorm`).

    He et al. (2016, arXiv:1603.05027) without batch statistics. The first convolution, 3 x 3, may have a stride or,
    going ``up``, be the adjoint of one; S is then a convolution of the same stride, 1 x 1 or (upwards) 3 x 3, as where
    the channels change, and the identity otherwise. ``share`` scales W' at the start.

    >>> block = ResidualConvBlock((8, 14, 14), 16, 2, key=jax.random.key(0))
    >>> block.out_image
    (16, 7, 7)
    """

    norms: tuple[ChannelNorm, ChannelNorm]
    inner: ConvLayer
    outer: ConvLayer
    skip: ConvLayer | None
    activation: str = eqx.field(static=True)

    def __init__(
        self,
        image: Image,
        channels: int,
        stride: int = 1,
        *,
        key: PRNGKey,
        activation: str = "relu",
        up: bool = False,
        share: float = 1.0,
    ) -> None:
        activation_named(activation)
        keys = [jax.random.fold_in(key, i) for i in range(3)]
        self.inner = _affine(image, Conv(channels, 3, stride), keys[0], transposed=up)
        outer = _affine(self.inner.out_image, Conv(channels, 3), keys[1])
        self.outer = eqx.tree_at(lambda layer: layer.conv.weight, outer, share * outer.conv.weight)
        self.norms = (ChannelNorm(image[0]), ChannelNorm(channels))
        changes = stride > 1 or channels != image[0]
        wide = 3 if up and stride > 1 else 1  # a 1 x 1 convolution upwards would leave gaps
        self.skip = _affine(image, Conv(channels, wide, stride), keys[2], transposed=up) if changes else None
        self.activation = activation

    @property
    def out_image(self) -> Image:
        """(channels, height, width) of its outputs."""
        return self.outer.out_image

    def __call__(
        self, x: Float[Array, "channels height width"], *, key: PRNGKey | None = None
    ) -> Float[Array, "out out_height out_width"]:
        """The output at an image; ``key`` is ignored. Raises ValueError where it has another size."""
        f = ACTIVATIONS[self.activation]
        h = self.outer(f(self.norms[1](self.inner(f(self.norms[0](x))))))
        return h + (x if self.skip is None else self.skip(x))


class ResNetEncoder(eqx.Module):
    """A flat image through a 3 x 3 convolution, residual blocks (channels, stride), and an affine map.

    He et al. (2016, arXiv:1603.05027), without batch statistics. Takes one datum; `jax.vmap` makes it many. Raises
    ValueError as `ConvLayer` and `Linear`.

    >>> net = ResNetEncoder((1, 28, 28), [(16, 2), (32, 2)], 2 * 40, key=jax.random.key(0), heads=2)
    >>> net.in_features, net.out_features
    (784, 80)
    """

    first: ConvLayer
    blocks: tuple[ResidualConvBlock, ...]
    norm: ChannelNorm
    output: Linear

    def __init__(
        self,
        image: Image,
        blocks: Sequence[tuple[int, int]],
        out_features: int,
        *,
        key: PRNGKey,
        activation: str = "relu",
        heads: int = 1,
    ) -> None:
        _check_blocks(blocks)
        self.first = _affine(image, Conv(blocks[0][0], 3), jax.random.fold_in(key, 0))
        self.blocks = _stack(self.first.out_image, blocks, key, activation, up=False)
        last = self.blocks[-1].out_image
        self.norm = ChannelNorm(last[0])
        self.output = Linear(math.prod(last), out_features, key=jax.random.fold_in(key, 1), heads=heads)

    @property
    def in_features(self) -> int:
        """How many numbers it takes: those of an image."""
        return math.prod(self.first.image)

    @property
    def out_features(self) -> int:
        """How many numbers it gives."""
        return self.output.out_features

    def __call__(self, x: Float[AnyArray, "..."], *, key: PRNGKey | None = None) -> Float[Array, " out"]:
        """The output at one flat image; ``key`` is ignored. Raises ValueError unless x is one."""
        h = self.first(as_image(x, self.first.image, self.first.conv.weight, "a ResNetEncoder"))
        for block in self.blocks:
            h = block(h)
        return self.output(ACTIVATIONS[self.blocks[-1].activation](self.norm(h)).reshape(-1))


class ResNetDecoder(eqx.Module):
    """A vector through an affine map to an image ``start``, residual blocks (channels, stride) up, a 3 x 3 convolution.

    Gives a flat image; ``heads`` of them where a pixel has more than one parameter. ``output_bias`` [out] is a learned
    bias of every pixel from there on, instead of one a channel. Takes one datum. Raises ValueError where the blocks do
    not lead from ``start`` to the size of ``image`` (channels, height, width), and as `ConvLayer` and `Linear`.

    >>> net = ResNetDecoder(40, (1, 28, 28), [(16, 2), (16, 2)], start=(32, 7, 7), key=jax.random.key(0))
    >>> net(jnp.zeros(40)).shape
    (784,)
    """

    first: Linear
    blocks: tuple[ResidualConvBlock, ...]
    norm: ChannelNorm
    output: ConvLayer
    output_bias: Float[Array, " out"] | None

    def __init__(
        self,
        in_features: int,
        image: Image,
        blocks: Sequence[tuple[int, int]],
        *,
        start: Image,
        key: PRNGKey,
        activation: str = "relu",
        heads: int = 1,
        output_bias: Float[AnyArray, " out"] | None = None,
    ) -> None:
        _check_blocks(blocks)
        self.first = Linear(in_features, math.prod(start), key=jax.random.fold_in(key, 0))
        self.blocks = _stack(start, blocks, key, activation, up=True)
        last = self.blocks[-1].out_image
        if last[1:] != image[1:]:
            raise ValueError(
                f"the blocks of a ResNetDecoder of images {image} need to lead to {image[1]} x {image[2]} pixels, got "
                f"{last[1]} x {last[2]}: see start and strides"
            )
        self.norm = ChannelNorm(last[0])
        spec, key = Conv(heads * image[0], 3), jax.random.fold_in(key, 1)
        self.output = _affine(last, spec, key, initial="glorot_uniform", use_bias=output_bias is None)
        if output_bias is not None:
            check_output_bias(output_bias, self.out_features)
        self.output_bias = None if output_bias is None else jnp.asarray(output_bias, self.first.weight.dtype)

    @property
    def in_features(self) -> int:
        """How many numbers it takes."""
        return self.first.in_features

    @property
    def out_features(self) -> int:
        """How many numbers it gives: those of an image, for each head."""
        return math.prod(self.output.out_image)

    def __call__(self, x: Float[AnyArray, "..."], *, key: PRNGKey | None = None) -> Float[Array, " out"]:
        """The flat image at one vector; ``key`` is ignored. Raises ValueError where x has another size."""
        check_one(x, self.in_features, "a ResNetDecoder")
        h = self.first(x).reshape(self.blocks[0].inner.image)
        for block in self.blocks:
            h = block(h)
        h = self.output(ACTIVATIONS[self.blocks[-1].activation](self.norm(h))).reshape(-1)
        return h if self.output_bias is None else h + self.output_bias


def _check_blocks(blocks: Sequence[tuple[int, int]]) -> None:
    if not blocks:
        raise ValueError("a residual network needs at least 1 block, got none")


def _stack(
    image: Image, blocks: Sequence[tuple[int, int]], key: PRNGKey, activation: str, *, up: bool
) -> tuple[ResidualConvBlock, ...]:
    built: list[ResidualConvBlock] = []
    for i, (channels, stride) in enumerate(blocks):
        built.append(
            ResidualConvBlock(
                built[-1].out_image if built else image,
                channels,
                stride,
                key=jax.random.fold_in(key, 2 + i),
                activation=activation,
                up=up,
                share=len(blocks) ** -0.5,
            )
        )
    return tuple(built)


def _affine(
    image: Image,
    spec: Conv,
    key: PRNGKey,
    *,
    transposed: bool = False,
    initial: str = "he_normal",
    use_bias: bool = True,
) -> ConvLayer:
    """A convolution without activation: in a residual network that comes before it."""
    return ConvLayer(
        image, spec, key=key, activation="linear", transposed=transposed, initial=initial, use_bias=use_bias
    )
