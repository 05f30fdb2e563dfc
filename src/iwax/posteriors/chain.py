"""Posteriors of several stochastic layers."""

from typing import Any

import equinox as eqx
import jax

from iwax import distributions
from iwax._typing import PRNGKey
from iwax.parts import Part

__all__ = ["Chain"]


class Chain(eqx.Module):
    """``q(z|x) = q(z_1|x) q(z_2|z_1) ... q(z_L|z_{L-1})`` (Burda, Grosse and Salakhutdinov 2016, arXiv:1509.00519).

    Values are tuples ``(z_1, ..., z_L)``, drawn from the data upwards.
    """

    first: Part
    conditionals: tuple[Part, ...]

    def __call__(self, context: Any, *, key: PRNGKey) -> distributions.Chain:
        """The distribution of all layers at a datum."""
        keys = tuple(jax.random.fold_in(key, i + 1) for i in range(len(self.conditionals)))
        first = self.first(context, key=jax.random.fold_in(key, 0))
        return distributions.Chain(first, self.conditionals, keys, downwards=False)
