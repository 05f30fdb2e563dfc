"""Multilayer perceptrons."""

from collections.abc import Callable
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax._typing import AnyArray, PRNGKey
from iwax.nn.layered import Layered
from iwax.nn.linear import Linear
from iwax.nn.normalisation import LayerNorm, standardized
from iwax.nn.stochastic_linear import StochasticLinear, call

__all__ = ["ACTIVATIONS", "MLP", "activated", "check_activation", "gate"]

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "softplus": jax.nn.softplus,
    "gelu": jax.nn.gelu,
    "silu": jax.nn.silu,
    "leaky_relu": jax.nn.leaky_relu,
}


def gate(both: Array, *, axis: int = -1) -> Array:
    """``a sigmoid(b)`` of the halves (a, b) of an array: half as many features along ``axis``.

    >>> gate(jnp.array([1.0, 2.0, 0.0, -1e4])).tolist()
    [0.5, -0.0]
    """
    a, b = jnp.split(both, 2, axis=axis)
    return a * jax.nn.sigmoid(b)


def check_activation(name: str, *others: str) -> None:
    """Raise ValueError unless the name is one of `ACTIVATIONS`, or of those that a network has besides.

    >>> check_activation("relu")
    """
    known = (*others, *ACTIVATIONS)
    if name not in known:
        raise ValueError(f"activation must be one of {', '.join(known)}, got {name!r}")


def activated(name: str, a: Array, *, axis: int = -1) -> Array:
    """``f(a)``, f by its name; "gated" is `gate`, "linear" is a itself.

    >>> float(activated("relu", jnp.array(-1.0)))
    0.0
    """
    return gate(a, axis=axis) if name == "gated" else a if name == "linear" else ACTIVATIONS[name](a)


class MLP(Layered):
    """``h_0 = x, h_l = f(h_{l-1} W_l + b_l)``, and a last affine layer without f.

    The activation f is stored by its name, so that a network is arrays and words alone: one of `ACTIVATIONS`, or
    "gated", ``h_l = (h_{l-1} W_l + b_l) sigmoid(h_{l-1} V_l + c_l)``, with one product for W and V side by side, which
    start as two layers (Dauphin et al. 2017, arXiv:1612.08083). With hidden (300, 300) those are the networks of
    Tomczak and Welling (2018, arXiv:1705.07120), who start them with ``initial="he_normal"``, and of their Householder
    flow (2016, arXiv:1611.09630), with ``"glorot_normal"``.

    Args:
        in_features: numbers that it takes.
        hidden: the width of each hidden layer, from the input on.
        out_features: numbers that it gives. None: there is no last affine layer, and the output is the last hidden
            layer, a trunk for layers of your own.
        key: of the initial weights.
        activation: f, by its name.
        heads: how many quantities of equal width the outputs hold side by side, as a mean and a log scale (2). Each
            starts as a layer of its own would, and nothing else depends on it.
        output_bias: what the last bias starts at [out_features]. None: zeros.
        initial: the distribution that all weights start from: glorot_uniform, glorot_normal or he_normal
            (`nn.init.dense_weight`).
        sigma: with it, all weights and biases are random, normal and of this standard deviation at the start
            (`StochasticLinear`); a call then needs a key.
        floor: below which no standard deviation falls, where there is a ``sigma``.
        norm: whether what goes into f is normalised over the features of the layer first (`LayerNorm`).

    Raises ValueError on sizes below 1, an unknown activation or name of initial weights, a misfitting bias, a trunk of
    no layers, and normalised gates.

    >>> net = MLP(784, (200, 200), 2 * 50, key=jax.random.key(0), heads=2)
    >>> net(jnp.zeros(784)).shape
    (100,)
    >>> MLP(784, (300, 300), None, key=jax.random.key(0), activation="gated").out_features
    300
    """

    layers: tuple[Linear | StochasticLinear, ...]  # a gated one gives (W, V) and (b, c)
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
        check_activation(activation, "gated")
        if activation == "gated" and norm:
            raise ValueError("a gated network has no normalised layers: leave norm out, or take another activation")
        kind = Linear if sigma is None else partial(StochasticLinear, sigma=sigma, floor=floor)
        layer = partial(kind, initial=initial)
        keys = [jax.random.fold_in(key, i) for i in range(len(hidden) + 1)]
        halves = 2 if activation == "gated" else 1
        sizes = zip((in_features, *hidden), hidden, keys, strict=False)
        layers = [layer(inputs, halves * width, key=k, heads=halves) for inputs, width, k in sizes]
        if out_features is None:
            check_trunk(hidden, heads, output_bias)
        else:
            inputs = (in_features, *hidden)[-1]
            layers.append(layer(inputs, out_features, key=keys[-1], heads=heads, output_bias=output_bias))
        self.layers, self.norms = tuple(layers), tuple(LayerNorm(width) for width in hidden) if norm else ()
        self.activation, self.trunk = activation, out_features is None

    @property
    def in_features(self) -> int:
        """How many numbers it takes."""
        return self.layers[0].in_features

    @property
    def out_features(self) -> int:
        """How many numbers it gives."""
        return self.layers[-1].out_features // (2 if self.trunk and self.activation == "gated" else 1)

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
        return activated(self.activation, self.norms[i](a) if self.norms else a)

    def states(self, x: Float[AnyArray, "*batch in"], *, key: PRNGKey | None = None) -> list[Array]:
        """Every hidden layer's outputs before f, to mean 0 and variance 1 over its features; from the input on.

        Raises ValueError for a gated network, whose f takes two numbers per feature.
        """
        if self.activation == "gated":
            raise ValueError("hidden layers before their activation were needed, and a gated network has pairs of them")
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
