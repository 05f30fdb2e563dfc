"""The affine map."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax._typing import AnyArray, PRNGKey
from iwax.nn.init import glorot_uniform

__all__ = ["Linear"]


class Linear(eqx.Module):
    """``x W + b`` with W stored [in, out], which is faster under `jax.vmap` than ``W x``.

    ``heads`` says of how many layers of equal width the outputs are made (a mean and a log-scale: two), for the initial
    range of the weights (`nn.init.glorot_uniform`); b starts at zero.

    >>> import jax
    >>> layer = Linear(3, 2, key=jax.random.key(0))
    >>> layer(jnp.ones(3)).shape
    (2,)
    """

    weight: Float[Array, "in out"]
    bias: Float[Array, " out"]

    def __init__(self, in_features: int, out_features: int, *, key: PRNGKey, heads: int = 1) -> None:
        self.weight = glorot_uniform(in_features, out_features, key=key, heads=heads)
        self.bias = jnp.zeros(out_features)

    def __call__(self, x: Float[AnyArray, "*batch in"], *, key: PRNGKey | None = None) -> Float[Array, "*batch out"]:
        """``x W + b``; ``key`` is ignored."""
        return jnp.asarray(x) @ self.weight + self.bias
