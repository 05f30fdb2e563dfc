"""The likelihood of a model with several stochastic layers."""

from typing import Any

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

    def __call__(self, z: Latent, given: Any = None, *, key: PRNGKey) -> Distribution:
        """The distribution of x at a tuple of latents ``(z_1, ..., z_L)``."""
        return self.likelihood(z[0], given, key=key)
