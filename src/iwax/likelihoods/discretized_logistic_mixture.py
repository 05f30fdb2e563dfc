"""Data on a grid from 0 to 1, with several modes."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from iwax import distributions
from iwax._typing import PRNGKey
from iwax.distributions.discretized_logistic import check_bins
from iwax.likelihoods.outputs import blocks
from iwax.likelihoods.supports import not_on_grid
from iwax.parts import Likelihood

__all__ = ["DiscretizedLogisticMixture"]

_WHO = "a likelihood of mixed discretised logistics"


class DiscretizedLogisticMixture(Likelihood):
    """``p(x|z) = prod_j sum_c pi_cj(z) P_cj(bin of x_j)``, of C discretised logistics for each feature.

    Salimans, Karpathy, Chen and Kingma (2017, arXiv:1701.05517), without ties between channels. The network gives the
    weights' logits of all components (C features), then all locs, then all log scales.

    >>> import jax
    >>> from iwax.nn import MLP
    >>> net = MLP(2, (8,), 3 * 4 * 5, key=jax.random.key(0), heads=12)
    >>> p = DiscretizedLogisticMixture(net, components=4)(jnp.zeros(2), key=jax.random.key(1))
    >>> p.mean.shape
    (5,)
    """

    network: Any
    components: int = eqx.field(static=True)
    bins: int = eqx.field(static=True, default=256)

    def __check_init__(self) -> None:
        check_bins(self.bins, _WHO)
        if self.components < 1:
            raise ValueError(f"{_WHO} needs at least 1 component, got {self.components}")

    @property
    def outputs_a_feature(self) -> int:
        """How many outputs of the network a feature needs."""
        return 3 * self.components

    @property
    def support(self) -> str:
        """The data that have a density, in words."""
        return f"fractions k/{self.bins - 1} of whole numbers k from 0 to {self.bins - 1}"

    def outside(self, values: np.ndarray) -> np.ndarray:
        """Which values have no density here: all that are not on the grid.

        >>> DiscretizedLogisticMixture(None, components=2).outside(np.array([1 / 255, 0.5, 1.0, 255.0]))
        array([False,  True, False,  True])
        """
        return not_on_grid(values, self.bins)

    def of_outputs(self, outputs: Array) -> distributions.FeatureMixture:
        """The distribution of x, given what the network gives: (logits, loc, log scale) of every component."""
        log_weights, loc, log_scale = blocks(outputs, 3, self.components, _WHO)
        components = distributions.DiscretizedLogistic(loc, jnp.exp(log_scale), self.bins)
        return distributions.FeatureMixture(log_weights, components)

    def __call__(self, context: Any, given: Any = None, *, key: PRNGKey) -> distributions.FeatureMixture:
        """The distribution of x at a latent."""
        return self.of_outputs(self.network(context, key=key))
