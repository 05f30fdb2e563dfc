"""Numbers on a grid from 0 to 1, such as grey values."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax import distributions
from iwax.distributions.discretized_logistic import check_bins
from iwax.families.family import Family
from iwax.families.location_scale import Positive, learned
from iwax.families.outputs import located
from iwax.supports import Grid

__all__ = ["DiscretizedLogistic"]


class DiscretizedLogistic(Family):
    """``P(bin of x_j)`` of a logistic variable of loc_j and scale_j, in B bins from 0 to 1.

    Grey values k = 0..255 enter as fractions k/255 (``bins=256``); loc and scale are in the same units (Kingma et al.
    2016, arXiv:1606.04934). ``scale`` as that of `Gaussian`, network's or learned.
    """

    name = "discretized_logistic"
    title = "discretised logistic"
    grey = True

    log_scale: Float[Array, "*features"] | None
    bins: int = eqx.field(static=True)

    def __init__(self, scale: Positive = "network", *, features: int | None = None, bins: int = 256) -> None:
        check_bins(bins, self.who)
        self.log_scale, self.bins = learned(scale, features, "scale", self.who), bins

    @property
    def support(self) -> Grid:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The grid."""
        return Grid(bins=self.bins)

    def of_outputs(self, outputs: Array) -> distributions.DiscretizedLogistic:
        """At loc, or (loc, log scale)."""
        return distributions.DiscretizedLogistic(*located(outputs, self.log_scale, self.who), self.bins)

    def start(self, mean: Array, scale: Array) -> tuple[Array, ...]:
        """The means and, where the network gives them, the scales."""
        return (mean, jnp.log(scale))[: self.outputs_per_feature]
