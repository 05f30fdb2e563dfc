"""Counts whose variance is their mean, but for more zeros."""

from jaxtyping import Array

from iwax import distributions
from iwax.families.outputs import split
from iwax.families.poisson import Poisson

__all__ = ["ZeroInflatedPoisson"]


class ZeroInflatedPoisson(Poisson):
    """``P(x_j) = g_j [x_j = 0] + (1 - g_j) Poisson(x_j; rate_j)`` (Lambert 1992).

    The network gives the logarithms of all rates, then the logits of all g.
    """

    name = "zero_inflated_poisson"
    title = "zero-inflated Poisson"

    @property
    def outputs_per_feature(self) -> int:
        """The rate, and g."""
        return 2

    def of_outputs(self, outputs: Array) -> distributions.ZeroInflated:
        """At (log rate, gate)."""
        log_rate, gate = split(outputs, 2, self.who)
        return distributions.ZeroInflated(distributions.Poisson(log_rate), gate)
