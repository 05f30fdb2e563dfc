"""Initial weights."""

import math
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax._typing import AnyArray, PRNGKey

__all__ = ["INITIAL_WEIGHTS", "dense_weight", "kernel", "mean_logits"]

Shape: TypeAlias = tuple[int, ...]


def _in_shape(draw: Callable[..., Array], shape: Shape, key: PRNGKey) -> Array:
    """The same numbers as ``draw(key, shape)``, by a program that serves all shapes up to the next power of two."""
    size = math.prod(shape)
    return draw(key, (1 << (size - 1).bit_length(),))[:size].reshape(shape)


def _glorot_uniform(shape: Shape, fan_in: float, fan_out: float, key: PRNGKey) -> Array:
    limit = (6 / (fan_in + fan_out)) ** 0.5
    return _in_shape(partial(jax.random.uniform, minval=-limit, maxval=limit), shape, key)


def _glorot_normal(shape: Shape, fan_in: float, fan_out: float, key: PRNGKey) -> Array:
    return (2 / (fan_in + fan_out)) ** 0.5 * _in_shape(jax.random.normal, shape, key)


def _he_normal(shape: Shape, fan_in: float, fan_out: float, key: PRNGKey) -> Array:
    return (2 / fan_in) ** 0.5 * _in_shape(jax.random.normal, shape, key)


INITIAL_WEIGHTS: dict[str, Callable[[Shape, float, float, PRNGKey], Array]] = {
    "glorot_uniform": _glorot_uniform,
    "glorot_normal": _glorot_normal,
    "he_normal": _he_normal,
}


def dense_weight(
    in_features: int, out_features: int, *, key: PRNGKey, heads: int = 1, initial: str = "glorot_uniform"
) -> Float[Array, "in out"]:
    """A matrix of one of three distributions, in which every head starts as a layer of out/heads outputs.

    ``glorot_uniform``: ``U(-r, r), r = sqrt(6 / (in + out))`` (Glorot and Bengio 2010, as used by Burda, Grosse and
    Salakhutdinov 2016, arXiv:1509.00519); ``glorot_normal``: a normal one of the same variance, ``2 / (in + out)``;
    ``he_normal``: ``N(0, 2 / in)`` (He et al. 2015, arXiv:1502.01852). Raises ValueError on sizes below 1, outputs that
    are no multiple of the heads, and an unknown name.

    >>> dense_weight(3, 4, key=jax.random.key(0), heads=2, initial="he_normal").shape
    (3, 4)
    """
    for name, size in (("in_features", in_features), ("out_features", out_features)):
        if size < 1:
            raise ValueError(f"{name} must be at least 1, got {size}")
    if heads < 1 or out_features % heads:
        raise ValueError(f"out_features must be a multiple of heads, got {out_features} outputs in {heads} heads")
    return _distribution(initial)((in_features, out_features), float(in_features), float(out_features // heads), key)


def kernel(
    in_channels: int,
    out_channels: int,
    height: int,
    width: int,
    *,
    key: PRNGKey,
    heads: int = 1,
    dilution: float = 1.0,
    initial: str = "glorot_uniform",
) -> Float[Array, "out in height width"]:
    """The kernel of a convolution, of the distributions of `dense_weight`: a unit sees ``in * height * width`` numbers.

    Only one in ``dilution`` of them counts: the squared stride of a transposed convolution, say, or the size of a
    window over the part of it that is not masked.

    >>> kernel(3, 8, 5, 5, key=jax.random.key(0)).shape
    (8, 3, 5, 5)
    """
    area = height * width
    shape = (out_channels, in_channels, height, width)
    return _distribution(initial)(shape, in_channels * area / dilution, float(out_channels // heads * area), key)


def mean_logits(mean: Float[AnyArray, "*features"]) -> Float[Array, "*features"]:
    """``logit(clip(mean, 0.001, 0.999))``: the output bias of a Bernoulli decoder that starts at the data's mean.

    Burda, Grosse and Salakhutdinov (2016, arXiv:1509.00519).

    >>> float(mean_logits(jnp.array(0.5)))
    0.0
    """
    clipped = jnp.clip(jnp.asarray(mean, float), 0.001, 0.999)
    return jnp.log(clipped) - jnp.log1p(-clipped)


def _distribution(initial: str) -> Callable[[Shape, float, float, PRNGKey], Array]:
    if initial not in INITIAL_WEIGHTS:
        raise ValueError(f"initial must be one of {', '.join(INITIAL_WEIGHTS)}, got {initial!r}")
    return INITIAL_WEIGHTS[initial]
