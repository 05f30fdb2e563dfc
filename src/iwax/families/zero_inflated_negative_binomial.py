"""Counts whose variance exceeds their mean, with more zeros still."""

import jax.numpy as jnp
from jaxtyping import Array

from iwax import distributions, supports
from iwax.families.family import Family
from iwax.families.location_scale import Positive
from iwax.families.negative_binomial import NegativeBinomial
from iwax.families.outputs import split

__all__ = ["ZeroInflatedNegativeBinomial"]


class ZeroInflatedNegativeBinomial(Family):
    """``P(x_j) = g_j [x_j = 0] + (1 - g_j) NegativeBinomial(x_j)``, as for counts of genes in single cells.

    Lopez et al. (2018), Deep generative modeling for single-cell transcriptomics. The network gives what the negative
    binomial ``counts`` need, then the logits of all g.
    """

    name = "zero_inflated_negative_binomial"
    title = "zero-inflated negative binomial"
    support = supports.counts
    encoding = "log1p"

    counts: NegativeBinomial

    def __init__(self, concentration: Positive = "network", *, features: int | None = None) -> None:
        self.counts = NegativeBinomial(concentration, features=features)

    @property
    def outputs_per_feature(self) -> int:
        """Those of the counts, and g."""
        return self.counts.outputs_per_feature + 1

    def of_outputs(self, outputs: Array) -> distributions.ZeroInflated:
        """At log mean, perhaps log concentration, and gate."""
        *counts, gate = split(outputs, self.outputs_per_feature, self.who)
        return distributions.ZeroInflated(self.counts.of_outputs(jnp.concatenate(counts, axis=-1)), gate)

    def start(self, mean: Array, scale: Array) -> tuple[Array, ...]:
        """As the counts."""
        return self.counts.start(mean, scale)
