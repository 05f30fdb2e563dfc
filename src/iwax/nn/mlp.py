"""Multilayer perceptrons."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax._typing import AnyArray, PRNGKey
from iwax.nn.layered import Layered
from iwax.nn.linear import Linear
from iwax.nn.normalisation import LayerNorm, standardized
from iwax.nn.uncertain import UncertainLinear, affine, call

__all__ = ["ACTIVATIONS", "MLP", "activation_named"]

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "softplus": jax.nn.softplus,
    "gelu": jax.nn.gelu,
    "silu": jax.nn.silu,
    "leaky_relu": jax.nn.leaky_relu,
}


def activation_named(name: str) -> Callable[[Array], Array]:
    """The function of that name; ValueError where there is none.

    >>> float(activation_named("relu")(jnp.array(-1.0)))
    0.0
    """
    if name not in ACTIVATIONS:
        raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {name!r}")
    return ACTIVATIONS[name]


class MLP(Layered):
    """``h_0 = x, h_l = f(h_{l-1} W_l + b_l)``, and a last affine layer without f.

    The activation f is kept by its name, so that a network is arrays and words alone. ``output_bias`` replaces the
    zeros that the last bias starts at. With ``out_features=None`` there is no affine layer: the output is the last
    hidden layer, a trunk for other heads. With ``sigma`` all weights and biases are random, of that standard deviation
    at the start and of ``floor`` at least (`UncertainLinear`); a call then needs a key. With ``norm`` what goes into f
    is normalised over the features of the layer first (`LayerNorm`). Raises ValueError on sizes below 1, an unknown
    activation or law of initial weights, a misfitting bias, and a trunk of no layers.

    >>> net = MLP(784, (200, 200), 2 * 50, key=jax.random.key(0), heads=2)
    >>> net(jnp.zeros(784)).shape
    (100,)
    >>> MLP(784, (200, 200), None, key=jax.random.key(0)).out_features
    200
    """

    layers: tuple[Linear | UncertainLinear, ...]
    norms: tuple[LayerNorm, ...]  # of the hidden layers, or none
    activation: str = eqx.field(static=True)
    trunk: bool = eqx.field(static=True)  # the last layer is a hidden one

    def __init__(
        self,
        in_features: int,
        hidden: tuple[int, ...],
        out_features: int | None,
        *,
        key: PRNGKey,
        activation: str = "tanh",
        heads: int = 1,
        output_bias: Float[AnyArray, " out"] | None = None,
        initial: str = "glorot_uniform",
        sigma: float | None = None,
        floor: float = 0.0,
        norm: bool = False,
    ) -> None:
        activation_named(activation)
        self.activation, self.trunk = activation, out_features is None
        if out_features is None:
            check_trunk(hidden, heads, output_bias)
        widths = (in_features, *hidden) if out_features is None else (in_features, *hidden, out_features)
        last = len(widths) - 2
        self.layers = tuple(
            affine(
                widths[i],
                widths[i + 1],
                key=jax.random.fold_in(key, i),
                sigma=sigma,
                floor=floor,
                heads=heads if i == last else 1,
                initial=initial,
                output_bias=output_bias if i == last else None,
            )
            for i in range(last + 1)
        )
        self.norms = tuple(LayerNorm(width) for width in hidden) if norm else ()

    @property
    def in_features(self) -> int:
        """How many numbers it takes."""
        return self.layers[0].in_features

    @property
    def out_features(self) -> int:
        """How many numbers it gives."""
        return self.layers[-1].out_features

    def __call__(self, x: Float[AnyArray, "*batch in"], *, key: PRNGKey | None = None) -> Float[Array, "*batch out"]:
        """The output at x, random by ``key`` where the weights are. Raises ValueError unless x has its features."""
        for i in range(self.depth):
            x = self.activated(i, call(self.layers[i], x, key=key, number=i))
        return jnp.asarray(x) if self.trunk else call(self.layers[-1], x, key=key, number=self.depth)

    @property
    def depth(self) -> int:
        """How many hidden layers it has."""
        return len(self.layers) if self.trunk else len(self.layers) - 1

    def activated(self, i: int, a: Array) -> Array:
        """``f(a)`` of hidden layer i, normalised before where the network is."""
        return ACTIVATIONS[self.activation](self.norms[i](a) if self.norms else a)

    def states(self, x: Float[AnyArray, "*batch in"], *, key: PRNGKey | None = None) -> list[Array]:
        """Every hidden layer's outputs before f, to mean 0 and variance 1 over its features; from the input on."""
        found = []
        for i in range(self.depth):
            a = call(self.layers[i], x, key=key, number=i)
            found.append(standardized(a))
            x = self.activated(i, a)
        return found


def check_trunk(hidden: tuple[int, ...], heads: int, output_bias: AnyArray | None) -> None:
    """Raise ValueError where a network without a last affine layer has no hidden one, or is given heads or a bias.

    >>> check_trunk((300,), 1, None)
    """
    if not hidden:
        raise ValueError("out_features=None gives the last hidden layer: at least one hidden layer is needed, got none")
    if heads != 1 or output_bias is not None:
        raise ValueError(
            "heads and output_bias belong to the last affine layer, which out_features=None leaves out: "
            f"give neither, got heads={heads} and {'no' if output_bias is None else 'an'} output_bias"
        )
