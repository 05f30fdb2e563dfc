"""Autoregressive networks of pixels that miss none: gated, in two stacks."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax._typing import AnyArray, PRNGKey
from iwax.nn.conv import Conv, ConvLayer
from iwax.nn.masked_conv import MaskedConv
from iwax.nn.pixelcnn import check_maps
from iwax.nn.sizes import as_image, check_positive

__all__ = ["GatedPixelCNN", "GatedPixelLayer"]


class GatedPixelLayer(eqx.Module):
    """Two stacks of maps: v of the rows above, h of the pixels before, each through ``tanh(a) sigmoid(b)``.

    ``v' = gate(W * v + V c)`` and ``h' = h + R gate(U * h + L (W * v + V c) + V' c)`` with R, L, V, V' 1 x 1
    (van den Oord et al. 2016, arXiv:1606.05328); ``first`` sees none of the pixel and has no ``h +``.

    >>> layer = GatedPixelLayer((4, 4), 1, 8, 3, first=True, key=jax.random.key(0))
    >>> v, h = layer(jnp.ones((1, 4, 4)), jnp.ones((1, 4, 4)), None)
    >>> v.shape, h.shape
    ((8, 4, 4), (8, 4, 4))
    """

    vertical: MaskedConv
    horizontal: MaskedConv
    link: ConvLayer
    residual: ConvLayer
    of_maps: tuple[ConvLayer, ConvLayer] | None
    first: bool = eqx.field(static=True)

    def __init__(
        self,
        size: tuple[int, int],
        in_channels: int,
        channels: int,
        kernel: int,
        *,
        first: bool,
        key: PRNGKey,
        map_channels: int = 0,
    ) -> None:
        keys = [jax.random.fold_in(key, i) for i in range(6)]
        kind, both = ("A" if first else "B"), 2 * channels
        self.vertical = MaskedConv(in_channels, both, kernel, kind=kind, stack="vertical", key=keys[0], heads=2)
        self.horizontal = MaskedConv(in_channels, both, kernel, kind=kind, stack="horizontal", key=keys[1], heads=2)
        self.link = _pointwise(size, both, both, keys[2])
        self.residual = _pointwise(size, channels, channels, keys[3])
        self.of_maps = None
        if map_channels:
            v, h = (_pointwise(size, map_channels, both, k, use_bias=False) for k in keys[4:])
            self.of_maps = (v, h)
        self.first = first

    def __call__(self, v: Array, h: Array, maps: AnyArray | None) -> tuple[Array, Array]:
        """Both stacks behind the layer."""
        above, before = self.vertical(v), self.horizontal(h)
        if self.of_maps is not None and maps is not None:
            above, before = above + self.of_maps[0](maps), before + self.of_maps[1](maps)
        new = self.residual(_gate(before + self.link(above)))
        return _gate(above), new if self.first else h + new


class GatedPixelCNN(eqx.Module):
    """``m_i(x_<i, c)`` for the pixels i of a flat image of one channel, row by row: one logit a pixel.

    van den Oord et al. (2016, arXiv:1606.05328): ``layers`` of two stacks (`GatedPixelLayer`) without a blind spot,
    then ReLU and a 1 x 1 convolution, twice. Enough layers see every pixel before i: each adds kernel // 2 rows and
    columns.
    Conditioning maps [map_channels, height, width] enter every layer, not masked. Raises ValueError as `PixelCNN`.

    >>> net = GatedPixelCNN((4, 4), channels=8, layers=2, key=jax.random.key(0))
    >>> net(jnp.zeros(16)).shape
    (16,)
    """

    layers: tuple[GatedPixelLayer, ...]
    inner: ConvLayer
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
    ) -> None:
        check_positive({"height": size[0], "width": size[1], "channels": channels, "layers": layers})
        self.layers = tuple(
            GatedPixelLayer(
                size,
                channels if i else 1,
                channels,
                kernel,
                first=i == 0,
                key=jax.random.fold_in(key, i),
                map_channels=map_channels,
            )
            for i in range(layers)
        )
        self.inner = _pointwise(size, channels, channels, jax.random.fold_in(key, layers))
        self.output = _pointwise(size, channels, 1, jax.random.fold_in(key, layers + 1))
        self.size = size

    @property
    def in_features(self) -> int:
        """How many pixels it takes."""
        return math.prod(self.size)

    @property
    def out_features(self) -> int:
        """How many logits it gives: one a pixel."""
        return self.in_features

    @property
    def map_channels(self) -> int:
        """How many conditioning maps it takes."""
        maps = self.layers[0].of_maps
        return 0 if maps is None else maps[0].image[0]

    def __call__(
        self,
        x: Float[AnyArray, "..."],
        maps: Float[AnyArray, "maps height width"] | None = None,
        *,
        key: PRNGKey | None = None,
    ) -> Float[Array, " out"]:
        """The logits at one flat image; ``key`` is ignored. Raises ValueError where it or the maps do not fit."""
        v = h = as_image(x, (1, *self.size), self.output.conv.weight, "a PixelCNN")
        check_maps(maps, self.map_channels, self.size)
        for layer in self.layers:
            v, h = layer(v, h, maps)
        return self.output(jax.nn.relu(self.inner(jax.nn.relu(h)))).reshape(-1)


def _gate(both: Array) -> Array:
    a, b = jnp.split(both, 2)
    return jnp.tanh(a) * jax.nn.sigmoid(b)


def _pointwise(size: tuple[int, int], inputs: int, outputs: int, key: PRNGKey, *, use_bias: bool = True) -> ConvLayer:
    """A 1 x 1 convolution."""
    return ConvLayer((inputs, *size), Conv(outputs, 1), key=key, activation="linear", use_bias=use_bias)
