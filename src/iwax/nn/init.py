"""Initial weights."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax._typing import AnyArray, PRNGKey

__all__ = ["glorot_uniform", "mean_logits"]


def glorot_uniform(in_features: int, out_features: int, *, key: PRNGKey, heads: int = 1) -> Float[Array, "in out"]:
    """``W ~ U(-r, r), r = sqrt(6 / (in + out / heads))``: every head as if it were a layer of its own.

    Glorot and Bengio (2010), as used by Burda, Grosse and Salakhutdinov (2016, arXiv:1509.00519).

    >>> bool(abs(glorot_uniform(3, 3, key=jax.random.key(0))).max() <= 1.0)
    True
    """
    for name, size in (("in_features", in_features), ("out_features", out_features)):
        if size < 1:
            raise ValueError(f"{name} must be at least 1, got {size}")
    if heads < 1 or out_features % heads:
        raise ValueError(f"out_features must be a multiple of heads, got {out_features} outputs in {heads} heads")
    limit = (6 / (in_features + out_features // heads)) ** 0.5
    return jax.random.uniform(key, (in_features, out_features), minval=-limit, maxval=limit)


def mean_logits(mean: Float[AnyArray, "*features"]) -> Float[Array, "*features"]:
    """``logit(clip(mean, 0.001, 0.999))``: the output bias of a Bernoulli decoder that starts at the data's mean.

    Burda, Grosse and Salakhutdinov (2016, arXiv:1509.00519).

    >>> float(mean_logits(jnp.array(0.5)))
    0.0
    """
    clipped = jnp.clip(jnp.asarray(mean, float), 0.001, 0.999)
    return jnp.log(clipped) - jnp.log1p(-clipped)
