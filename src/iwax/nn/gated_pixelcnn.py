"""Autoregressive networks of pixels that miss none: gated, in two stacks."""

import math
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax._typing import AnyArray, PRNGKey
from iwax.nn.conv import Conv, ConvLayer
from iwax.nn.masked_conv import MaskedConv
from iwax.nn.pixelcnn import bernoulli, check_maps, put, take
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
        of_v, of_h = self.given(maps)
        above, linked = self.of_rows(self.vertical(v) + of_v)
        return above, self.of_pixels(self.horizontal(h) + of_h, linked, h)

    def given(self, maps: AnyArray | None) -> tuple[Array | float, Array | float]:
        """What the maps add to the two stacks."""
        return (0.0, 0.0) if self.of_maps is None or maps is None else (self.of_maps[0](maps), self.of_maps[1](maps))

    def of_rows(self, above: Array) -> tuple[Array, Array]:
        """The vertical stack behind its convolution, and what it gives to the horizontal one: pixels by themselves."""
        return _gate(above), self.link.affine(above)

    def of_pixels(self, before: Array, linked: Array, h: Array) -> Array:
        """The horizontal stack behind its convolution: pixels by themselves."""
        new = self.residual.affine(_gate(before + linked))
        return new if self.first else h + new


class GatedPixelCNN(eqx.Module):
    """``m_i(x_<i, c)`` for the pixels i of a flat image of one channel, row by row: one logit per pixel.

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
        """How many logits it gives: one per pixel."""
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
        return self._logits(h).reshape(-1)

    def _logits(self, h: Array) -> Array:
        return self.output.affine(jax.nn.relu(self.inner.affine(jax.nn.relu(h))))

    def draw(
        self, uniform: Float[AnyArray, " in"], maps: Float[AnyArray, "maps height width"] | None = None
    ) -> Float[Array, " in"]:
        """The flat image x with ``x_i = 1`` where ``u_i < sigmoid(m_i(x_<i, c))``, in about the time of one pass.

        The vertical stack is computed once per row, the horizontal one once per pixel, from what they gave before
        (Ramachandran et al. 2017, arXiv:1704.06001).
        """
        check_maps(maps, self.map_channels, self.size)
        (height, width), half = self.size, self.layers[0].vertical.kernel // 2
        dtype, ins = self.output.conv.weight.dtype, [layer.vertical.weight.shape[-3] for layer in self.layers]
        both = (2 * self.layers[0].residual.image[0], height, width)
        given = [[jnp.broadcast_to(g, both).astype(dtype) for g in layer.given(maps)] for layer in self.layers]

        def row(seen: list[Array], r: Array) -> tuple[list[Array], Array]:
            """``seen``: what the vertical convolutions read, zeros round it; the first reads the image."""
            seen, links = list(seen), []
            for at, (layer, of_maps) in enumerate(zip(self.layers, given, strict=True)):
                above = layer.vertical.within(take(seen[at], r, 0, layer.vertical.weight.shape[-2], width + 2 * half))
                v, linked = layer.of_rows(above + take(of_maps[0], r, 0, 1, width))
                links.append(linked + take(of_maps[1], r, 0, 1, width))
                if at + 1 < len(self.layers):
                    seen[at + 1] = put(seen[at + 1], v, r + half, half)
            before = [jnp.zeros((channels, 1, width + half), dtype) for channels in ins]
            bits = jax.lax.scan(partial(self._pixel, uniform, links, r), before, jnp.arange(width))[1]
            seen[0] = put(seen[0], bits[None, None], r + half, half)
            return seen, bits

        start = [jnp.zeros((channels, height + half, width + 2 * half), dtype) for channels in ins]
        return jax.lax.scan(row, start, jnp.arange(height))[1].reshape(-1)

    def _pixel(
        self, uniform: AnyArray, links: list[Array], r: Array, before: list[Array], c: Array
    ) -> tuple[list[Array], Array]:
        """``before``: what the horizontal convolutions read in row r, zeros to the left of it."""
        before, half = list(before), self.layers[0].vertical.kernel // 2
        h = jnp.zeros(())
        for at, (layer, linked) in enumerate(zip(self.layers, links, strict=True)):
            if at:
                before[at] = put(before[at], h, 0, c + half)
            left = layer.horizontal.within(take(before[at], 0, c, 1, layer.horizontal.weight.shape[-1]))
            h = layer.of_pixels(left, take(linked, 0, c, 1, 1), h)
        bit = bernoulli(jnp.asarray(uniform)[r * self.size[1] + c], self._logits(h))
        before[0] = put(before[0], bit, 0, c + half)
        return before, bit[0, 0, 0]


def _gate(both: Array) -> Array:
    a, b = jnp.split(both, 2)
    return jnp.tanh(a) * jax.nn.sigmoid(b)


def _pointwise(size: tuple[int, int], inputs: int, outputs: int, key: PRNGKey, *, use_bias: bool = True) -> ConvLayer:
    """A 1 x 1 convolution."""
    return ConvLayer((inputs, *size), Conv(outputs, 1), key=key, activation="linear", use_bias=use_bias)
