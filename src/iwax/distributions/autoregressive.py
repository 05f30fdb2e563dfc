"""Binary features that depend on each other in an order."""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax._typing import AnyArray, PRNGKey, Scalar
from iwax.distributions.bernoulli import Bernoulli
from iwax.parts import Distribution, Trace

__all__ = ["Autoregressive"]


class Autoregressive(Distribution):
    """``p(x) = prod_i Bernoulli(x_i; sigmoid(m_i(x_<i, c)))``, the network giving all logits m at x and c in one pass.

    ``network(x, context)`` gives [features] for x [features]; m_i may not depend on x_i or on what comes after it (nor
    is that checked here). The log-probability takes one pass; a draw, and the mean, one per feature, unless the network
    has a quicker ``draw(uniform, context)`` of its own. ``key`` is that of the mean.

    >>> weight = jnp.array([[0.0, 2.0], [0.0, 0.0]])  # the second feature follows the first
    >>> p = Autoregressive(jax.tree_util.Partial(lambda w, x, c: x @ w + c, weight), jnp.zeros(2), jax.random.key(0))
    >>> float(p.log_prob(jnp.array([1.0, 1.0])))  # log 1/2 + log sigmoid(2)
    -0.8201
    """

    reparameterized: ClassVar[bool] = False  # a draw has no derivative in the logits

    network: Any
    context: Any
    key: PRNGKey

    @property
    def mean(self) -> Float[Array, " features"]:
        """``sigmoid(m_i(x_<i, c))`` along one path x ~ p(x), drawn with the distribution's own key.

        An unbiased estimate of E x, with less variance than a draw, and the probability of each pixel given those that
        came out before it: an autoregressive p(x) has no mean in closed form.
        """
        return self.conditionals(self.draw(self.key)[0]).mean

    def conditionals(self, value: AnyArray) -> Bernoulli:
        """``p(x_i | x_<i)`` for every feature i, at a value x."""
        return Bernoulli(self.network(value, self.context))

    def draw(self, key: PRNGKey) -> tuple[Float[Array, " features"], Trace]:
        """A value of zeros and ones, feature by feature, without a gradient in the logits; there is no trace."""
        features = self.network.in_features
        uniform = jax.random.uniform(key, (features,))
        if hasattr(self.network, "draw"):
            return self.network.draw(uniform, self.context), None

        def one(i: Array, x: Array) -> Array:
            return x.at[i].set((uniform[i] < self.conditionals(x).mean[i]).astype(x.dtype))

        return jax.lax.fori_loop(0, features, one, jnp.zeros(features)), None

    def log_prob(self, value: AnyArray, trace: Trace = None, where: AnyArray | None = None) -> Scalar:
        """``sum_i log p(x_i | x_<i)``, nats. Raises ValueError where there is a mask."""
        if where is not None:
            raise ValueError(
                "an autoregressive likelihood cannot take missing values, as every feature depends on those before it: "
                "where must be None; take a likelihood of independent features, or fill the missing values in"
            )
        return self.conditionals(value).log_prob(value)

    def sample_and_log_prob(self, key: PRNGKey) -> tuple[Float[Array, " features"], Scalar]:
        """A value and its log-probability."""
        value, _ = self.draw(key)
        return value, self.log_prob(value)
