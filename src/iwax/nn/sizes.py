"""What a network refuses: inputs of another size than it was built for, and units that are none."""

import math

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from iwax._typing import AnyArray

__all__ = ["as_image", "check_inputs", "check_one", "check_output_bias", "check_positive", "units"]


def check_inputs(x: AnyArray, features: int, network: str) -> None:
    """Raise ValueError unless the last axis of x has the features that the network takes. Nothing is computed.

    >>> check_inputs(jnp.zeros((2, 3)), 3, "a Linear")
    """
    shape = jnp.shape(x)
    if shape[-1:] != (features,):
        raise ValueError(f"{network} needs inputs of {features} features on the last axis, got shape {shape}")


def check_one(x: AnyArray, features: int, network: str) -> None:
    """Raise ValueError unless x is one data point of these features: convolutions take one, `jax.vmap` makes it many.

    >>> check_one(jnp.zeros(3), 3, "a DeconvNet")
    """
    shape = jnp.shape(x)
    if shape != (features,):
        raise ValueError(
            f"{network} needs one data point of {features} features, got shape {shape} (use jax.vmap for a batch)"
        )


def as_image(
    x: AnyArray, image: tuple[int, int, int], like: AnyArray, network: str, *, channels_last: bool = False
) -> Float[Array, "channels height width"]:
    """One flat data point as an image, in the number type of the kernel ``like``. Raises ValueError as `check_one`.

    It is flat channel by channel or, with ``channels_last``, pixel by pixel.

    >>> as_image(jnp.arange(6.0), (1, 2, 3), jnp.zeros(1), "a ConvNet").shape
    (1, 2, 3)
    """
    check_one(x, math.prod(image), f"{network} of images {image}")
    flat = jnp.asarray(x).astype(like.dtype)
    return flat.reshape(*image[1:], image[0]).transpose(2, 0, 1) if channels_last else flat.reshape(image)


def check_positive(sizes: dict[str, int]) -> None:
    """Raise ValueError, by name, where a size is below 1.

    >>> check_positive({"channels": 3, "kernel": 5})
    """
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name} must be at least 1, got {size}")


def check_output_bias(bias: AnyArray, features: int) -> None:
    """Raise ValueError unless there is one bias per output.

    >>> check_output_bias(jnp.zeros(3), 3)
    """
    if jnp.shape(bias) != (features,):
        raise ValueError(f"output_bias must have shape ({features},), got {jnp.shape(bias)}")


def units(
    loc: Float[AnyArray, " features"], scale: Float[AnyArray, " features"], who: str
) -> tuple[Float[Array, " features"], Float[Array, " features"]]:
    """A loc and a scale per feature as arrays; ValueError unless there is one of each, and scales are positive.

    >>> units(np.zeros(2), np.ones(2), "a likelihood")[1].tolist()
    [1.0, 1.0]
    """
    if np.shape(loc) != np.shape(scale) or np.ndim(loc) != 1:
        raise ValueError(f"{who} needs a loc and a scale per feature, got shapes {np.shape(loc)} and {np.shape(scale)}")
    if not isinstance(scale, Tracer) and not np.all(np.asarray(scale) > 0):
        raise ValueError(f"the scales of {who} must be positive, got {scale}")
    return jnp.asarray(loc, float), jnp.asarray(scale, float)
