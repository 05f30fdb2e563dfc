"""Binary latents."""

from typing import Any

from iwax import distributions
from iwax._typing import PRNGKey
from iwax.parts import values_of
from iwax.posteriors.amortised import Amortised

__all__ = ["Bernoulli"]


class Bernoulli(Amortised):
    """``q(z|x) = prod_j Bernoulli(z_j; sigmoid(m_j(x)))``, the network giving the logits m.

    Its draws have no derivative: train it with `gradients.score_function` or `gradients.wake` (Mnih and Rezende 2016,
    arXiv:1602.06725; Bornschein and Bengio 2015, arXiv:1406.2751).

    >>> import jax, jax.numpy as jnp
    >>> from iwax.nn import MLP
    >>> q = Bernoulli(MLP(4, (8,), 3, key=jax.random.key(0)))(jnp.zeros(4), key=jax.random.key(1))
    >>> q.mean.shape, q.reparameterized
    ((3,), False)
    """

    def __call__(self, context: Any, *, key: PRNGKey) -> distributions.Bernoulli:
        """The distribution at a data point, or at the latent of the layer below."""
        return distributions.Bernoulli(self.network(values_of(context), key=key))
