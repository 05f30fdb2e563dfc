"""The likelihood of a model with several stochastic layers."""

from typing import Any

import equinox as eqx

from iwax._typing import PRNGKey
from iwax.parts import Distribution, Latent, Likelihood
from iwax.supports import Support

__all__ = ["Chain"]


class Chain(Likelihood):
    """``p(x | z_1, ..., z_L) = p(x | z_1)``: the data depend on the lowest layer alone."""

    likelihood: Any

    @property
    def support(self) -> Support:
        """That of the likelihood given z_1."""
        return self.likelihood.support

    def bind(self, model: Any, *, key: PRNGKey) -> "Chain":
        """With the likelihood within it bound."""
        return eqx.tree_at(lambda part: part.likelihood, self, self.likelihood.bind(model, key=key))

    def __call__(self, z: Latent, given: Any = None, *, key: PRNGKey) -> Distribution:
        """The distribution of x at a tuple of latents ``(z_1, ..., z_L)``."""
        return self.likelihood(z[0], given, key=key)
