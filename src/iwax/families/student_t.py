"""Real numbers with outliers."""

import math

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax import distributions
from iwax.families.family import Family
from iwax.families.location_scale import Positive, learned
from iwax.families.outputs import located, split, to_features

__all__ = ["StudentT"]

_NORMAL = math.log(1e8)  # beyond this many degrees of freedom, nothing changes any more


class StudentT(Family):
    """``x_j ~ t(df, loc_j, scale_j)``; ``scale`` as that of `Gaussian`, the degrees of freedom df alike.

    ``df`` is a number that stays fixed (above 1: the mean exists), or ``2 + exp(log_excess)``: by the "network", last
    of its outputs, or "learned", from ``start_df`` > 2 on, for all features or for each of ``features``. Raises
    ValueError where numbers do not fit.

    >>> StudentT().outputs_per_feature, StudentT(df=3.0).outputs_per_feature, StudentT(1.0, df="learned").df
    (3, 2, None)
    """

    name = "student_t"
    title = "Student-t"
    grey = True

    log_scale: Float[Array, "*features"] | None
    log_excess: Float[Array, "*features"] | None
    df: float | None = eqx.field(static=True)

    def __init__(
        self,
        scale: Positive = "network",
        *,
        features: int | None = None,
        df: float | str = "network",
        start_df: float = 4.0,
    ) -> None:
        if df not in ("learned", "network") if isinstance(df, str) else not 1 < df < math.inf:
            raise ValueError(
                f"{self.who} needs more than 1 degree of freedom, or its mean does not exist, or df='learned' or "
                f"'network'; got df={df}"
            )
        if not start_df > 2:
            raise ValueError(f"the degrees of freedom that {self.who} learns stay above 2: start_df={start_df} is not")
        of_df = features if df == "learned" else None
        self.log_scale = learned(scale, None if isinstance(scale, str) and of_df else features, "scale", self.who)
        self.log_excess = learned(start_df - 2, of_df, "excess", self.who) if df == "learned" else None
        self.df = None if isinstance(df, str) else df

    @property
    def outputs_per_feature(self) -> int:
        """loc, and what else the network gives."""
        return 1 + (self.log_scale is None) + (self.df is None and self.log_excess is None)

    def of_outputs(self, outputs: Array) -> distributions.StudentT:
        """At loc, perhaps log scale, perhaps log(df - 2)."""
        if self.df is not None:
            loc, scale = located(outputs, self.log_scale, self.who)
            return distributions.StudentT(jnp.full_like(loc, self.df), loc, scale)
        log_excess = self.log_excess
        if log_excess is None:
            *rest, log_excess = split(outputs, self.outputs_per_feature, self.who)
            outputs = jnp.concatenate(rest, axis=-1)
        loc, scale = located(outputs, self.log_scale, self.who)
        log_excess = to_features(log_excess, loc.shape[-1], "df", self.who)
        return distributions.StudentT(2 + jnp.exp(jnp.minimum(log_excess, _NORMAL)), loc, scale)

    def start(self, mean: Array, scale: Array) -> tuple[Array, ...]:
        """The means and, where the network gives them, the scales."""
        return (mean, jnp.log(scale))[: 1 + (self.log_scale is None)]
