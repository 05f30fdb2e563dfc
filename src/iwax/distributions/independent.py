"""Random variables whose features are independent: what all of them share."""

from abc import abstractmethod

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax._typing import AnyArray, Distribution, Latent, PRNGKey, Scalar, Trace

__all__ = ["AbstractIndependent"]


class AbstractIndependent(eqx.Module):
    """``log p(x) = sum_j log p(x_j)``: a distribution gives ``mean``, ``draw`` and ``each``, and has the rest.

    A subclass is final, and says in ``reparameterized`` whether its draws have a derivative. Values must lie in the
    support: that is checked where data enter, not here. But ``each`` is finite, and has a finite gradient, at 0, which
    stands for a missing value: what a mask leaves out has no part in the gradient.
    """

    @property
    @abstractmethod
    def mean(self) -> Array:
        """``E x_j`` of every feature."""

    @abstractmethod
    def draw(self, key: PRNGKey) -> tuple[Array, Trace]:
        """A value, and the trace: None."""

    @abstractmethod
    def each(self, value: AnyArray) -> Float[AnyArray, "*batch features"]:
        """``log p(x_j)`` of every feature, nats."""

    def log_prob(self, value: AnyArray, trace: Trace = None, where: AnyArray | None = None) -> Scalar:
        """``sum_j log p(x_j)``, nats; with ``where``, over the marked features alone."""
        return jnp.sum(self.each(value), axis=-1, where=where)

    def sample_and_log_prob(self, key: PRNGKey) -> tuple[Array, Scalar]:
        """A value and its log-density, with the total derivative where a draw has one."""
        value, _ = self.draw(key)
        return value, self.log_prob(value)

    def layers(self, value: Latent) -> tuple[Distribution, ...]:
        """The one stochastic layer, itself."""
        return (self,)
