"""The affine map."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax._typing import AnyArray, PRNGKey
from iwax.nn.init import dense_weight
from iwax.nn.products import product
from iwax.nn.sizes import check_inputs, check_output_bias

__all__ = ["Linear"]


class Linear(eqx.Module):
    """``x W + b`` with W stored [in, out], which is faster under `jax.vmap` than ``W x``.

    ``heads`` is the number of layers of equal width that the outputs belong to (a mean and a log-scale: two), for the
    initial weights, ``initial`` (`nn.init.dense_weight`); b starts at zero, or at ``output_bias``.

    >>> import jax
    >>> layer = Linear(3, 2, key=jax.random.key(0))
    >>> layer(jnp.ones(3)).shape
    (2,)
    """

    weight: Float[Array, "in out"]
    bias: Float[Array, " out"]

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        key: PRNGKey,
        heads: int = 1,
        initial: str = "glorot_uniform",
        output_bias: Float[AnyArray, " out"] | None = None,
    ) -> None:
        self.weight = dense_weight(in_features, out_features, key=key, heads=heads, initial=initial)
        if output_bias is None:
            self.bias = jnp.zeros(out_features)
        else:
            check_output_bias(output_bias, out_features)
            self.bias = jnp.asarray(output_bias, self.weight.dtype)

    @property
    def in_features(self) -> int:
        """How many numbers it takes."""
        return self.weight.shape[-2]

    @property
    def out_features(self) -> int:
        """How many numbers it gives."""
        return self.weight.shape[-1]

    def __call__(self, x: Float[AnyArray, "*batch in"], *, key: PRNGKey | None = None) -> Float[Array, "*batch out"]:
        """``x W + b``; ``key`` is ignored. Raises ValueError where x has another number of features."""
        check_inputs(x, self.in_features, "a linear layer")
        return product(x, self.weight) + self.bias
