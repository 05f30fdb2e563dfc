"""Counts with more zeros, and numbers that are 0 or positive: a family, and a gate g that the network gives last."""

import jax.numpy as jnp
from jaxtyping import Array

from iwax import distributions, supports
from iwax.families.family import Family
from iwax.families.location_scale import Positive
from iwax.families.log_normal import LogNormal
from iwax.families.negative_binomial import NegativeBinomial
from iwax.families.outputs import split
from iwax.families.poisson import Poisson
from iwax.families.start import Cells, Start, logit, share

__all__ = ["ZeroInflatedLogNormal", "ZeroInflatedNegativeBinomial", "ZeroInflatedPoisson"]


class ZeroInflatedPoisson(Poisson):
    """``P(x_j) = g_j [x_j = 0] + (1 - g_j) Poisson(x_j; rate_j)`` (Lambert 1992)."""

    name = "zero_inflated_poisson"
    title = "zero-inflated Poisson"
    outputs = 2

    def of_outputs(self, outputs: Array) -> distributions.ZeroInflated:
        """At (log rate, gate)."""
        log_rate, gate = split(outputs, 2, self.who)
        return distributions.ZeroInflated(super().of_outputs(log_rate), gate)


class ZeroInflatedNegativeBinomial(Family):
    """``P(x_j) = g_j [x_j = 0] + (1 - g_j) NegativeBinomial(x_j)``, as for counts of genes in single cells.

    Lopez et al. (2018), Deep generative modeling for single-cell transcriptomics. Parameters are those of ``counts``.
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


class ZeroInflatedLogNormal(LogNormal):
    """``P(x_j = 0) = g_j``, else ``log x_j ~ N(loc_j, scale_j^2)``: a hurdle, as of rain or of money spent.

    Wang, Liu and Miao (2019, arXiv:1912.07753).
    """

    name = "zero_inflated_lognormal"
    title = "zero-inflated log-normal"
    support = supports.nonnegative
    encoding = "log_or_zero"
    explorer = "zero-inflated lognormal"
    outputs = 2

    def of_outputs(self, outputs: Array) -> distributions.Hurdle:
        """At loc, perhaps log scale, and gate."""
        *positive, gate = split(outputs, self.outputs_per_feature, self.who)
        return distributions.Hurdle(super().of_outputs(jnp.concatenate(positive, axis=-1)), gate)

    def column(self, cells: Cells) -> Start:
        """Those of the logarithms of cells above 0, and the share of zeros."""
        (_, scale), read, _ = super().column(cells)
        return Start((read[0], scale, logit(share(cells == 0))), read)
