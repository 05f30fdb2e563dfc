"""Counts whose variance exceeds their mean, with more zeros still."""

from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from iwax import distributions
from iwax._typing import PRNGKey
from iwax.likelihoods.negative_binomial import NegativeBinomial
from iwax.likelihoods.outputs import split
from iwax.likelihoods.supports import not_counts
from iwax.parts import Likelihood

__all__ = ["ZeroInflatedNegativeBinomial"]


class ZeroInflatedNegativeBinomial(Likelihood):
    """``P(x_j | z) = g_j [x_j = 0] + (1 - g_j) NegativeBinomial(x_j)``, as for counts of genes in single cells.

    Lopez et al. (2018), Deep generative modeling for single-cell transcriptomics. ``counts`` is the negative binomial
    likelihood, without a network of its own; the network here gives what it needs, then the logits of all g. Make one
    with `scalar`, `feature` or `of_network`.

    >>> import jax
    >>> from iwax.nn import MLP
    >>> net = MLP(2, (8,), 2 * 5, key=jax.random.key(0))
    >>> p = ZeroInflatedNegativeBinomial.scalar(net)(jnp.zeros(2), key=jax.random.key(1))
    >>> p.mean.shape
    (5,)
    """

    support: ClassVar[str] = "whole numbers from 0"

    network: Any
    counts: NegativeBinomial

    @classmethod
    def scalar(cls, network: Any, concentration: float = 1.0) -> "ZeroInflatedNegativeBinomial":
        """One learned concentration for all features."""
        return cls(network, NegativeBinomial.scalar(None, concentration))

    @classmethod
    def feature(cls, network: Any, features: int, concentration: float = 1.0) -> "ZeroInflatedNegativeBinomial":
        """A learned concentration for each of the features."""
        return cls(network, NegativeBinomial.feature(None, features, concentration))

    @classmethod
    def of_network(cls, network: Any) -> "ZeroInflatedNegativeBinomial":
        """The network gives the logarithms of mean and concentration of every feature, then the logits of g."""
        return cls(network, NegativeBinomial.of_network(None))

    @staticmethod
    def outside(values: np.ndarray) -> np.ndarray:
        """Which values have no density here: all but whole numbers from 0.

        >>> ZeroInflatedNegativeBinomial.outside(np.array([-1.0, 0.5, 3.0]))
        array([ True,  True, False])
        """
        return not_counts(values)

    @property
    def outputs_a_feature(self) -> int:
        """How many outputs of the network a feature needs."""
        return self.counts.outputs_a_feature + 1

    def of_outputs(self, outputs: Array) -> distributions.ZeroInflated:
        """The distribution of x, given what the network gives: log mean, perhaps log concentration, and gate."""
        *counts, gate = split(outputs, self.outputs_a_feature, "a zero-inflated negative binomial likelihood")
        return distributions.ZeroInflated(self.counts.of_outputs(jnp.concatenate(counts, axis=-1)), gate)

    def __call__(self, context: Any, given: Any = None, *, key: PRNGKey) -> distributions.ZeroInflated:
        """The distribution of x at a latent."""
        return self.of_outputs(self.network(context, key=key))
