"""Random variables whose features are independent: what all of them share."""

from abc import abstractmethod
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax._typing import AnyArray, PRNGKey, Scalar
from iwax.parts import Distribution, Trace

__all__ = ["LANES", "AbstractIndependent", "longer"]

LANES, _NARROW = 8, 32  # numbers that a processor works on at once; features from which on it does so at any number


class AbstractIndependent(Distribution):
    """``log p(x) = sum_j log p(x_j)``: a distribution gives ``mean``, ``draw`` and ``each``, and has the rest.

    A subclass is final, and says in ``reparameterized`` whether its draws have a derivative. Values must lie in the
    support: that is checked where data enter, not here. But ``each`` is finite, and has a finite gradient, at 0, which
    stands for a missing value: what a mask leaves out has no part in the gradient.
    """

    one_per_feature: ClassVar[bool] = False  # whether every array in it ends in an axis of features

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
        features = (1, *jnp.shape(value))[-1]
        more = -features % LANES if self.one_per_feature and 1 < features < _NARROW else 0
        if more:
            marks = jnp.ones(features, bool) if where is None else where
            return jnp.sum(self._wider(features, more).each(longer(value, more)), axis=-1, where=_marked(marks, more))
        return jnp.sum(self.each(value), axis=-1, where=where)

    def _wider(self, features: int, more: int) -> "AbstractIndependent":
        """This many ones after the last feature: the compiler vectorises loops over few features at multiples of 8.

        Eleven features take a fifth of the time as sixteen (on the CPU; elsewhere it is no matter). Ones, and not the
        last feature again, which would be a choice within the loop.
        """
        return jax.tree.map(lambda leaf: longer(leaf, more) if jnp.shape(leaf)[-1:] == (features,) else leaf, self)

    def sample_and_log_prob(self, key: PRNGKey) -> tuple[Array, Scalar]:
        """A value and its log-density, with the total derivative where a draw has one."""
        value, _ = self.draw(key)
        return value, self.log_prob(value)


def longer(each: AnyArray, more: int) -> Array:
    """The array with this many ones after the last feature.

    >>> longer(jnp.zeros(2), 1).tolist()
    [0.0, 0.0, 1.0]
    """
    return jnp.pad(jnp.asarray(each), [(0, 0)] * (jnp.ndim(each) - 1) + [(0, more)], constant_values=1)


def _marked(marks: AnyArray, more: int) -> Array:
    return jnp.pad(jnp.asarray(marks), [(0, 0)] * (jnp.ndim(marks) - 1) + [(0, more)])
