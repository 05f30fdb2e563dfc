"""Features that are one of several levels in an order."""

from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from iwax._typing import AnyArray, PRNGKey
from iwax.distributions.categorical import Categorical
from iwax.distributions.independent import AbstractIndependent
from iwax.distributions.states import every
from iwax.parts import Trace

__all__ = ["Ordinal"]


class Ordinal(AbstractIndependent):
    """``P(x_j <= c) = sigmoid(t_jc)`` for cuts t [features, levels - 1], ascending; a value is a level, 0 to C - 1.

    Cumulative logits (McCullagh 1980, JRSS B 42, 109): a logistic variable, seen only through which cuts it lies
    between.

    >>> p = Ordinal(jnp.array([[-1e4, 0.0]]))
    >>> p.probabilities.tolist(), float(p.log_prob(jnp.array([2.0])))
    ([[0.0, 0.5, 0.5]], -0.6931)
    """

    reparameterized: ClassVar[bool] = False

    cuts: Float[AnyArray, "*batch features cuts"]

    @property
    def log_probabilities(self) -> Float[Array, "*batch features levels"]:
        """``log P(x_j = c)``, by ``sigmoid(b) - sigmoid(a) = sigmoid(b) sigmoid(-a) (1 - exp(a - b))``."""
        cuts = jnp.asarray(self.cuts)
        below, above = jax.nn.log_sigmoid(cuts), jax.nn.log_sigmoid(-cuts)
        gap = cuts[..., :-1] - cuts[..., 1:]
        between = below[..., 1:] + above[..., :-1] + jnp.log(-jnp.expm1(gap))
        return jnp.concatenate([below[..., :1], between, above[..., -1:]], axis=-1)

    @property
    def probabilities(self) -> Float[Array, "*batch features levels"]:
        """``P(x_j = c)`` of every level."""
        return jnp.exp(self.log_probabilities)

    @property
    def mean(self) -> Array:
        """``sum_c c P(x_j = c) = sum_c P(x_j > c)``."""
        return jnp.sum(jax.nn.sigmoid(-jnp.asarray(self.cuts)), axis=-1)

    @property
    def states(self) -> np.ndarray:
        """Every row of levels, [levels^features, features]."""
        return every(self.cuts.shape[-1] + 1, self.cuts.shape[-2])

    def draw(self, key: PRNGKey) -> tuple[Array, Trace]:
        """A level, which has no gradient in the cuts; there is no trace."""
        noise = jax.random.logistic(key, (*self.cuts.shape[:-1], 1))
        return jnp.sum(noise > self.cuts, axis=-1).astype(jnp.asarray(self.cuts).dtype), None

    def each(self, value: AnyArray) -> Float[AnyArray, "*batch features"]:
        """``log P(x_j = c)`` at the level of every feature, nats."""
        return Categorical(self.log_probabilities).each(value)
