"""Normalisation that is defined for one data point: no statistics of a batch.

A log-weight is a function of one data point and one draw; batch normalisation would make it depend on the rest of the
batch, and a bound of it no bound. Where a published network has batch normalisation, iwax has one of these.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax._typing import AnyArray, PRNGKey
from iwax.nn.sizes import check_inputs

__all__ = ["ChannelNorm", "LayerNorm", "standardized"]

_SMALL = 1e-5  # added to the variance of a data point's features
_BLANK = 1e-2  # to that of a pixel's channels: where all are zeros, 1e-5 would make it steep


class LayerNorm(eqx.Module):
    """``gain (x - mean x) / sqrt(var x + 1e-5) + shift`` over the last axis: the features of one data point.

    Ba, Kiros and Hinton (2016, arXiv:1607.06450). The gain starts at 1, the shift at 0.

    >>> LayerNorm(2)(jnp.array([1.0, 3.0])).tolist()
    [-1.0, 1.0]
    """

    gain: Float[Array, " features"]
    shift: Float[Array, " features"]

    def __init__(self, features: int) -> None:
        _check_spread("a LayerNorm", "features", features)
        self.gain, self.shift = jnp.ones(features), jnp.zeros(features)

    @property
    def in_features(self) -> int:
        """How many numbers it takes."""
        return self.gain.shape[-1]

    @property
    def out_features(self) -> int:
        """How many numbers it gives: as many as it takes."""
        return self.in_features

    def __call__(self, x: Float[AnyArray, "*batch in"], *, key: PRNGKey | None = None) -> Float[Array, "*batch in"]:
        """The normalised x; ``key`` is ignored. Raises ValueError where x has another number of features."""
        check_inputs(x, self.in_features, "a LayerNorm")
        return self.gain * standardized(x) + self.shift


class ChannelNorm(eqx.Module):
    """``gain (x - mean x) / sqrt(var x + 0.01) + shift`` over the channels of every pixel of an image, by itself.

    No pixel sees another one: it may stand in a network that has to be autoregressive in the pixels, where a
    normalisation of whole images or groups of channels may not.

    >>> ChannelNorm(2)(jnp.array([[[10.0, 0.0]], [[30.0, 0.0]]])).round(2).tolist()
    [[[-1.0, 0.0]], [[1.0, 0.0]]]
    """

    gain: Float[Array, "channels 1 1"]
    shift: Float[Array, "channels 1 1"]

    def __init__(self, channels: int) -> None:
        _check_spread("a ChannelNorm", "channels", channels)
        self.gain, self.shift = jnp.ones((channels, 1, 1)), jnp.zeros((channels, 1, 1))

    def __call__(
        self, x: Float[AnyArray, "channels height width"], *, key: PRNGKey | None = None
    ) -> Float[Array, "channels height width"]:
        """The normalised image; ``key`` is ignored. Raises ValueError where it has another number of channels."""
        channels = self.gain.shape[-3]
        if jnp.shape(x)[:-2] != (channels,):
            raise ValueError(f"a ChannelNorm needs an image of {channels} channels, got shape {jnp.shape(x)}")
        last = jnp.moveaxis(jnp.asarray(x), -3, -1)  # as a convolution leaves it, and the next one reads it
        normal = self.gain.reshape(-1) * _standardized(last, -1, _BLANK) + self.shift.reshape(-1)
        return jnp.moveaxis(normal, -1, -3)


def standardized(x: Float[AnyArray, "*batch features"]) -> Float[Array, "*batch features"]:
    """``(x - mean x) / sqrt(var x + 1e-5)`` over the features of one data point.

    >>> standardized(jnp.array([1.0, 3.0])).tolist()
    [-1.0, 1.0]
    """
    return _standardized(x, -1, _SMALL)


def _standardized(x: AnyArray, axis: int, small: float) -> Array:
    centred = jnp.asarray(x) - jnp.mean(x, axis=axis, keepdims=True)
    return centred * jax.lax.rsqrt(jnp.mean(centred**2, axis=axis, keepdims=True) + small)


def _check_spread(norm: str, name: str, size: int) -> None:
    if size < 2:
        raise ValueError(f"{norm} needs at least 2 {name}, as a single one is its own mean; got {size}")
