"""Whole numbers that need not be counts."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from iwax import distributions
from iwax._typing import AnyArray
from iwax.distributions.integer_logistic import LARGEST, check_bounds
from iwax.families.family import Family
from iwax.families.outputs import located, to_features
from iwax.families.start import Cells, Start, encoded, output_of
from iwax.numerics import check_floor
from iwax.supports import Whole

__all__ = ["IntegerLogistic"]

_UNIT = 3**0.5 / np.pi  # the scale of a logistic variable of standard deviation 1


class IntegerLogistic(Family):
    """A logistic variable of loc_j and scale_j, rounded to a whole number.

    The network gives (loc, s) of every feature in units that are not learned: x has location
    ``centre_j + unit_j loc_j`` and scale ``unit_j exp(s_j)`` or, with a ``floor``, unit_j times what
    `numerics.scale_of` makes of s_j. Whole numbers reach from ``lower`` (0 for what is never negative) to 2^24, and
    both ends take the tails. Raises ValueError where a unit is not positive, lower is not below 2^24, or the floor is
    below 0.
    """

    name = "integer_logistic"
    title = "rounded logistic"
    explorer = "integer logistic"
    outputs = 2

    centre: Float[Array, "*features"]
    unit: Float[Array, "*features"]
    lower: int = eqx.field(static=True)
    floor: float = eqx.field(static=True)

    def __init__(
        self,
        *,
        centre: float | AnyArray = 0.0,
        unit: float | AnyArray = 1.0,
        lower: int = -LARGEST,
        floor: float = 0.0,
    ) -> None:
        check_bounds(lower, LARGEST, self.who)
        check_floor(floor, self.who)
        if not isinstance(unit, Tracer) and not np.all(np.asarray(unit) > 0):
            raise ValueError(f"the units of {self.who} must be positive, got {unit}")
        self.centre, self.unit = jnp.asarray(centre, float), jnp.asarray(unit, float)
        self.lower, self.floor = lower, floor

    @classmethod
    def of_network(cls, *, floor: float = 0.0) -> "IntegerLogistic":
        """Whole numbers of either sign, with this floor."""
        return cls(floor=floor)

    @property
    def support(self) -> Whole:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whole numbers from ``lower``."""
        return Whole(self.lower, LARGEST)

    def of_outputs(self, outputs: Array) -> distributions.IntegerLogistic:
        """At loc and log scale, in the features' units."""
        loc, scale = located(outputs, None, self.who, floor=self.floor)
        centre, unit = (
            jax.lax.stop_gradient(to_features(each, loc.shape[-1], name, self.who))
            for each, name in ((self.centre, "centre"), (self.unit, "unit"))
        )
        return distributions.IntegerLogistic(centre + unit * loc, unit * scale, self.lower)

    def start(self, mean: Array, scale: Array) -> tuple[Array, ...]:
        """The mean and scale, in the units."""
        return (mean - self.centre) / self.unit, jnp.log(scale * _UNIT / self.unit)

    def column(self, cells: Cells) -> Start:
        """Mean 0 and standard deviation 1: `in_units` of those of the cells."""
        return Start((0.0, output_of(_UNIT, self.floor)), encoded(self.encoding, cells))

    def in_units(self, loc: Float[np.ndarray, " features"], scale: Float[np.ndarray, " features"]) -> "IntegerLogistic":
        """The family with this centre and unit: what is shifted and scaled itself is whole no more."""
        return IntegerLogistic(centre=loc, unit=scale, lower=self.lower, floor=self.floor)
