"""Whole numbers, of any spread."""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax._typing import AnyArray, PRNGKey
from iwax.distributions.independent import AbstractIndependent
from iwax.numerics import reciprocal, softplus
from iwax.parts import Trace

__all__ = ["LARGEST", "IntegerLogistic", "check_bounds"]

LARGEST = 2**24  # up to here float32 tells whole numbers apart
_REACH = (
    16  # below a scale of 1, the whole numbers to either side of loc that the mean is summed over: exp(-16) is left
)


class IntegerLogistic(AbstractIndependent):
    """``P(x_j = k) = sigmoid((k + 1/2 - loc_j) / scale_j) - sigmoid((k - 1/2 - loc_j) / scale_j)``, k whole.

    A logistic variable rounded to the nearest whole number from ``lower`` to ``upper``, which take the tails (Kingma et
    al. 2016, arXiv:1606.04934; of whole numbers, Hoogeboom et al. 2019, arXiv:1905.07376). Its spread may be below or
    above that of a count. Raises ValueError unless lower < upper, both of size up to 2^24.

    >>> p = IntegerLogistic(jnp.array([0.5]), jnp.array([2.0]), lower=0)
    >>> float(p.log_prob(jnp.array([0.0])))  # log(1/2): all that is below 1/2
    -0.6931
    """

    reparameterized: ClassVar[bool] = False

    loc: Float[AnyArray, "*batch features"]
    scale: Float[AnyArray, "*batch features"]
    lower: int = eqx.field(static=True, default=-LARGEST)
    upper: int = eqx.field(static=True, default=LARGEST)

    def __check_init__(self) -> None:
        check_bounds(self.lower, self.upper, "a rounded logistic variable")

    @property
    def mean(self) -> Array:
        """``E x_j = lower + sum_{k >= lower} P(x_j > k)``.

        Of scales below 1 a sum round loc; of others the integral ``loc + scale log(1 + exp(-a))``,
        ``a = (loc - lower) / scale``, and three terms of Euler and Maclaurin's series. It is no whole number.
        """
        loc, scale = jnp.asarray(self.loc), jnp.asarray(self.scale)
        rate = reciprocal(jnp.maximum(scale, 1))
        at_lower, at_upper = (loc - self.lower) * rate, (self.upper - loc) * rate
        p = jax.nn.sigmoid(at_lower) * jax.nn.sigmoid(-at_lower)
        series = p * rate / 24 - 7 / 5760 * p * (1 - 6 * p) * rate**3
        series += 31 / 967680 * p * (1 - 30 * p + 120 * p**2) * rate**5
        smooth = loc + jnp.maximum(scale, 1) * (softplus(-at_lower) - softplus(-at_upper)) - series
        return jnp.clip(jnp.where(scale < 1, self._summed(), smooth), self.lower, self.upper)

    def _summed(self) -> Array:
        """The mean as a sum over the whole numbers near loc."""
        loc, rate = jnp.asarray(self.loc), reciprocal(jnp.minimum(self.scale, 1))
        first = jnp.clip(jnp.round(loc) - _REACH, self.lower, self.upper)

        def add(k: int | Array, total: Array) -> Array:
            above = jax.nn.sigmoid((loc - first - k - 0.5) * rate)
            return total + jnp.where(first + k < self.upper, above, 0)

        return first + jax.lax.fori_loop(0, 2 * _REACH + 1, add, jnp.zeros_like(loc))

    def draw(self, key: PRNGKey) -> tuple[Array, Trace]:
        """A whole number, which has no gradient; there is no trace."""
        loc = jnp.asarray(self.loc)
        x = loc + self.scale * jax.random.logistic(key, loc.shape, loc.dtype)
        return jnp.clip(jnp.round(x), self.lower, self.upper), None

    def each(self, value: AnyArray) -> Float[AnyArray, "*batch features"]:
        """``log P(x_j)`` of every feature, nats.

        With a and b the edges of k in units of the scale, ``sigmoid(b) - sigmoid(a)`` is the product
        ``sigmoid(b) sigmoid(-a) (1 - exp(a - b))``: no digits are lost, however far in the tails.
        """
        k, rate = jnp.round(jnp.asarray(value)), reciprocal(jnp.asarray(self.scale))
        away = k - self.loc  # before the half is added, which float32 does not hold at numbers of size 2^24
        first, last = k <= self.lower, k >= self.upper
        return (
            jnp.where(first | last, 0, jnp.log(-jnp.expm1(-rate)))
            - jnp.where(last, 0, softplus(-(away + 0.5) * rate))
            - jnp.where(first, 0, softplus((away - 0.5) * rate))
        )


def check_bounds(lower: int, upper: int, who: str) -> None:
    """Raise ValueError unless lower < upper, and float32 tells the whole numbers between them apart.

    >>> check_bounds(0, LARGEST, "a rounded logistic variable")
    """
    if not -LARGEST <= lower < upper <= LARGEST:
        raise ValueError(
            f"{who} needs bounds lower < upper of size up to {LARGEST}, got lower={lower} and upper={upper}"
        )
