"""Dense residual networks."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax._typing import AnyArray, PRNGKey
from iwax.nn.linear import Linear
from iwax.nn.mlp import ACTIVATIONS, activation_named
from iwax.nn.normalisation import LayerNorm

__all__ = ["ResidualBlock", "ResidualMLP"]


class ResidualBlock(eqx.Module):
    """``h + f(f(norm h) W + b) W' + b'``, the norm that of one datum (`LayerNorm`).

    Of the pre-activated kind of He et al. (2016, arXiv:1603.05027). ``share`` scales W' at the start: with 1/sqrt(n) in
    n blocks, the sum of all is of the size of one.

    >>> ResidualBlock(4, key=jax.random.key(0))(jnp.ones(4)).shape
    (4,)
    """

    norm: LayerNorm
    inner: Linear
    outer: Linear
    activation: str = eqx.field(static=True)

    def __init__(
        self,
        features: int,
        *,
        key: PRNGKey,
        activation: str = "relu",
        share: float = 1.0,
        initial: str = "he_normal",
    ) -> None:
        activation_named(activation)
        self.norm = LayerNorm(features)
        self.inner = Linear(features, features, key=jax.random.fold_in(key, 0), initial=initial)
        outer = Linear(features, features, key=jax.random.fold_in(key, 1), initial=initial)
        self.outer = eqx.tree_at(lambda layer: layer.weight, outer, share * outer.weight)
        self.activation = activation

    @property
    def in_features(self) -> int:
        """How many numbers it takes."""
        return self.inner.in_features

    @property
    def out_features(self) -> int:
        """How many numbers it gives: as many."""
        return self.outer.out_features

    def __call__(self, x: Float[AnyArray, "*batch in"], *, key: PRNGKey | None = None) -> Float[Array, "*batch in"]:
        """The output at x; ``key`` is ignored. Raises ValueError where x has another number of features."""
        f = ACTIVATIONS[self.activation]
        return jnp.asarray(x) + self.outer(f(self.inner(f(self.norm(x)))))


class ResidualMLP(eqx.Module):
    """An affine map to ``width`` features, residual blocks, and f, norm and an affine map to the output.

    He et al. (2016, arXiv:1603.05027), dense. Raises ValueError on sizes below 1, an unknown activation, a misfitting
    output bias.

    >>> ResidualMLP(784, 64, 2, 2 * 40, key=jax.random.key(0), heads=2)(jnp.zeros(784)).shape
    (80,)
    """

    first: Linear
    blocks: tuple[ResidualBlock, ...]
    norm: LayerNorm
    output: Linear
    activation: str = eqx.field(static=True)

    def __init__(
        self,
        in_features: int,
        width: int,
        blocks: int,
        out_features: int,
        *,
        key: PRNGKey,
        activation: str = "relu",
        heads: int = 1,
        output_bias: Float[AnyArray, " out"] | None = None,
        initial: str = "he_normal",
    ) -> None:
        activation_named(activation)
        if blocks < 1:
            raise ValueError(f"a residual network needs at least 1 block, got {blocks}")
        keys = [jax.random.fold_in(key, i) for i in range(blocks + 2)]
        self.first = Linear(in_features, width, key=keys[0], initial=initial)
        self.blocks = tuple(
            ResidualBlock(width, key=k, activation=activation, share=blocks**-0.5, initial=initial) for k in keys[1:-1]
        )
        self.norm = LayerNorm(width)
        self.output = Linear(
            width, out_features, key=keys[-1], heads=heads, output_bias=output_bias, initial="glorot_uniform"
        )
        self.activation = activation

    @property
    def in_features(self) -> int:
        """How many numbers it takes."""
        return self.first.in_features

    @property
    def out_features(self) -> int:
        """How many numbers it gives."""
        return self.output.out_features

    def __call__(self, x: Float[AnyArray, "*batch in"], *, key: PRNGKey | None = None) -> Float[Array, "*batch out"]:
        """The output at x; ``key`` is ignored. Raises ValueError where x has another number of features."""
        h = self.first(x)
        for block in self.blocks:
            h = block(h)
        return self.output(ACTIVATIONS[self.activation](self.norm(h)))
