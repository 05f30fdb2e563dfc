"""Numbers on a grid from 0 to 1, with several modes."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from iwax import distributions
from iwax.distributions.discretized_logistic import check_bins
from iwax.families.family import Family
from iwax.families.outputs import blocks
from iwax.supports import Grid

__all__ = ["DiscretizedLogisticMixture"]


class DiscretizedLogisticMixture(Family):
    """``sum_c pi_cj P_cj(bin of x_j)``, of C discretised logistics for each feature.

    Salimans, Karpathy, Chen and Kingma (2017, arXiv:1701.05517), without ties between channels. The network gives the
    weights' logits of all components (C features), then all locs, then all log scales.
    """

    name = "discretized_logistic_mixture"
    title = "mixed discretised logistic"
    grey = True

    components: int = eqx.field(static=True)
    bins: int = eqx.field(static=True, default=256)

    def __check_init__(self) -> None:
        check_bins(self.bins, self.who)
        if self.components < 1:
            raise ValueError(f"{self.who} needs at least 1 component, got {self.components}")

    @property
    def support(self) -> Grid:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The grid."""
        return Grid(bins=self.bins)

    @property
    def outputs_per_feature(self) -> int:
        """Weight, loc and log scale of each component."""
        return 3 * self.components

    def of_outputs(self, outputs: Array) -> distributions.FeatureMixture:
        """At (logits, loc, log scale) of every component."""
        log_weights, loc, log_scale = blocks(outputs, 3, self.components, self.who)
        components = distributions.DiscretizedLogistic(loc, jnp.exp(log_scale), self.bins)
        return distributions.FeatureMixture(log_weights, components)
