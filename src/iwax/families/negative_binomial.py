"""Counts whose variance exceeds their mean."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from iwax import distributions, supports
from iwax.families.family import Family
from iwax.families.location_scale import Positive, learned
from iwax.families.outputs import split, to_features
from iwax.families.poisson import LEAST_RATE
from iwax.families.start import LEAST, Cells, Start, encoded

__all__ = ["NegativeBinomial"]


class NegativeBinomial(Family):
    """Counts x_j of mean m_j and variance ``m_j + m_j^2 / r_j``, with concentration r.

    The network gives the logarithms of the means; those of r are learned, one for all features or one for each of
    ``features``, or given by the network after the means.
    """

    name = "negative_binomial"
    support = supports.counts
    encoding = "log1p"
    explorer = "negative binomial"

    log_concentration: Float[Array, "*features"] | None

    def __init__(self, concentration: Positive = "network", *, features: int | None = None) -> None:
        self.log_concentration = learned(concentration, features, "concentration", self.who)

    def of_outputs(self, outputs: Array) -> distributions.NegativeBinomial:
        """At log mean, or (log mean, log concentration)."""
        if self.log_concentration is None:
            return distributions.NegativeBinomial(*split(outputs, 2, self.who))
        concentration = to_features(self.log_concentration, outputs.shape[-1], "concentration", self.who)
        return distributions.NegativeBinomial(outputs, concentration)

    def start(self, mean: Array, scale: Array) -> tuple[Array, ...]:
        """The logarithms of the means."""
        return (jnp.log(jnp.maximum(mean, LEAST_RATE)),)

    def column(self, cells: Cells) -> Start:
        """The mean and variance of the cells."""
        mean = max(cells.mean(), LEAST)
        excess = max(cells.var() - mean, LEAST * mean)
        outputs = (float(np.log(mean)), float(np.log(mean**2 / excess)))
        return Start(outputs[: self.outputs_per_feature], encoded(self.encoding, cells))
