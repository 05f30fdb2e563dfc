"""How a likelihood reads what its network gives, and the numbers that it learns itself."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array

from iwax._typing import AnyArray
from iwax.numerics import scale_of

__all__ = ["blocks", "located", "log_of_positive", "split", "to_features"]


def split(outputs: Array, n: int, who: str) -> tuple[Array, ...]:
    """Outputs [n features] as n parameters [features] of every feature, one after the other.

    Raises ValueError where their number is not a multiple of n; ``who`` says whose network it is.

    >>> split(jnp.arange(4.0), 2, "a Gaussian likelihood")
    (Array([0., 1.], dtype=float32), Array([2., 3.], dtype=float32))
    """
    got = outputs.shape[-1]
    if got % n or not got:
        raise ValueError(
            f"the network of {who} must give {n} outputs for each feature, as many of the first as of the next: "
            f"a multiple of {n} is needed, got {got}"
        )
    return tuple(jnp.split(outputs, n, axis=-1))


def blocks(outputs: Array, n: int, size: int, who: str) -> tuple[Array, ...]:
    """Outputs [n size features] as n parameters [size, features], such as those of ``size`` components of a mixture.

    >>> [block.shape for block in blocks(jnp.arange(12.0), 2, 3, "a mixture")]
    [(3, 2), (3, 2)]
    """
    each = split(outputs, n * size, who)
    return tuple(jnp.stack(each[i * size : (i + 1) * size], axis=-2) for i in range(n))


def located(
    outputs: Array, log_scale: Array | None, who: str, *, fixed: bool = False, floor: float = 0.0
) -> tuple[Array, Array]:
    """loc and scale [features]; the log scale is one for all, or one per feature, or given by the network (None).

    With ``fixed`` it has no gradient; a scale that the network gives is at least ``floor``, as `numerics.scale_of`
    says. Raises ValueError where the outputs and the scales do not fit.

    >>> located(jnp.zeros(2), jnp.zeros(()), "a Gaussian likelihood")
    (Array([0., 0.], dtype=float32), Array([1., 1.], dtype=float32))
    """
    if log_scale is None:
        loc, s = split(outputs, 2, who)
        return loc, scale_of(s, floor)
    log_scale = to_features(log_scale, outputs.shape[-1], "scale", who)
    return outputs, jnp.exp(jax.lax.stop_gradient(log_scale) if fixed else log_scale)


def to_features(parameter: Array, features: int, name: str, who: str) -> Array:
    """One parameter for all features, or one per feature, as [features]; ValueError where it is neither.

    >>> to_features(jnp.ones(()), 2, "scale", "a Gaussian likelihood")
    Array([1., 1.], dtype=float32)
    """
    if parameter.shape not in ((), (features,)):
        raise ValueError(
            f"{who} of {features} features needs one {name}, or one per feature; got {name}s of shape {parameter.shape}"
        )
    return jnp.broadcast_to(parameter, (features,))


def log_of_positive(number: float | AnyArray, name: str, who: str) -> Array:
    """The logarithm at which a learned positive number starts; ValueError where the number is not positive.

    >>> float(log_of_positive(1.0, "scale", "a Gaussian likelihood"))
    0.0
    """
    # on the host, so that a model can be built inside `jax.eval_shape`; what is traced has no value to look at
    if not isinstance(number, Tracer) and not np.all(np.asarray(number) > 0):
        raise ValueError(f"the {name} of {who} must be positive, got {number}")
    return jnp.log(jnp.asarray(number, float))
