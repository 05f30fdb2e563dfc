"""Counts whose variance exceeds their mean."""

from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from iwax import distributions
from iwax._typing import PRNGKey
from iwax.likelihoods.outputs import log_of_positive, split, to_features
from iwax.likelihoods.supports import not_counts
from iwax.parts import Likelihood

__all__ = ["NegativeBinomial"]

_WHO = "a negative binomial likelihood"


class NegativeBinomial(Likelihood):
    """``p(x|z)``: counts of mean m(z) and variance ``m + m^2 / r``, with concentration r.

    The network gives the logarithms of the means; those of r are learned, one for all features or one a feature, or
    given by the network after the means. Make one with `scalar`, `feature` or `of_network`.

    >>> import jax
    >>> from iwax.nn import MLP
    >>> p = NegativeBinomial.scalar(MLP(2, (8,), 5, key=jax.random.key(0)))(jnp.zeros(2), key=jax.random.key(1))
    >>> p.mean.shape
    (5,)
    """

    support: ClassVar[str] = "whole numbers from 0"

    network: Any
    log_concentration: Float[Array, "*features"] | None

    @classmethod
    def scalar(cls, network: Any, concentration: float = 1.0) -> "NegativeBinomial":
        """One learned concentration for all features."""
        return cls(network, log_of_positive(concentration, "concentration", _WHO))

    @classmethod
    def feature(cls, network: Any, features: int, concentration: float = 1.0) -> "NegativeBinomial":
        """A learned concentration for each of the features."""
        return cls(network, jnp.full(features, log_of_positive(concentration, "concentration", _WHO)))

    @classmethod
    def of_network(cls, network: Any) -> "NegativeBinomial":
        """The network gives the logarithms of mean and concentration of every feature."""
        return cls(network, None)

    @staticmethod
    def outside(values: np.ndarray) -> np.ndarray:
        """Which values have no density here: all but whole numbers from 0.

        >>> NegativeBinomial.outside(np.array([-1.0, 0.5, 3.0]))
        array([ True,  True, False])
        """
        return not_counts(values)

    @property
    def outputs_a_feature(self) -> int:
        """How many outputs of the network a feature needs."""
        return 2 if self.log_concentration is None else 1

    def of_outputs(self, outputs: Array) -> distributions.NegativeBinomial:
        """The distribution of x, given what the network gives: log mean or (log mean, log concentration)."""
        if self.log_concentration is None:
            return distributions.NegativeBinomial(*split(outputs, 2, _WHO))
        concentration = to_features(self.log_concentration, outputs.shape[-1], "concentration", _WHO)
        return distributions.NegativeBinomial(outputs, concentration)

    def __call__(self, context: Any, given: Any = None, *, key: PRNGKey) -> distributions.NegativeBinomial:
        """The distribution of x at a latent."""
        return self.of_outputs(self.network(context, key=key))
