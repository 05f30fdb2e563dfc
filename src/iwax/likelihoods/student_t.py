"""Real data with outliers."""

import math
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from iwax import distributions
from iwax._typing import PRNGKey
from iwax.likelihoods.outputs import located, log_of_positive, split, to_features
from iwax.likelihoods.supports import not_finite
from iwax.parts import Likelihood

__all__ = ["StudentT"]

_WHO = "a Student-t likelihood"
_NORMAL = math.log(1e8)  # beyond so many degrees of freedom, nothing changes any more


class StudentT(Likelihood):
    """``p(x|z) = prod_j t(x_j; df, loc_j(z), scale)``: the degrees of freedom df fixed, learned, or by the network.

    The scale's logarithm is learned, one for all features or one a feature, or given by the network after the locs.
    ``df`` is a number that stays fixed (above 1: the mean exists); with ``df=None`` it is ``2 + exp(log_excess)``, one
    learned for all features or one a feature, or, where ``log_excess`` is None too, given by the network last. Make
    one with `scalar`, `feature` or `of_network`. Raises ValueError where numbers or the network's outputs do not fit.

    >>> import jax
    >>> from iwax.nn import MLP
    >>> p = StudentT.scalar(MLP(2, (8,), 5, key=jax.random.key(0)), df=3.0)(jnp.zeros(2), key=jax.random.key(1))
    >>> p.df
    Array([3., 3., 3., 3., 3.], dtype=float32)
    """

    support: ClassVar[str] = "finite numbers"

    network: Any
    log_scale: Float[Array, "*features"] | None
    log_excess: Float[Array, "*features"] | None
    df: float | None = eqx.field(static=True)

    def __check_init__(self) -> None:
        if self.df is not None and not 1 < self.df < math.inf:
            raise ValueError(
                f"{_WHO} needs more than 1 degree of freedom, or its mean does not exist; got df={self.df}"
            )
        if self.df is not None and self.log_excess is not None:
            raise ValueError(f"{_WHO} has degrees of freedom fixed or learned: give df or log_excess, got both")

    @classmethod
    def scalar(cls, network: Any, scale: float = 1.0, *, df: float | None = None, start_df: float = 4.0) -> "StudentT":
        """One learned scale for all features; df fixed or, without one, learned for all, from ``start_df`` > 2 on."""
        return cls(network, log_of_positive(scale, "scale", _WHO), _log_excess(df, start_df), df)

    @classmethod
    def feature(
        cls, network: Any, features: int, scale: float = 1.0, *, df: float | None = None, start_df: float = 4.0
    ) -> "StudentT":
        """A learned scale for each of the features; df fixed or, without one, learned for each of them."""
        excess = _log_excess(df, start_df)
        excess = None if excess is None else jnp.full(features, excess)
        return cls(network, jnp.full(features, log_of_positive(scale, "scale", _WHO)), excess, df)

    @classmethod
    def of_network(
        cls, network: Any, *, df: float | None = None, features: int | None = None, start_df: float = 4.0
    ) -> "StudentT":
        """The network gives location and log scale of every feature and, without a fixed df, ``log(df - 2)``.

        With the number of ``features`` the degrees of freedom are learned, one a feature, from ``start_df`` > 2 on.
        """
        excess = None if features is None else jnp.full(features, _start(start_df))
        return cls(network, None, excess, df)

    @staticmethod
    def outside(values: np.ndarray) -> np.ndarray:
        """Which values have no density here: NaN and infinities.

        >>> StudentT.outside(np.array([0.5, np.nan]))
        array([False,  True])
        """
        return not_finite(values)

    @property
    def outputs_a_feature(self) -> int:
        """How many outputs of the network a feature needs."""
        return 1 + (self.log_scale is None) + (self.df is None and self.log_excess is None)

    def of_outputs(self, outputs: Array) -> distributions.StudentT:
        """The distribution of x, given what the network gives: loc, perhaps log scale, perhaps log(df - 2)."""
        if self.df is not None:
            loc, scale = located(outputs, self.log_scale, _WHO)
            return distributions.StudentT(jnp.full_like(loc, self.df), loc, scale)
        log_excess = self.log_excess
        if log_excess is None:
            *rest, log_excess = split(outputs, self.outputs_a_feature, _WHO)
            outputs = jnp.concatenate(rest, axis=-1)
        loc, scale = located(outputs, self.log_scale, _WHO)
        log_excess = to_features(log_excess, loc.shape[-1], "df", _WHO)
        return distributions.StudentT(2 + jnp.exp(jnp.minimum(log_excess, _NORMAL)), loc, scale)

    def __call__(self, context: Any, given: Any = None, *, key: PRNGKey) -> distributions.StudentT:
        """The distribution of x at a latent."""
        return self.of_outputs(self.network(context, key=key))


def _log_excess(df: float | None, start_df: float) -> Array | None:
    return _start(start_df) if df is None else None


def _start(start_df: float) -> Array:
    if not start_df > 2:
        raise ValueError(f"the degrees of freedom that {_WHO} learns stay above 2: start_df={start_df} is not")
    return jnp.log(jnp.asarray(start_df - 2, float))
