"""Posteriors of several stochastic layers that are drawn from the top."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax

from iwax import distributions
from iwax._typing import PRNGKey
from iwax.parts import Datum, Distribution, Posterior, bound_to, values_of

__all__ = ["TopDown"]


class TopDown(Posterior):
    """``q(z|x) = q(z_L|x) q(z_{L-1}|x, z_L) ... q(z_1|x, z_2)``, as in the hierarchical VampPrior model.

    Tomczak and Welling (2018, arXiv:1705.07120). ``conditionals`` are the parts q(z_{L-1}|x, z_L), ...,
    q(z_1|x, z_2) in the order in which they are drawn; their networks take the pair (x, the latent above). Values are
    tuples ``(z_1, ..., z_L)``.
    """

    top: Posterior
    conditionals: tuple[Callable[..., Distribution], ...]

    @property
    def topmost(self) -> Posterior | None:
        """``q(z_L|x)``."""
        return self.top.topmost

    def bind(self, model: Any, *, key: PRNGKey) -> "TopDown":
        """The chain with its parts bound."""
        (top,) = bound_to(model, (self.top,), key=key)
        return TopDown(top, bound_to(model, self.conditionals, key=key))

    def __call__(self, context: Any, *, key: PRNGKey) -> distributions.Chain:
        """The distribution of all layers at a data point."""
        keys = tuple(jax.random.fold_in(key, i + 1) for i in range(len(self.conditionals)))
        first = self.top(context, key=jax.random.fold_in(key, 0))
        parts = tuple(_Given(part, context) for part in self.conditionals)
        return distributions.Chain(first, parts, keys, downwards=True)


class _Given(eqx.Module):
    """A part of two contexts, the datum filled in: a leaf, as every array that a distribution depends on."""

    part: Callable[..., Distribution]
    x: Any

    def __call__(self, context: Any, *, key: PRNGKey) -> Distribution:
        pair, given = (values_of(self.x), context), self.x.given if isinstance(self.x, Datum) else None
        return self.part(pair if given is None else Datum(pair, given=given), key=key)
