"""Features that are each a mixture of their own."""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax._typing import AnyArray, PRNGKey
from iwax.distributions.independent import AbstractIndependent
from iwax.parts import Trace

__all__ = ["FeatureMixture"]


class FeatureMixture(AbstractIndependent):
    """``p(x) = prod_j sum_c pi_cj p_cj(x_j)``: features stay independent, where a `Mixture` ties them together.

    Weights are given as logits [components, features], components as one distribution of independent features with a
    leading axis of components.

    >>> from iwax.distributions import Normal
    >>> p = FeatureMixture(jnp.zeros((2, 1)), Normal(jnp.array([[-1.0], [1.0]]), jnp.ones((2, 1))))
    >>> float(p.log_prob(jnp.zeros(1)))  # -1/2 - log(2 pi)/2
    -1.4189
    """

    reparameterized: ClassVar[bool] = False

    log_weights: Float[AnyArray, "*batch components features"]
    components: Any

    @property
    def mean(self) -> Array:
        """``sum_c pi_cj E_c[x_j]``."""
        means = jax.vmap(lambda component: component.mean)(self.components)
        return jnp.sum(jax.nn.softmax(self.log_weights, axis=0) * means, axis=0)

    def draw(self, key: PRNGKey) -> tuple[Array, Trace]:
        """A component for every feature, and its value, which has no gradient; there is no trace."""
        count = self.log_weights.shape[0]
        keys = jax.random.split(jax.random.fold_in(key, 0), count)
        values = jax.vmap(lambda component, key: component.draw(key)[0])(self.components, keys)
        chosen = jax.random.categorical(jax.random.fold_in(key, 1), self.log_weights, axis=0)
        value = jnp.take_along_axis(values, chosen[None], axis=0)[0]
        return jax.lax.stop_gradient(value), None

    def each(self, value: AnyArray) -> Float[AnyArray, "*batch features"]:
        """``log sum_c pi_cj p_cj(x_j)`` of every feature, nats."""
        each = jax.vmap(lambda component: component.each(value))(self.components)
        return jax.nn.logsumexp(jax.nn.log_softmax(self.log_weights, axis=0) + each, axis=0)
