"""Positive numbers."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from iwax import distributions, supports
from iwax.families.location_scale import LocationScale
from iwax.families.start import LEAST, Cells, Start, encoded, output_of

__all__ = ["LogNormal"]


class LogNormal(LocationScale):
    """``log x_j ~ N(loc_j, scale_j^2)`` for x > 0; ``scale`` as that of `Gaussian`, network's or learned."""

    name = "lognormal"
    title = "log-normal"
    support = supports.positive
    encoding = "log"
    explorer = "lognormal"

    def of_outputs(self, outputs: Array) -> distributions.AbstractIndependent:
        """At loc, or (loc, log scale), of the logarithm."""
        return distributions.LogNormal(*self.located(outputs))

    def start(self, mean: Array, scale: Array) -> tuple[Array, ...]:
        """Those of log x, where it is normal and x has this mean and standard deviation."""
        mean = jnp.maximum(mean, LEAST * scale)
        variance = jnp.log1p((scale / mean) ** 2)
        return (jnp.log(mean) - variance / 2, jnp.log(variance) / 2)[: 1 + (self.log_scale is None)]

    def column(self, cells: Cells) -> Start:
        """Those of the cells' logarithms, in units of the geometric mean."""
        centre, spread = encoded(self.encoding, cells)
        return Start((0.0, output_of(spread, self.floor)), (centre, spread), (0.0, float(np.exp(centre))))
