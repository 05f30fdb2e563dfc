"""One of several levels in an order."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from iwax import distributions
from iwax.families.family import Family
from iwax.supports import Whole

__all__ = ["Ordinal"]


class Ordinal(Family):
    """``P(x_j <= c) = sigmoid(t_c - m_j)``, the network giving m; levels are 0 to C - 1.

    The cuts t are learned, one set for all features, ascending by steps that are exponentials; they start where all
    levels are equally likely at m = 0. One output a feature, where `categorical` needs C. Raises ValueError where there
    are fewer than 2 levels.

    >>> p = Ordinal(4).of_outputs(jnp.zeros(1))
    >>> p.probabilities.round(3).tolist()
    [[0.25, 0.25, 0.25, 0.25]]
    """

    name = "ordinal"

    first: Float[Array, ""]
    log_steps: Float[Array, " steps"]
    levels: int = eqx.field(static=True)

    def __init__(self, levels: int) -> None:
        if levels < 2:
            raise ValueError(f"{self.who} needs at least 2 levels, got {levels}")
        share = np.arange(1, levels) / levels
        cuts = np.log(share / (1 - share))
        self.first, self.log_steps = jnp.asarray(cuts[0]), jnp.asarray(np.log(np.diff(cuts)))
        self.levels = levels

    @property
    def support(self) -> Whole:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The numbers of the levels."""
        return Whole(0, self.levels - 1)

    @property
    def outputs_per_feature(self) -> int:
        """One."""
        return 1

    @property
    def cuts(self) -> Float[Array, " cuts"]:
        """t, ascending."""
        return self.first + jnp.concatenate([jnp.zeros(1), jnp.cumsum(jnp.exp(self.log_steps))])

    def of_outputs(self, outputs: Array) -> distributions.Ordinal:
        """At the positions m."""
        return distributions.Ordinal(self.cuts - outputs[..., None])

    def start(self, mean: Array, scale: Array) -> tuple[Array, ...]:
        """The positions at which the share of all levels below is right for a mean level."""
        share = jnp.clip(mean / (self.levels - 1), 0.01, 0.99)
        return (jax.scipy.special.logit(share),)
