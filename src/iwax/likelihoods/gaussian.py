"""Real data, and the conditional layers of a chain."""

from typing import Any, ClassVar, Literal

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from iwax._typing import AnyArray, PRNGKey
from iwax.distributions import Factorized
from iwax.likelihoods.outputs import located, log_of_positive
from iwax.likelihoods.supports import not_finite
from iwax.numerics import check_floor
from iwax.parts import Likelihood

__all__ = ["Gaussian"]

_WHO = "a Gaussian likelihood"


class Gaussian(Likelihood):
    """``p(x|z) = N(loc(z), diag scale^2)`` with a scale that is fixed, learned, or given by the network.

    ``log_scale`` is an array of shape () (one for all features) or [features], learned unless ``variance="fixed"``;
    with ``variance="network"`` it is None and the network gives ``(loc, log scale)``, or, with a ``floor``, what a
    scale of at least that is made of (`numerics.scale_of`). Make one with `fixed`, `scalar`, `feature` or `of_network`.
    Raises ValueError where the network's outputs and the variance do not fit, or the floor is below 0.

    >>> import jax
    >>> from iwax.nn import MLP
    >>> p = Gaussian.scalar(MLP(2, (8,), 5, key=jax.random.key(0)), scale=0.5)(jnp.zeros(2), key=jax.random.key(1))
    >>> p.mean.shape
    (5,)
    """

    support: ClassVar[str] = "finite numbers"

    network: Any
    log_scale: Float[Array, "*features"] | None
    variance: Literal["fixed", "learned", "network"] = eqx.field(static=True)
    floor: float = eqx.field(static=True, default=0.0)

    def __check_init__(self) -> None:
        check_floor(self.floor, _WHO)

    @classmethod
    def fixed(cls, network: Any, scale: float | AnyArray) -> "Gaussian":
        """A scale that is not learned: a positive number, or one a feature."""
        return cls(network, log_of_positive(scale, "scale", _WHO), "fixed")

    @classmethod
    def scalar(cls, network: Any, scale: float = 1.0) -> "Gaussian":
        """One learned scale for all features, starting at ``scale``."""
        return cls(network, log_of_positive(scale, "scale", _WHO), "learned")

    @classmethod
    def feature(cls, network: Any, features: int, scale: float = 1.0) -> "Gaussian":
        """A learned scale for each of the features, starting at ``scale``."""
        return cls(network, jnp.full(features, log_of_positive(scale, "scale", _WHO)), "learned")

    @classmethod
    def of_network(cls, network: Any, *, floor: float = 0.0) -> "Gaussian":
        """The network gives the location and the log scale of every feature; no scale is below the floor."""
        return cls(network, None, "network", floor)

    @staticmethod
    def outside(values: np.ndarray) -> np.ndarray:
        """Which values have no density here: NaN and infinities.

        >>> Gaussian.outside(np.array([0.5, np.nan]))
        array([False,  True])
        """
        return not_finite(values)

    @property
    def outputs_a_feature(self) -> int:
        """How many outputs of the network a feature needs."""
        return 2 if self.log_scale is None else 1

    def of_outputs(self, outputs: Array) -> Factorized:
        """The distribution of x, given what the network gives: loc or (loc, log scale)."""
        fixed = self.variance == "fixed"
        return Factorized.normal(*located(outputs, self.log_scale, _WHO, fixed=fixed, floor=self.floor))

    def __call__(self, context: Any, given: Any = None, *, key: PRNGKey) -> Factorized:
        """The distribution of x at a latent."""
        return self.of_outputs(self.network(context, key=key))
