"""The likelihood of a model with several stochastic layers."""

from typing import Any

import equinox as eqx

from iwax._typing import Distribution, Part, PRNGKey

__all__ = ["Chain"]


class Chain(eqx.Module):
    """``p(x | z_1, ..., z_L) = p(x | z_1)``: the data depend on the lowest layer alone."""

    likelihood: Part

    def __call__(self, context: Any, *, key: PRNGKey) -> Distribution:
        """The distribution of x at a tuple of latents ``(z_1, ..., z_L)``."""
        return self.likelihood(context[0], key=key)
