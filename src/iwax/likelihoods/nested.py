"""Likelihoods around another one."""

from typing import Any

import equinox as eqx

from iwax._typing import PRNGKey
from iwax.parts import Distribution, Latent, Likelihood
from iwax.supports import Support

__all__ = ["Chain", "Nested"]


class Nested(Likelihood):
    """A likelihood around another one, with the support of that: a subclass says what it makes of it."""

    likelihood: Any

    @property
    def support(self) -> Support:
        """That of the likelihood inside."""
        return self.likelihood.support

    def bind(self, model: Any, *, key: PRNGKey) -> "Nested":
        """With the likelihood inside bound."""
        return eqx.tree_at(lambda part: part.likelihood, self, self.likelihood.bind(model, key=key))


class Chain(Nested):
    """``p(x | z_1, ..., z_L) = p(x | z_1)``: the data depend on the lowest layer alone."""

    def __call__(self, z: Latent, given: Any = None, *, key: PRNGKey) -> Distribution:
        """The distribution of x at a tuple of latents ``(z_1, ..., z_L)``."""
        return self.likelihood(z[0], given, key=key)
