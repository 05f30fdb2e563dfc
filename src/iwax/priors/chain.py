"""Priors of several stochastic layers."""

from typing import Any

import equinox as eqx
import jax

from iwax import distributions
from iwax._typing import PRNGKey
from iwax.parts import Part

__all__ = ["Chain"]


class Chain(eqx.Module):
    """``p(z) = p(z_L) p(z_{L-1} | z_L) ... p(z_1 | z_2)`` (Burda, Grosse and Salakhutdinov 2016, arXiv:1509.00519).

    ``top`` is the prior of z_L; ``conditionals`` are the parts ``p(z_{L-1} | z_L), ..., p(z_1 | z_2)`` in the order in
    which they are drawn. Values are tuples ``(z_1, ..., z_L)``.
    """

    top: Any
    conditionals: tuple[Part, ...]

    def prepare(self, posterior: Part | None, *, key: PRNGKey) -> "Chain":
        """The chain with its top prior prepared."""
        return Chain(self.top.prepare(posterior, key=key), self.conditionals)

    def __call__(self, context: Any, *, key: PRNGKey) -> distributions.Chain:
        """The distribution of all layers, drawn from the top downwards."""
        keys = tuple(jax.random.fold_in(key, i + 1) for i in range(len(self.conditionals)))
        first = self.top(context, key=jax.random.fold_in(key, 0))
        return distributions.Chain(first, self.conditionals, keys, downwards=True)
