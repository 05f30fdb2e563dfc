"""Latents that are a class: a classifier."""

from typing import Any

from iwax import distributions
from iwax._typing import PRNGKey
from iwax.parts import values_of
from iwax.posteriors.amortised import Amortised

__all__ = ["Categorical"]


class Categorical(Amortised):
    """``q(y = c|x) = softmax(m(x))_c`` of the number of a class, [1], the network giving the logits m [classes].

    The classifier of Kingma, Rezende, Mohamed and Welling (2014, arXiv:1406.5298): with `samplers.Enumerated` the class
    is summed over, and where a label is known it is the only one.

    >>> import jax, jax.numpy as jnp
    >>> from iwax.nn import Linear
    >>> q = Categorical(Linear(4, 3, key=jax.random.key(0)))(jnp.zeros(4), key=jax.random.key(1))
    >>> q.states.ravel().tolist()
    [0.0, 1.0, 2.0]
    """

    def __call__(self, context: Any, *, key: PRNGKey) -> distributions.Categorical:
        """The distribution at a data point, or at the latent of the layer below."""
        return distributions.Categorical(self.network(values_of(context), key=key)[None])
