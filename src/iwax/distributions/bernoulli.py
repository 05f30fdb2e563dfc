"""Binary features."""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax._typing import AnyArray, Latent, PRNGKey, Scalar, Trace
from iwax.numerics import softplus

__all__ = ["Bernoulli"]


class Bernoulli(eqx.Module):
    """``p(x) = prod_j sigmoid(m_j)^x_j sigmoid(-m_j)^(1 - x_j)`` for logits m, unclamped.

    Our own rather than NumPyro's, whose softplus makes a decoder's forward pass 1.5 times slower. Values must be 0 or
    1: that is checked where data enter, not here.

    >>> float(Bernoulli(jnp.array([0.0, 1e4])).log_prob(jnp.array([1.0, 1.0])))
    -0.6931
    """

    reparameterized: ClassVar[bool] = False  # a draw has no derivative in the logits

    logits: Float[AnyArray, "*batch features"]

    @property
    def mean(self) -> Array:
        """``sigmoid(m)``."""
        return jax.nn.sigmoid(self.logits)

    def draw(self, key: PRNGKey) -> tuple[Array, Trace]:
        """A value of zeros and ones, which has no gradient in the logits; there is no trace."""
        return jax.random.bernoulli(key, self.mean).astype(self.logits.dtype), None

    def log_prob(self, value: AnyArray, trace: Trace = None, where: AnyArray | None = None) -> Scalar:
        """``sum_j x_j m_j - softplus(m_j)``, nats; with ``where``, over the marked features alone."""
        return jnp.sum(self.each(value), axis=-1, where=where)

    def each(self, value: AnyArray) -> Float[AnyArray, "*batch features"]:
        """``log p(x_j)`` of every feature, nats."""
        return value * self.logits - softplus(self.logits)

    def kl(self, other: "Bernoulli") -> Float[AnyArray, "*batch features"]:
        """``KL(self_j || other_j)`` for every feature, nats, in closed form.

        >>> float(Bernoulli(jnp.array([50.0])).kl(Bernoulli(jnp.zeros(1)))[0])  # log 2
        0.6931
        """
        return self.mean * (self.logits - other.logits) - softplus(self.logits) + softplus(other.logits)

    def sample_and_log_prob(self, key: PRNGKey) -> tuple[Array, Scalar]:
        """A value and its log-probability."""
        value, _ = self.draw(key)
        return value, self.log_prob(value)

    def layers(self, value: Latent) -> tuple["Bernoulli", ...]:
        """The one stochastic layer, itself."""
        return (self,)
