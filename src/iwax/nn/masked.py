"""Masked dense networks: every output sees the inputs before it."""

from functools import lru_cache
from itertools import pairwise

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from iwax._typing import AnyArray, PRNGKey
from iwax.nn.init import dense_weight
from iwax.nn.linear import Linear
from iwax.nn.mlp import ACTIVATIONS, check_activation
from iwax.nn.products import product
from iwax.nn.sizes import check_inputs

__all__ = ["MaskedMLP"]


class MaskedMLP(eqx.Module):
    """``o_i(x_<i, c)``: a multilayer perceptron with weights masked so that output i depends on the inputs before i.

    MADE: Germain, Gregor, Murray and Larochelle (2015, arXiv:1502.03509). Gives [heads, features]. Hidden units carry
    degrees spread evenly over the features: one of degree m sees the inputs up to m, and feeds the outputs beyond m; a
    layer with fewer units than features cuts some inputs off from the outputs close behind them. ``context_features``
    numbers c are seen by every output; ``reverse`` takes the features from the last to the first. Raises ValueError as
    `MLP`, and where a context is given that is not taken, or taken and not given.

    >>> net = MaskedMLP(3, (8,), heads=2, key=jax.random.key(0))
    >>> net(jnp.zeros(3)).shape
    (2, 3)
    >>> net = MaskedMLP(3, (8,), context_features=4, key=jax.random.key(0))
    >>> net(jnp.zeros(3), jnp.ones(4)).shape
    (1, 3)
    """

    layers: tuple[Linear, ...]
    context_weight: Float[Array, "context width"] | None
    heads: int = eqx.field(static=True)
    reverse: bool = eqx.field(static=True)
    activation: str = eqx.field(static=True)

    def __init__(
        self,
        features: int,
        hidden: tuple[int, ...],
        *,
        key: PRNGKey,
        heads: int = 1,
        context_features: int = 0,
        reverse: bool = False,
        activation: str = "tanh",
        initial: str = "glorot_uniform",
    ) -> None:
        check_activation(activation)
        if heads < 1:
            raise ValueError(f"heads must be at least 1, got {heads}")
        widths = (features, *hidden, heads * features)
        last = len(widths) - 2
        self.layers = tuple(
            Linear(
                widths[i],
                widths[i + 1],
                key=jax.random.fold_in(key, i),
                heads=heads if i == last else 1,
                initial=initial,
            )
            for i in range(last + 1)
        )
        self.context_weight = (
            dense_weight(context_features, widths[1], key=jax.random.fold_in(key, last + 1), initial=initial)
            if context_features
            else None
        )
        self.heads, self.reverse, self.activation = heads, reverse, activation

    @property
    def in_features(self) -> int:
        """How many numbers it takes, without a context."""
        return self.layers[0].in_features

    @property
    def out_features(self) -> int:
        """How many numbers it gives: heads times features."""
        return self.layers[-1].out_features

    @property
    def context_features(self) -> int:
        """How many numbers it takes as a context."""
        return 0 if self.context_weight is None else self.context_weight.shape[-2]

    def __call__(
        self,
        x: Float[AnyArray, "*batch in"],
        context: Float[AnyArray, "*batch context"] | None = None,
        *,
        key: PRNGKey | None = None,
    ) -> Float[Array, "*batch heads in"]:
        """The outputs at x; ``key`` is ignored. Raises ValueError where x or the context has another size."""
        check_inputs(x, self.in_features, "a masked network")
        h = jnp.asarray(x)
        last = len(self.layers) - 1
        hidden = tuple(layer.out_features for layer in self.layers[:-1])
        masks = _masks(self.in_features, hidden, self.heads, self.context_weight is not None, self.reverse)
        for i, (layer, mask) in enumerate(zip(self.layers, masks, strict=True)):
            h = product(h, jnp.where(mask, layer.weight, 0)) + layer.bias
            h = h + self._of_context(context) if i == 0 else h
            h = ACTIVATIONS[self.activation](h) if i < last else h
        return h.reshape(*h.shape[:-1], self.heads, self.in_features)

    def _of_context(self, context: AnyArray | None) -> Array | float:
        """What the context adds to the first layer."""
        if context is None and self.context_weight is None:
            return 0.0
        if context is None or self.context_weight is None:
            got = "none" if context is None else f"one of shape {jnp.shape(context)}"
            raise ValueError(f"a masked network of {self.context_features} context features needs as many, got {got}")
        check_inputs(context, self.context_features, "the context of a masked network")
        return product(context, self.context_weight)


@lru_cache(maxsize=64)
def _masks(features: int, hidden: tuple[int, ...], heads: int, context: bool, reverse: bool) -> tuple[np.ndarray, ...]:
    """Which weights [in, out] count, layer by layer."""
    order = np.arange(1, features + 1)[:: -1 if reverse else 1]
    lowest = 0 if context else 1  # units of degree 0 see a context alone
    steps = max(features - lowest, 0)
    degrees = [order, *(lowest + np.arange(width) * steps // width for width in hidden)]
    inner = [above >= below[:, None] for below, above in pairwise(degrees)]
    return (*inner, np.tile(order > degrees[-1][:, None], heads))
