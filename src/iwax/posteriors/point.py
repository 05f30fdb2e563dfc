"""The posterior of an autoencoder: one value."""

from typing import Any

from iwax import distributions
from iwax._typing import PRNGKey
from iwax.parts import values_of
from iwax.posteriors.amortised import Amortised

__all__ = ["Point"]


class Point(Amortised):
    """``z = network(x)``, without a density: log q is 0, and what is ascended is no bound on log p(x).

    With a weight of 0 on the other terms (`gradients.Objective` with ``beta=0``) the model is an autoencoder: the graph
    autoencoder of Kipf and Welling (2016, arXiv:1611.07308); with 1 what is ascended is ``log p(x, z)``.

    >>> import jax, jax.numpy as jnp
    >>> from iwax.nn import Linear
    >>> Point(Linear(4, 3, key=jax.random.key(0)))(jnp.zeros(4), key=jax.random.key(1)).mean.shape
    (3,)
    """

    def __call__(self, context: Any, *, key: PRNGKey) -> distributions.Point:
        """The value at a data point."""
        return distributions.Point(self.network(values_of(context), key=key))
