"""Convolutions whose kernels are random."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax._typing import PRNGKey
from iwax.nn.convolution import layer
from iwax.nn.uncertain import check_spread, needed, noisy, rho_of, root, sigma_of

__all__ = ["UncertainConv"]


class UncertainConv(eqx.Module):
    """A convolution ``W * x + b`` of one image with ``W ~ N(M, S^2)``, ``b ~ N(m, s^2)``, elementwise.

    ``mean`` is Equinox's convolution, plain or transposed, with the kernel M and the bias m; S and s are
    ``floor + softplus(rho)``. ``sampling`` is as of `UncertainLinear`, with this difference: "local" draws every pixel
    of ``N(M * x + m, S^2 * x^2 + s^2)`` by itself. That is the law of each pixel, and not that of all together, for
    they share a kernel (Kingma, Salimans and Welling 2015, arXiv:1506.02557, section 4): a model of its own, whose
    pixels differ more; "weights" draws the kernel. Raises ValueError as `UncertainLinear`, and without a bias.

    >>> plain = eqx.nn.Conv2d(1, 4, 3, key=jax.random.key(0))
    >>> UncertainConv(plain, sigma=0.1)(jnp.ones((1, 5, 5)), key=jax.random.key(1)).shape
    (4, 3, 3)
    """

    mean: eqx.nn.Conv2d | eqx.nn.ConvTranspose2d
    weight_rho: Float[Array, "out in height width"]
    bias_rho: Float[Array, "out 1 1"]
    sampling: str = eqx.field(static=True)
    floor: float = eqx.field(static=True)

    def __init__(
        self,
        mean: eqx.nn.Conv2d | eqx.nn.ConvTranspose2d,
        *,
        sigma: float,
        sampling: str = "local",
        floor: float = 0.0,
    ) -> None:
        check_spread(sampling, sigma, floor)
        if mean.bias is None:
            raise ValueError("an uncertain convolution needs a bias, got a convolution without one")
        self.mean = mean
        self.weight_rho = jnp.full_like(mean.weight, rho_of(sigma - floor))
        self.bias_rho = jnp.full_like(mean.bias, rho_of(sigma - floor))
        self.sampling, self.floor = sampling, floor

    @property
    def weight(self) -> Array:
        """Means of the kernel."""
        return self.mean.weight

    def laws(self) -> tuple[tuple[Any, Array], tuple[Any, Array]]:
        """(mean, standard deviation) of the kernel, and of the biases."""
        of_weight, of_bias = (sigma_of(rho, self.floor) for rho in (self.weight_rho, self.bias_rho))
        return (self.mean.weight, of_weight), (self.mean.bias, of_bias)

    def at_mean(self) -> eqx.nn.Conv2d | eqx.nn.ConvTranspose2d:
        """The convolution with its weights held at their means."""
        return self.mean

    def drawn(self, key: PRNGKey) -> eqx.nn.Conv2d | eqx.nn.ConvTranspose2d:
        """The convolution with one draw of its weights."""
        keys = jax.random.split(key)
        return self._with(*(noisy(*law, each) for law, each in zip(self.laws(), keys, strict=True)))

    def __call__(self, x: Float[Array, "channels height width"], *, key: PRNGKey | None = None) -> Array:
        """The output at an image, random by ``key``. Raises ValueError without one, unless the sampling is "mean"."""
        if self.sampling == "mean":
            return layer(self.mean, x)
        if self.sampling == "weights":
            return layer(self.drawn(needed(key)), x)
        (_, of_weight), (_, of_bias) = self.laws()
        variance = layer(self._with(of_weight**2, of_bias**2), x**2)
        return noisy(layer(self.mean, x), root(variance), needed(key))

    def _with(self, weight: Array, bias: Array) -> Any:
        return eqx.tree_at(lambda conv: (conv.weight, conv.bias), self.mean, (weight, bias))
