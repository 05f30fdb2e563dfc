"""Real numbers, and the conditional layers of a chain."""

from typing import Literal

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from iwax.distributions import Normal
from iwax.families.location_scale import LocationScale, Positive
from iwax.families.start import Cells, Start, encoded, output_of

__all__ = ["Gaussian"]


class Gaussian(LocationScale):
    """``x_j ~ N(loc_j, scale_j^2)`` with a scale that is the network's, learned, or, with ``learned=False``, fixed.

    ``scale`` is "network", or a positive number at which it starts: one for all features, or, with ``features``, one
    for each of this many. No scale that the network gives is below the ``floor``.

    >>> Gaussian(scale="network").outputs_per_feature, Gaussian(0.5, features=3).log_scale.shape
    (2, (3,))
    """

    name = "gaussian"
    title = "Gaussian"
    grey = True
    explorer = "gaussian"

    variance: Literal["fixed", "learned", "network"] = eqx.field(static=True)

    def __init__(
        self, scale: Positive = "network", *, features: int | None = None, learned: bool = True, floor: float = 0.0
    ) -> None:
        super().__init__(scale, features=features, floor=floor)
        self.variance = "network" if self.log_scale is None else "learned" if learned else "fixed"

    def of_outputs(self, outputs: Array) -> Normal:
        """At loc, or (loc, log scale)."""
        return Normal(*self.located(outputs, fixed=self.variance == "fixed"))

    def start(self, mean: Array, scale: Array) -> tuple[Array, ...]:
        """The means and, where the network gives them, the scales."""
        return (mean, jnp.log(scale))[: self.outputs_per_feature]

    def column(self, cells: Cells) -> Start:
        """Mean 0 and standard deviation 1, in units of those of the cells."""
        units = encoded(self.encoding, cells)
        return Start((0.0, output_of(1.0, self.floor)), units, units)
