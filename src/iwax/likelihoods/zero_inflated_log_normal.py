"""Data that are 0 or positive."""

from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from iwax import distributions
from iwax._typing import PRNGKey
from iwax.likelihoods.outputs import located, log_of_positive, split
from iwax.likelihoods.supports import not_from_zero
from iwax.numerics import check_floor
from iwax.parts import Likelihood

__all__ = ["ZeroInflatedLogNormal"]

_WHO = "a zero-inflated log-normal likelihood"


class ZeroInflatedLogNormal(Likelihood):
    """``P(x_j = 0 | z) = g_j(z)``, else ``log x_j ~ N(loc_j(z), scale^2)``: a hurdle, as of rain or of money spent.

    Wang, Liu and Miao (2019, arXiv:1912.07753). The scale's logarithm is learned, one for all features or one a
    feature, or given by the network after the locs; with a ``floor`` the network gives what a scale of at least that is
    made of (`numerics.scale_of`). The logits of all g come last. Make one with `scalar`, `feature` or `of_network`.
    Raises ValueError where the floor is below 0.

    >>> import jax
    >>> from iwax.nn import MLP
    >>> net = MLP(2, (8,), 2 * 5, key=jax.random.key(0))
    >>> p = ZeroInflatedLogNormal.scalar(net)(jnp.zeros(2), key=jax.random.key(1))
    >>> p.mean.shape
    (5,)
    """

    support: ClassVar[str] = "0 or finite numbers above it"

    network: Any
    log_scale: Float[Array, "*features"] | None
    floor: float = eqx.field(static=True, default=0.0)

    def __check_init__(self) -> None:
        check_floor(self.floor, _WHO)

    @classmethod
    def scalar(cls, network: Any, scale: float = 1.0) -> "ZeroInflatedLogNormal":
        """One learned scale for all features, starting at ``scale``."""
        return cls(network, log_of_positive(scale, "scale", _WHO))

    @classmethod
    def feature(cls, network: Any, features: int, scale: float = 1.0) -> "ZeroInflatedLogNormal":
        """A learned scale for each of the features, starting at ``scale``."""
        return cls(network, jnp.full(features, log_of_positive(scale, "scale", _WHO)))

    @classmethod
    def of_network(cls, network: Any, *, floor: float = 0.0) -> "ZeroInflatedLogNormal":
        """The network gives location and log scale of every feature's logarithm, then the logits of g."""
        return cls(network, None, floor)

    @staticmethod
    def outside(values: np.ndarray) -> np.ndarray:
        """Which values have no density here: all but finite numbers from 0.

        >>> ZeroInflatedLogNormal.outside(np.array([-1.0, 0.0, 0.5]))
        array([ True, False, False])
        """
        return not_from_zero(values)

    @property
    def outputs_a_feature(self) -> int:
        """How many outputs of the network a feature needs."""
        return 3 if self.log_scale is None else 2

    def of_outputs(self, outputs: Array) -> distributions.Hurdle:
        """The distribution of x, given what the network gives: loc, perhaps log scale, and gate."""
        *positive, gate = split(outputs, self.outputs_a_feature, _WHO)
        loc, scale = located(jnp.concatenate(positive, axis=-1), self.log_scale, _WHO, floor=self.floor)
        return distributions.Hurdle(distributions.LogNormal(loc, scale), gate)

    def __call__(self, context: Any, given: Any = None, *, key: PRNGKey) -> distributions.Hurdle:
        """The distribution of x at a latent."""
        return self.of_outputs(self.network(context, key=key))
