"""The likelihood of a model with several stochastic layers."""

from typing import Any

import numpy as np

from iwax._typing import PRNGKey
from iwax.parts import Distribution, Likelihood

__all__ = ["Chain"]


class Chain(Likelihood):
    """``p(x | z_1, ..., z_L) = p(x | z_1)``: the data depend on the lowest layer alone."""

    likelihood: Any

    @property
    def support(self) -> str:
        """The data that have a density, in words: those of the likelihood given z_1."""
        return self.likelihood.support

    @property
    def advice(self) -> str:
        """What to do about other data."""
        return self.likelihood.advice

    def outside(self, values: np.ndarray) -> np.ndarray:
        """Which values have no density here: those of the likelihood given z_1."""
        return self.likelihood.outside(values)

    def __call__(self, context: Any, given: Any = None, *, key: PRNGKey) -> Distribution:
        """The distribution of x at a tuple of latents ``(z_1, ..., z_L)``."""
        return self.likelihood(context[0], given, key=key)
