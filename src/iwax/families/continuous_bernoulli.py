"""Numbers from 0 to 1."""

from jaxtyping import Array

from iwax import distributions, supports
from iwax.families.family import Family
from iwax.nn import mean_logits

__all__ = ["ContinuousBernoulli"]


class ContinuousBernoulli(Family):
    """``p(x_j) = exp(m_j x_j - A(m_j))`` on [0, 1], the network giving the logits m, unclamped.

    The continuous Bernoulli (Loaiza-Ganem and Cunningham 2019, arXiv:1907.06845).
    """

    name = "continuous_bernoulli"
    title = "continuous Bernoulli"
    support = supports.unit_interval
    grey = True

    def of_outputs(self, outputs: Array) -> distributions.ContinuousBernoulli:
        """At the logits."""
        return distributions.ContinuousBernoulli(outputs)

    def start(self, mean: Array, scale: Array) -> tuple[Array, ...]:
        """The logits of the means."""
        return (mean_logits(mean),)
