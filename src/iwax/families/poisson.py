"""Counts whose variance is their mean."""

import jax.numpy as jnp
from jaxtyping import Array

from iwax import distributions, supports
from iwax.families.family import Family

__all__ = ["LEAST_RATE", "Poisson"]

LEAST_RATE = 0.01  # where the mean count of a feature starts at the lowest: no log of 0


class Poisson(Family):
    """``x_j ~ Poisson(exp m_j)``, the network giving the logarithms m of the rates."""

    name = "poisson"
    title = "Poisson"
    support = supports.counts
    encoding = "log1p"

    def of_outputs(self, outputs: Array) -> distributions.AbstractIndependent:
        """At the logarithms of the rates."""
        return distributions.Poisson(outputs)

    def start(self, mean: Array, scale: Array) -> tuple[Array, ...]:
        """The logarithms of the means."""
        return (jnp.log(jnp.maximum(mean, LEAST_RATE)),)
