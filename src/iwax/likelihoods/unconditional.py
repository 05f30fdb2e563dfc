"""A layer that does not depend on the layer above."""

from typing import Any

from iwax._typing import PRNGKey
from iwax.parts import Distribution, Latent, Likelihood, Prior

__all__ = ["Unconditional"]


class Unconditional(Likelihood):
    """``p(z_l | z_(l+1)) = p(z_l)``: a prior as a conditional of `priors.Chain`, for layers that are independent.

    A label and a style in M2 of Kingma, Rezende, Mohamed and Welling (2014, arXiv:1406.5298), say.

    >>> import jax, jax.numpy as jnp
    >>> from iwax import priors
    >>> p = priors.Chain(priors.Categorical(3), (Unconditional(priors.StandardNormal(2)),))
    >>> z, y = p(None, key=jax.random.key(0)).draw(jax.random.key(1))[0]
    >>> z.shape, y.shape
    ((2,), (1,))
    """

    prior: Prior

    def bind(self, model: Any, *, key: PRNGKey) -> "Unconditional":
        """With the prior bound."""
        return Unconditional(self.prior.bind(model, key=key))

    def __call__(self, z: Latent, given: Any = None, *, key: PRNGKey) -> Distribution:
        """The prior, whatever is above."""
        return self.prior(given, key=key)
