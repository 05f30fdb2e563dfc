"""Posteriors of several stochastic layers."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax

from iwax import distributions
from iwax._typing import PRNGKey
from iwax.parts import Datum, Distribution, Latent, Posterior, bound_to

__all__ = ["Chain"]


class Chain(Posterior):
    """``q(z|x) = q(z_1|x) q(z_2|z_1) ... q(z_L|z_{L-1})`` (Burda, Grosse and Salakhutdinov 2016, arXiv:1509.00519).

    Values are tuples ``(z_1, ..., z_L)``, drawn from the data upwards.
    """

    first: Posterior
    conditionals: tuple[Callable[..., Distribution], ...]

    def bind(self, model: Any, *, key: PRNGKey) -> "Chain":
        """The chain with its parts bound."""
        (first,) = bound_to(model, (self.first,), key=key)
        return Chain(first, bound_to(model, self.conditionals, key=key))

    def __call__(self, context: Any, *, key: PRNGKey) -> distributions.Chain:
        """The distribution of all layers at a data point."""
        keys = tuple(jax.random.fold_in(key, i + 1) for i in range(len(self.conditionals)))
        first = self.first(context, key=jax.random.fold_in(key, 0))
        given = context.given if isinstance(context, Datum) else None
        parts = self.conditionals if given is None else tuple(_Given(part, given) for part in self.conditionals)
        return distributions.Chain(first, parts, keys, downwards=False)

    @property
    def topmost(self) -> None:
        """None: q(z_L|x) is an integral over the layers below."""
        return None


class _Given(eqx.Module):
    """A part of the latent below and covariates, these filled in."""

    part: Callable[..., Distribution]
    given: Any

    def __call__(self, z: Latent, *, key: PRNGKey) -> Distribution:
        return self.part(Datum(z, given=self.given), key=key)
