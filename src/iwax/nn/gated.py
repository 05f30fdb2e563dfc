"""Gated dense layers, and networks of them."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax._typing import AnyArray, PRNGKey
from iwax.nn.linear import Linear
from iwax.nn.mlp import check_trunk
from iwax.nn.uncertain import UncertainLinear, affine, call

__all__ = ["GatedLinear", "GatedMLP", "gate"]


def gate(both: Array, *, axis: int = -1) -> Array:
    """``a sigmoid(b)`` of the halves (a, b) of an array: half as many features along ``axis``.

    >>> gate(jnp.array([1.0, 2.0, 0.0, -1e4])).tolist()
    [0.5, -0.0]
    """
    a, b = jnp.split(both, 2, axis=axis)
    return a * jax.nn.sigmoid(b)


class GatedLinear(eqx.Module):
    """``(x W + b) sigmoid(x V + c)``, elementwise, with one product for W and V side by side.

    Dauphin et al. (2017, arXiv:1612.08083); the layer of Tomczak and Welling (2016, arXiv:1611.09630; 2018,
    arXiv:1705.07120), who use no other activation. W and V start as two layers of their own, b and c at zero. With
    ``sigma`` the weights are random, as in `MLP`.

    >>> layer = GatedLinear(3, 2, key=jax.random.key(0))
    >>> layer(jnp.ones(3)).shape
    (2,)
    """

    both: Linear | UncertainLinear  # (W, V) and (b, c)

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        key: PRNGKey,
        initial: str = "glorot_uniform",
        sigma: float | None = None,
        floor: float = 0.0,
    ) -> None:
        self.both = affine(in_features, 2 * out_features, key=key, heads=2, initial=initial, sigma=sigma, floor=floor)

    @property
    def in_features(self) -> int:
        """How many numbers it takes."""
        return self.both.in_features

    @property
    def out_features(self) -> int:
        """How many numbers it gives."""
        return self.both.out_features // 2

    def __call__(self, x: Float[AnyArray, "*batch in"], *, key: PRNGKey | None = None) -> Float[Array, "*batch out"]:
        """The output at x, random by ``key`` where the weights are. Raises ValueError unless x has its features."""
        return gate(self.both(x, key=key))


class GatedMLP(eqx.Module):
    """Gated layers ``h_l = (h_{l-1} W_l + b_l) sigmoid(h_{l-1} V_l + c_l)``, and a last affine one without a gate.

    With hidden (300, 300) the nets of Tomczak and Welling (2018, arXiv:1705.07120), who start them with
    ``initial="he_normal"``, and of their Householder flow (2016, arXiv:1611.09630), with ``"glorot_normal"``. With
    ``out_features=None`` the output is the last gated layer, a trunk for other heads. ``output_bias`` replaces the
    zeros that the last bias starts at; with ``sigma`` the weights are random, as in `MLP`. Raises ValueError as `MLP`.

    >>> net = GatedMLP(784, (300, 300), 2 * 40, key=jax.random.key(0), heads=2)
    >>> net(jnp.zeros(784)).shape
    (80,)
    """

    hidden: tuple[GatedLinear, ...]
    output: Linear | UncertainLinear | None

    def __init__(
        self,
        in_features: int,
        hidden: tuple[int, ...],
        out_features: int | None,
        *,
        key: PRNGKey,
        heads: int = 1,
        output_bias: Float[AnyArray, " out"] | None = None,
        initial: str = "glorot_uniform",
        sigma: float | None = None,
        floor: float = 0.0,
    ) -> None:
        widths = (in_features, *hidden)
        self.hidden = tuple(
            GatedLinear(
                widths[i], widths[i + 1], key=jax.random.fold_in(key, i), initial=initial, sigma=sigma, floor=floor
            )
            for i in range(len(hidden))
        )
        if out_features is None:
            check_trunk(hidden, heads, output_bias)
            self.output = None
        else:
            self.output = affine(
                widths[-1],
                out_features,
                key=jax.random.fold_in(key, len(hidden)),
                heads=heads,
                initial=initial,
                output_bias=output_bias,
                sigma=sigma,
                floor=floor,
            )

    @property
    def in_features(self) -> int:
        """How many numbers it takes."""
        return self.hidden[0].in_features if self.hidden or self.output is None else self.output.in_features

    @property
    def out_features(self) -> int:
        """How many numbers it gives."""
        return self.hidden[-1].out_features if self.output is None else self.output.out_features

    def __call__(self, x: Float[AnyArray, "*batch in"], *, key: PRNGKey | None = None) -> Float[Array, "*batch out"]:
        """The output at x, random by ``key`` where the weights are. Raises ValueError unless x has its features."""
        for i, layer in enumerate((*self.hidden, *(() if self.output is None else (self.output,)))):
            x = call(layer, x, key=key, number=i)
        return jnp.asarray(x)
