"""Bayesian dense layers: a factorised normal distribution over every weight and bias."""

import math
import warnings
from typing import Any, Literal, TypeAlias, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax._typing import AnyArray, PRNGKey
from iwax.nn.linear import Linear
from iwax.nn.products import product
from iwax.nn.sizes import check_inputs

__all__ = [
    "Sampling",
    "StochasticLinear",
    "call",
    "check_spread",
    "needed",
    "noisy",
    "rho_of",
    "root",
    "sigma_of",
]

Sampling: TypeAlias = Literal["local", "weights", "mean"]

_NO_SIGMA = -100.0  # rho of a standard deviation of 0: softplus(-100) = 4e-44 changes no digit


class StochasticLinear(eqx.Module):
    """``x W + b`` with ``W_ij ~ N(M_ij, S_ij^2)``, ``b_j ~ N(m_j, s_j^2)``; S, s are ``floor + softplus(rho)``.

    ``sampling`` says how a call is random. "local" draws the outputs, ``a_j ~ N(x M + m, x^2 S^2 + s^2)``, independent
    over units: what a single x with weights of its own gives, by one normal number per output instead of one per
    weight, and with gradients of less variance (Kingma, Salimans and Welling 2015, arXiv:1506.02557). "weights" draws W
    and b: with leading axes, one draw for all of x, where "local" gives every row its own. "mean" takes M and m. In
    iwax every importance sample of every data point is a call with a key of its own, and "local" is exact there.

    ``sigma`` is what S and s start at; at 0 the layer is the `Linear` of the same key, bit for bit. The distribution is
    that of Blundell et al. (2015, arXiv:1505.05424). Raises ValueError as `Linear`, on an unknown sampling, and if
    sigma or the floor is negative.

    >>> layer = StochasticLinear(3, 2, sigma=0.1, key=jax.random.key(0))
    >>> layer(jnp.ones(3), key=jax.random.key(1)).shape
    (2,)
    """

    weight: Float[Array, "in out"]
    bias: Float[Array, " out"]
    weight_rho: Float[Array, "in out"]
    bias_rho: Float[Array, " out"]
    sampling: str = eqx.field(static=True)
    floor: float = eqx.field(static=True)

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        sigma: float,
        key: PRNGKey,
        heads: int = 1,
        initial: str = "glorot_uniform",
        output_bias: Float[AnyArray, " out"] | None = None,
        sampling: str = "local",
        floor: float = 0.0,
    ) -> None:
        check_spread(sampling, sigma, floor)
        means = Linear(in_features, out_features, key=key, heads=heads, initial=initial, output_bias=output_bias)
        self.weight, self.bias = means.weight, means.bias
        self.weight_rho = jnp.full_like(means.weight, rho_of(sigma - floor))
        self.bias_rho = jnp.full_like(means.bias, rho_of(sigma - floor))
        self.sampling, self.floor = sampling, floor

    @property
    def in_features(self) -> int:
        """How many numbers it takes."""
        return self.weight.shape[-2]

    @property
    def out_features(self) -> int:
        """How many numbers it gives."""
        return self.weight.shape[-1]

    @property
    def weight_sigma(self) -> Float[Array, "in out"]:
        """Standard deviations of the weights."""
        return sigma_of(self.weight_rho, self.floor)

    @property
    def bias_sigma(self) -> Float[Array, " out"]:
        """Standard deviations of the biases."""
        return sigma_of(self.bias_rho, self.floor)

    def normals(self) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        """(mean, standard deviation) of the weights, and of the biases."""
        return (self.weight, self.weight_sigma), (self.bias, self.bias_sigma)

    def laws(self) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        """Deprecated: `normals`."""
        warnings.warn("layer.laws() is layer.normals()", DeprecationWarning, stacklevel=2)
        return self.normals()

    def at_mean(self) -> Linear:
        """The layer with its weights held at their means.

        >>> layer = StochasticLinear(3, 2, sigma=0.1, key=jax.random.key(0))
        >>> bool((layer.at_mean().weight == layer.weight).all())
        True
        """
        return _fixed(self.weight, self.bias)

    def drawn(self, key: PRNGKey) -> Linear:
        """The layer with one draw of its weights, ``M + S eps``, which is then the same for all inputs."""
        of_weight, of_bias = jax.random.split(key)
        return _fixed(
            noisy(self.weight, self.weight_sigma, of_weight),
            noisy(self.bias, self.bias_sigma, of_bias),
        )

    def __call__(self, x: Float[AnyArray, "*batch in"], *, key: PRNGKey | None = None) -> Float[Array, "*batch out"]:
        """The outputs at x, random by ``key``. Raises ValueError without one, unless the sampling is "mean"."""
        check_inputs(x, self.in_features, "a linear layer")
        if self.sampling == "mean":
            return product(x, self.weight) + self.bias
        key = needed(key)
        if self.sampling == "weights":
            return self.drawn(key)(x)
        x = jnp.asarray(x)
        variance = product(x**2, self.weight_sigma**2) + self.bias_sigma**2
        return noisy(product(x, self.weight) + self.bias, root(variance), key)


def call(layer: Any, x: AnyArray, *, key: PRNGKey | None, number: int) -> Array:
    """The output of a network's layer of that number, which has a key of its own where it is random.

    >>> call(Linear(3, 2, key=jax.random.key(0)), jnp.ones(3), key=None, number=0).shape
    (2,)
    """
    if isinstance(layer, Linear) or key is None:
        return layer(x)
    return layer(x, key=jax.random.fold_in(key, number))


def sigma_of(rho: AnyArray, floor: float = 0.0) -> Array:
    """``floor + softplus(rho)``, a standard deviation.

    >>> float(sigma_of(jnp.array(rho_of(0.5))))
    0.5
    """
    return floor + jax.nn.softplus(rho)


def rho_of(sigma: float) -> float:
    """``log(exp(sigma) - 1)``, at which softplus gives sigma; -100 where that is 0.

    >>> rho_of(0.0)
    -100.0
    """
    return max(sigma + math.log(-math.expm1(-sigma)), _NO_SIGMA) if sigma > 0 else _NO_SIGMA


def needed(key: PRNGKey | None) -> PRNGKey:
    """The key; ValueError where there is none."""
    if key is None:
        raise ValueError('a stochastic layer needs a key for its noise, got None; sampling="mean" needs none')
    return key


def check_spread(sampling: str, sigma: float, floor: float) -> None:
    """Raise ValueError on an unknown sampling, and unless 0 <= floor <= sigma.

    >>> check_spread("local", 0.1, 0.0)
    """
    if sampling not in get_args(Sampling):
        raise ValueError(f"sampling must be one of {', '.join(get_args(Sampling))}, got {sampling!r}")
    if not 0 <= floor <= sigma:
        raise ValueError(f"needed 0 <= floor <= sigma, got floor={floor} and sigma={sigma}")


def noisy(mean: Array, sigma: Array, key: PRNGKey) -> Array:
    """``mean + sigma eps``, eps standard normal.

    >>> noisy(jnp.ones(2), jnp.zeros(2), jax.random.key(0)).tolist()
    [1.0, 1.0]
    """
    return mean + sigma * jax.random.normal(key, mean.shape, mean.dtype)


def root(variance: Array) -> Array:
    """The square root, with derivative 0 at 0: where every sigma is 0 there is no noise to change.

    >>> float(jax.grad(root)(jnp.array(0.0)))
    0.0
    """
    positive = variance > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, variance, 1)), 0)


def _fixed(weight: Array, bias: Array) -> Linear:
    shape = eqx.filter_eval_shape(lambda: Linear(*weight.shape, key=jax.random.key(0)))
    return eqx.tree_at(lambda layer: (layer.weight, layer.bias), shape, (weight, bias))
