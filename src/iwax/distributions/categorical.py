"""Features that are one of several classes."""

from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from iwax._typing import AnyArray, PRNGKey
from iwax.distributions.independent import AbstractIndependent
from iwax.distributions.states import every
from iwax.parts import Trace

__all__ = ["Categorical"]


class Categorical(AbstractIndependent):
    """``P(x_j = c) = softmax(m_j)_c`` for logits m [features, classes]; a value is the number of the class, 0 to C - 1.

    >>> p = Categorical(jnp.array([[0.0, 0.0, 1e4]]))
    >>> float(p.log_prob(jnp.array([2.0]))), float(p.log_prob(jnp.array([0.0])))
    (0.0, -10000.0)
    """

    reparameterized: ClassVar[bool] = False

    logits: Float[AnyArray, "*batch features classes"]

    @property
    def probabilities(self) -> Float[Array, "*batch features classes"]:
        """``softmax(m)``."""
        return jax.nn.softmax(self.logits)

    @property
    def mean(self) -> Array:
        """``sum_c c P(x_j = c)``, the mean of the code: of use for classes that are ordered, and for two."""
        return self.probabilities @ jnp.arange(self.logits.shape[-1], dtype=self.logits.dtype)

    @property
    def states(self) -> np.ndarray:
        """Every row of classes, [classes^features, features]."""
        return every(self.logits.shape[-1], self.logits.shape[-2])

    def draw(self, key: PRNGKey) -> tuple[Array, Trace]:
        """The number of a class, which has no gradient in the logits; there is no trace."""
        return jax.random.categorical(key, self.logits).astype(self.logits.dtype), None

    def each(self, value: AnyArray) -> Float[AnyArray, "*batch features"]:
        """``m_jc - log sum_c exp m_jc`` at the class of every feature, nats."""
        classes = jnp.arange(self.logits.shape[-1])
        chosen = jnp.asarray(value)[..., None] == classes
        return jnp.sum(jnp.where(chosen, self.logits, 0), axis=-1) - jax.nn.logsumexp(self.logits, axis=-1)
