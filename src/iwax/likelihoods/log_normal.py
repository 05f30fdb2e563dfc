"""Positive data."""

from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from iwax import distributions
from iwax._typing import PRNGKey
from iwax.likelihoods.outputs import located, log_of_positive
from iwax.likelihoods.supports import not_positive
from iwax.numerics import check_floor
from iwax.parts import Likelihood

__all__ = ["LogNormal"]

_WHO = "a log-normal likelihood"


class LogNormal(Likelihood):
    """``log x ~ N(loc(z), diag scale^2)`` for x > 0.

    The scale's logarithm is learned, one for all features or one a feature, or given by the network after the locs;
    with a ``floor`` the network gives what a scale of at least that is made of (`numerics.scale_of`). Make one with
    `scalar`, `feature` or `of_network`. Raises ValueError where the floor is below 0.

    >>> import jax
    >>> from iwax.nn import MLP
    >>> p = LogNormal.scalar(MLP(2, (8,), 5, key=jax.random.key(0)))(jnp.zeros(2), key=jax.random.key(1))
    >>> p.mean.shape
    (5,)
    """

    support: ClassVar[str] = "finite numbers above 0"

    network: Any
    log_scale: Float[Array, "*features"] | None
    floor: float = eqx.field(static=True, default=0.0)

    def __check_init__(self) -> None:
        check_floor(self.floor, _WHO)

    @classmethod
    def scalar(cls, network: Any, scale: float = 1.0) -> "LogNormal":
        """One learned scale for all features, starting at ``scale``."""
        return cls(network, log_of_positive(scale, "scale", _WHO))

    @classmethod
    def feature(cls, network: Any, features: int, scale: float = 1.0) -> "LogNormal":
        """A learned scale for each of the features, starting at ``scale``."""
        return cls(network, jnp.full(features, log_of_positive(scale, "scale", _WHO)))

    @classmethod
    def of_network(cls, network: Any, *, floor: float = 0.0) -> "LogNormal":
        """The network gives location and log scale of every feature's logarithm; no scale is below the floor."""
        return cls(network, None, floor)

    @staticmethod
    def outside(values: np.ndarray) -> np.ndarray:
        """Which values have no density here: all but finite numbers above 0.

        >>> LogNormal.outside(np.array([0.0, 0.5]))
        array([ True, False])
        """
        return not_positive(values)

    @property
    def outputs_a_feature(self) -> int:
        """How many outputs of the network a feature needs."""
        return 2 if self.log_scale is None else 1

    def of_outputs(self, outputs: Array) -> distributions.LogNormal:
        """The distribution of x, given what the network gives: loc or (loc, log scale)."""
        return distributions.LogNormal(*located(outputs, self.log_scale, _WHO, floor=self.floor))

    def __call__(self, context: Any, given: Any = None, *, key: PRNGKey) -> distributions.LogNormal:
        """The distribution of x at a latent."""
        return self.of_outputs(self.network(context, key=key))
