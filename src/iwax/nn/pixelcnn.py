"""Autoregressive networks of the pixels of an image."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax._typing import AnyArray, PRNGKey
from iwax.nn.conv import Conv, ConvLayer
from iwax.nn.masked_conv import MaskedConv
from iwax.nn.normalisation import ChannelNorm
from iwax.nn.sizes import as_image, check_positive

__all__ = ["PixelCNN", "bernoulli", "check_maps", "put", "take"]


class PixelCNN(eqx.Module):
    """``m_i(x_<i, c)`` for the pixels i of a flat image of one channel, row by row: one logit per pixel.

    van den Oord, Kalchbrenner and Kavukcuoglu (2016, arXiv:1601.06759): a masked convolution A, ``layers`` of kind B,
    each followed by a normalisation and ReLU, and a 1 x 1 one. With the defaults and ``map_channels`` the decoder of
    Tomczak and Welling's PixelHVAE (2018, arXiv:1705.07120): conditioning maps c [map_channels, height, width] enter
    the first layer next to the image, through a convolution of their own that is not masked. They normalise batches;
    here it is every pixel's channels by itself (`ChannelNorm`). Its windows leave blind spots: some pixels before i, to
    the right above it, are never seen (see `GatedPixelCNN`). Raises ValueError on sizes below 1 and an even kernel.

    >>> net = PixelCNN((4, 4), channels=8, layers=2, key=jax.random.key(0), map_channels=2)
    >>> net(jnp.zeros(16), jnp.ones((2, 4, 4))).shape
    (16,)
    """

    first: MaskedConv
    of_maps: ConvLayer | None
    layers: tuple[MaskedConv, ...]
    norms: tuple[ChannelNorm, ...]
    output: ConvLayer
    size: tuple[int, int] = eqx.field(static=True)

    def __init__(
        self,
        size: tuple[int, int],
        *,
        key: PRNGKey,
        channels: int = 64,
        layers: int = 7,
        kernel: int = 3,
        map_channels: int = 0,
        initial: str = "he_normal",
    ) -> None:
        check_positive({"height": size[0], "width": size[1], "channels": channels, "layers": layers})
        keys = [jax.random.fold_in(key, i) for i in range(layers + 3)]
        self.first = MaskedConv(1, channels, kernel, kind="A", key=keys[0], initial=initial)
        self.layers = tuple(
            MaskedConv(channels, channels, kernel, kind="B", key=k, initial=initial) for k in keys[1 : layers + 1]
        )
        self.norms = tuple(ChannelNorm(channels) for _ in range(layers + 1))
        self.output = ConvLayer((channels, *size), Conv(1, 1), key=keys[-2], activation="linear")
        self.of_maps = None
        if map_channels:
            spec = Conv(channels, kernel)
            self.of_maps = ConvLayer(
                (map_channels, *size), spec, key=keys[-1], activation="linear", initial=initial, use_bias=False
            )
        self.size = size

    @property
    def in_features(self) -> int:
        """How many pixels it takes."""
        return math.prod(self.size)

    @property
    def out_features(self) -> int:
        """How many logits it gives: one per pixel."""
        return self.in_features

    @property
    def map_channels(self) -> int:
        """How many conditioning maps it takes."""
        return 0 if self.of_maps is None else self.of_maps.image[0]

    def __call__(
        self,
        x: Float[AnyArray, "..."],
        maps: Float[AnyArray, "maps height width"] | None = None,
        *,
        key: PRNGKey | None = None,
    ) -> Float[Array, " out"]:
        """The logits at one flat image; ``key`` is ignored. Raises ValueError where it or the maps do not fit."""
        h = self.first(as_image(x, (1, *self.size), self.first.weight, "a PixelCNN"))
        check_maps(maps, self.map_channels, self.size)
        if self.of_maps is not None and maps is not None:
            h = h + self.of_maps(maps)
        h = jax.nn.relu(self.norms[0](h))
        for layer, norm in zip(self.layers, self.norms[1:], strict=True):
            h = jax.nn.relu(norm(layer(h)))
        return self.output(h).reshape(-1)

    def draw(
        self, uniform: Float[AnyArray, " in"], maps: Float[AnyArray, "maps height width"] | None = None
    ) -> Float[Array, " in"]:
        """The flat image x with ``x_i = 1`` where ``u_i < sigmoid(m_i(x_<i, c))``, in about the time of one pass.

        Every layer is computed once per pixel, from what it gave for the pixels before (Ramachandran et al. 2017,
        arXiv:1704.06001).
        """
        check_maps(maps, self.map_channels, self.size)
        (height, width), half = self.size, self.first.kernel // 2
        convs, dtype = (self.first, *self.layers), self.first.weight.dtype
        given = 0 if self.of_maps is None or maps is None else self.of_maps(maps)
        given = jnp.broadcast_to(given, (self.norms[0].gain.shape[-3], height, width)).astype(dtype)
        seen = [jnp.zeros((conv.weight.shape[-3], height + half, width + 2 * half), dtype) for conv in convs]

        def pixel(seen: list[Array], i: Array) -> tuple[list[Array], Array]:
            row, column = i // width, i % width
            seen, h = list(seen), jnp.zeros(())
            for at, (conv, norm) in enumerate(zip(convs, self.norms, strict=True)):
                if at:
                    seen[at] = put(seen[at], h, row + half, column + half)
                h = conv.within(take(seen[at], row, column, half + 1, 2 * half + 1))
                h = jax.nn.relu(norm(h if at else h + take(given, row, column, 1, 1)))
            bit = bernoulli(uniform[i], self.output.affine(h))
            seen[0] = put(seen[0], bit, row + half, column + half)
            return seen, bit[0, 0, 0]

        return jax.lax.scan(pixel, seen, jnp.arange(height * width))[1]


def take(image: Array, row: Array | int, column: Array | int, rows: int, columns: int) -> Array:
    """All channels of a piece of an image.

    >>> take(jnp.arange(6.0).reshape(1, 2, 3), 1, 1, 1, 2).tolist()
    [[[4.0, 5.0]]]
    """
    return jax.lax.dynamic_slice(image, (0, row, column), (image.shape[0], rows, columns))


def put(image: Array, piece: Array, row: Array | int, column: Array | int) -> Array:
    """The image with a piece of it replaced.

    >>> put(jnp.zeros((1, 1, 3)), jnp.ones((1, 1, 1)), 0, 1).tolist()
    [[[0.0, 1.0, 0.0]]]
    """
    return jax.lax.dynamic_update_slice(image, piece, (0, row, column))


def bernoulli(uniform: Array, logits: Array) -> Array:
    """``1`` where ``u < sigmoid(m)``, and 0 elsewhere, in the number type of the logits.

    >>> bernoulli(jnp.array(0.6), jnp.array([0.0, 1.0])).tolist()
    [0.0, 1.0]
    """
    return (uniform < jax.nn.sigmoid(logits)).astype(logits.dtype)


def check_maps(maps: AnyArray | None, channels: int, size: tuple[int, int]) -> None:
    """Raise ValueError unless there are the conditioning maps that a network takes, or none where it takes none.

    >>> check_maps(jnp.zeros((2, 4, 4)), 2, (4, 4))
    """
    needed, got = ((channels, *size) if channels else None), (None if maps is None else jnp.shape(maps))
    if needed != got:
        raise ValueError(f"a PixelCNN needs conditioning maps of shape {needed}, got {got}")
