"""Features on a grid from 0 to 1, such as grey values."""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax._typing import AnyArray, PRNGKey
from iwax.distributions.independent import AbstractIndependent
from iwax.numerics import reciprocal, softplus
from iwax.parts import Trace

__all__ = ["DiscretizedLogistic", "check_bins"]


class DiscretizedLogistic(AbstractIndependent):
    """``P(x_j = k / (B - 1)) = sigmoid(((k + 1)/B - loc_j) / scale_j) - sigmoid((k/B - loc_j) / scale_j)``, k < B.

    A logistic variable rounded to B bins of width 1/B between 0 and 1, the first and last bins taking the tails
    (Kingma et al. 2016, arXiv:1606.04934; Salimans et al. 2017, arXiv:1701.05517); B is ``bins``, at least 2.

    >>> p = DiscretizedLogistic(jnp.array([0.5]), jnp.array([0.1]), bins=2)
    >>> float(p.log_prob(jnp.array([1.0])))  # log(1/2)
    -0.6931
    """

    reparameterized: ClassVar[bool] = False

    loc: Float[AnyArray, "*batch features"]
    scale: Float[AnyArray, "*batch features"]
    bins: int = eqx.field(static=True, default=256)

    def __check_init__(self) -> None:
        check_bins(self.bins, "a discretised logistic variable")

    @property
    def mean(self) -> Array:
        """``E x_j = sum_{0 < k < B} P(X_j > k/B) / (B - 1)``, of the value on the grid, a loop over the bins."""
        loc, rate = jnp.asarray(self.loc), 1 / jnp.asarray(self.scale)

        def add(k: int | Array, total: Array) -> Array:
            return total + jax.nn.sigmoid((loc - k / self.bins) * rate)

        return jax.lax.fori_loop(1, self.bins, add, jnp.zeros_like(loc)) / (self.bins - 1)

    def draw(self, key: PRNGKey) -> tuple[Array, Trace]:
        """A value on the grid, which has no gradient; there is no trace."""
        loc = jnp.asarray(self.loc)
        x = loc + self.scale * jax.random.logistic(key, loc.shape, loc.dtype)
        return jnp.clip(jnp.floor(x * self.bins), 0, self.bins - 1) / (self.bins - 1), None

    def each(self, value: AnyArray) -> Float[AnyArray, "*batch features"]:
        """``log P(x_j)`` of every feature, nats.

        With a and b the bin's edges in units of the scale, ``sigmoid(b) - sigmoid(a)`` is the product
        ``sigmoid(b) sigmoid(-a) (1 - exp(a - b))``: no digits are lost, however far in the tails.
        """
        k = jnp.round(value * (self.bins - 1))
        rate = reciprocal(jnp.asarray(self.scale))
        below, above = (k / self.bins - self.loc) * rate, ((k + 1) / self.bins - self.loc) * rate
        first, last = k <= 0, k >= self.bins - 1
        width = jnp.log(-jnp.expm1(-rate / self.bins))
        return (
            jnp.where(first | last, 0, width)
            - jnp.where(last, 0, softplus(-above))
            - jnp.where(first, 0, softplus(below))
        )


def check_bins(bins: int, who: str) -> None:
    """Raise ValueError where there are fewer than two bins.

    >>> check_bins(256, "a discretised logistic variable")
    """
    if bins < 2:
        raise ValueError(f"{who} needs at least 2 bins, got {bins}")
