"""Zeros and ones."""

import numpy as np
from jaxtyping import Array

from iwax import distributions, supports
from iwax.families.family import Family
from iwax.families.start import Cells, Start, logit, share
from iwax.nn import mean_logits

__all__ = ["Bernoulli"]


class Bernoulli(Family):
    """``P(x_j = 1) = sigmoid(m_j)``, the network giving the logits m, unclamped."""

    name = "bernoulli"
    title = "Bernoulli"
    support = supports.binary
    explorer = "bernoulli"

    def of_outputs(self, outputs: Array) -> distributions.Bernoulli:
        """At the logits."""
        return distributions.Bernoulli(outputs)

    def start(self, mean: Array, scale: Array) -> tuple[Array, ...]:
        """The logits of the means."""
        return (mean_logits(mean),)

    def column(self, cells: Cells) -> Start:
        """The share of ones."""
        ones = share(cells)
        return Start((logit(ones),), (ones, float(np.sqrt(ones * (1 - ones)))))
