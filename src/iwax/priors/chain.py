"""Priors of several stochastic layers."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax

from iwax import distributions
from iwax._typing import PRNGKey
from iwax.parts import Distribution, Latent, Prior, bound_to

__all__ = ["Chain"]


class Chain(Prior):
    """``p(z) = p(z_L) p(z_{L-1} | z_L) ... p(z_1 | z_2)`` (Burda, Grosse and Salakhutdinov 2016, arXiv:1509.00519).

    ``top`` is the prior of z_L; ``conditionals`` are the parts ``p(z_{L-1} | z_L), ..., p(z_1 | z_2)`` in the order in
    which they are drawn. Values are tuples ``(z_1, ..., z_L)``.
    """

    top: Prior
    conditionals: tuple[Callable[..., Distribution], ...]

    @property
    def topmost(self) -> Prior:
        """``p(z_L)``."""
        return self.top

    @property
    def below(self) -> tuple[Callable[..., Distribution], ...]:
        """The conditionals."""
        return self.conditionals

    def bind(self, model: Any, *, key: PRNGKey) -> "Chain":
        """The chain with its parts bound."""
        return Chain(self.top.bind(model, key=key), bound_to(model, self.conditionals, key=key))

    def __call__(self, given: Any = None, *, key: PRNGKey) -> distributions.Chain:
        """The distribution of all layers, drawn from the top downwards."""
        keys = tuple(jax.random.fold_in(key, i + 1) for i in range(len(self.conditionals)))
        first = self.top(given, key=jax.random.fold_in(key, 0))
        parts = self.conditionals if given is None else tuple(_Given(part, given) for part in self.conditionals)
        return distributions.Chain(first, parts, keys, downwards=True)


class _Given(eqx.Module):
    """A part of a latent and covariates, these filled in."""

    part: Callable[..., Distribution]
    given: Any

    def __call__(self, z: Latent, *, key: PRNGKey) -> Distribution:
        return self.part(z, self.given, key=key)
