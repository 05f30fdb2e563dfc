"""Data on a grid from 0 to 1, such as grey values."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from iwax import distributions
from iwax._typing import PRNGKey
from iwax.distributions.discretized_logistic import check_bins
from iwax.likelihoods.outputs import located, log_of_positive
from iwax.likelihoods.supports import not_on_grid
from iwax.parts import Likelihood

__all__ = ["DiscretizedLogistic"]

_WHO = "a discretised logistic likelihood"


class DiscretizedLogistic(Likelihood):
    """``p(x|z) = prod_j P(bin of x_j)`` of a logistic variable of ``loc_j(z)`` and scale, in B bins from 0 to 1.

    Grey values k = 0..255 enter as fractions k/255 (``bins=256``); loc and scale are in the same units (Kingma et al.
    2016, arXiv:1606.04934). The scale's logarithm is learned, one for all features or one a feature, or given by the
    network after the locs. Make one with `scalar`, `feature` or `of_network`.

    >>> import jax
    >>> from iwax.nn import MLP
    >>> p = DiscretizedLogistic.scalar(MLP(2, (8,), 5, key=jax.random.key(0)))(jnp.zeros(2), key=jax.random.key(1))
    >>> p.mean.shape
    (5,)
    """

    network: Any
    log_scale: Float[Array, "*features"] | None
    bins: int = eqx.field(static=True, default=256)

    def __check_init__(self) -> None:
        check_bins(self.bins, _WHO)

    @classmethod
    def scalar(cls, network: Any, scale: float = 0.1, *, bins: int = 256) -> "DiscretizedLogistic":
        """One learned scale for all features, starting at ``scale``."""
        return cls(network, log_of_positive(scale, "scale", _WHO), bins)

    @classmethod
    def feature(cls, network: Any, features: int, scale: float = 0.1, *, bins: int = 256) -> "DiscretizedLogistic":
        """A learned scale for each of the features, starting at ``scale``."""
        return cls(network, jnp.full(features, log_of_positive(scale, "scale", _WHO)), bins)

    @classmethod
    def of_network(cls, network: Any, *, bins: int = 256) -> "DiscretizedLogistic":
        """The network gives the location and the log scale of every feature."""
        return cls(network, None, bins)

    @property
    def outputs_a_feature(self) -> int:
        """How many outputs of the network a feature needs."""
        return 2 if self.log_scale is None else 1

    @property
    def support(self) -> str:
        """The data that have a density, in words."""
        return f"fractions k/{self.bins - 1} of whole numbers k from 0 to {self.bins - 1}"

    def outside(self, values: np.ndarray) -> np.ndarray:
        """Which values have no density here: all that are not on the grid.

        >>> DiscretizedLogistic.of_network(None).outside(np.array([1 / 255, 0.5, 1.0, 255.0]))
        array([False,  True, False,  True])
        """
        return not_on_grid(values, self.bins)

    def of_outputs(self, outputs: Array) -> distributions.DiscretizedLogistic:
        """The distribution of x, given what the network gives: loc or (loc, log scale)."""
        return distributions.DiscretizedLogistic(*located(outputs, self.log_scale, _WHO), self.bins)

    def __call__(self, context: Any, given: Any = None, *, key: PRNGKey) -> distributions.DiscretizedLogistic:
        """The distribution of x at a latent."""
        return self.of_outputs(self.network(context, key=key))
