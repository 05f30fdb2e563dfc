"""Convolutional networks from a flat image to a vector, as an encoder is."""

import math
from collections.abc import Sequence

import equinox as eqx
import jax
from jaxtyping import Array, Float

from iwax._typing import AnyArray, PRNGKey
from iwax.nn.conv import ConvLayer, Image, Spec, stacked
from iwax.nn.mlp import MLP, check_trunk
from iwax.nn.sizes import as_image

__all__ = ["ConvNet"]


class ConvNet(eqx.Module):
    """A flat image through convolutional layers, flattened, through dense hidden layers, to ``out_features``.

    ``layers`` are `Conv` or tuples (channels, kernel, stride); all of them, and the dense ones of ``hidden``, have the
    same activation: a name, or "gated". With ``out_features=None`` there is no last affine layer. Takes one data point
    of channels * height * width numbers, row by row, channel by channel (with ``channels_last``, pixel by pixel);
    `jax.vmap` makes it many. Raises ValueError as `ConvLayer` and `MLP`.

    >>> net = ConvNet((1, 28, 28), [(8, 5, 2), (16, 3, 2)], 2 * 40, key=jax.random.key(0), heads=2)
    >>> net.in_features, net.out_features
    (784, 80)
    """

    layers: tuple[ConvLayer, ...]
    dense: MLP | None
    channels_last: bool = eqx.field(static=True)

    def __init__(
        self,
        image: Image,
        layers: Sequence[Spec],
        out_features: int | None,
        *,
        key: PRNGKey,
        hidden: tuple[int, ...] = (),
        activation: str = "relu",
        heads: int = 1,
        output_bias: Float[AnyArray, " out"] | None = None,
        initial: str = "glorot_uniform",
        channels_last: bool = False,
    ) -> None:
        self.channels_last = channels_last
        if not layers:
            raise ValueError("a ConvNet needs at least one convolutional layer, got none")
        self.layers = stacked(image, layers, key=key, activation=activation, initial=initial)
        flat = math.prod(self.layers[-1].out_image)
        last = jax.random.fold_in(key, len(layers))
        if out_features is None and not hidden:
            check_trunk((flat,), heads, output_bias)
            self.dense = None
        else:
            self.dense = MLP(
                flat,
                hidden,
                out_features,
                key=last,
                activation=activation,
                heads=heads,
                output_bias=output_bias,
                initial=initial,
            )

    @property
    def in_features(self) -> int:
        """How many numbers it takes: those of an image."""
        return math.prod(self.layers[0].image)

    @property
    def out_features(self) -> int:
        """How many numbers it gives."""
        return math.prod(self.layers[-1].out_image) if self.dense is None else self.dense.out_features

    def __call__(self, x: Float[AnyArray, "..."], *, key: PRNGKey | None = None) -> Float[Array, " out"]:
        """The output at one flat image; ``key`` is ignored. Raises ValueError unless x is one."""
        h = as_image(x, self.layers[0].image, self.layers[0].conv.weight, "a ConvNet", channels_last=self.channels_last)
        for layer in self.layers:
            h = layer(h)
        return h.reshape(-1) if self.dense is None else self.dense(h.reshape(-1))
