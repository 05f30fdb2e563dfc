"""Multilayer perceptrons."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax._typing import AnyArray, PRNGKey
from iwax.nn.linear import Linear

__all__ = ["ACTIVATIONS", "MLP"]

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "softplus": jax.nn.softplus,
    "gelu": jax.nn.gelu,
    "silu": jax.nn.silu,
    "leaky_relu": jax.nn.leaky_relu,
}


class MLP(eqx.Module):
    """``h_0 = x, h_l = f(h_{l-1} W_l + b_l)``, and a last affine layer without f.

    The activation f is kept by its name, so that a network is arrays and words alone. ``output_bias`` replaces the
    zeros that the last bias starts at. Raises ValueError on sizes below 1, an unknown activation, a misfitting bias.

    >>> net = MLP(784, (200, 200), 2 * 50, key=jax.random.key(0), heads=2)
    >>> net(jnp.zeros(784)).shape
    (100,)
    """

    layers: tuple[Linear, ...]
    activation: str = eqx.field(static=True)

    def __init__(
        self,
        in_features: int,
        hidden: tuple[int, ...],
        out_features: int,
        *,
        key: PRNGKey,
        activation: str = "tanh",
        heads: int = 1,
        output_bias: Float[AnyArray, " out"] | None = None,
    ) -> None:
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {activation!r}")
        widths = (in_features, *hidden, out_features)
        last = len(widths) - 2
        layers = [
            Linear(widths[i], widths[i + 1], key=jax.random.fold_in(key, i), heads=heads if i == last else 1)
            for i in range(last + 1)
        ]
        if output_bias is not None:
            bias = jnp.asarray(output_bias, layers[-1].bias.dtype)
            if bias.shape != (out_features,):
                raise ValueError(f"output_bias must have shape ({out_features},), got {bias.shape}")
            layers[-1] = eqx.tree_at(lambda layer: layer.bias, layers[-1], bias)
        self.layers = tuple(layers)
        self.activation = activation

    def __call__(self, x: Float[AnyArray, "*batch in"], *, key: PRNGKey | None = None) -> Float[Array, "*batch out"]:
        """The output at x; ``key`` is ignored."""
        for layer in self.layers[:-1]:
            x = ACTIVATIONS[self.activation](layer(x))
        return self.layers[-1](x)
