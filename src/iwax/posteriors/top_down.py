"""Posteriors of several stochastic layers that are drawn from the top."""

from typing import Any

import equinox as eqx
import jax

from iwax import distributions
from iwax._typing import PRNGKey
from iwax.parts import Distribution, Part, values_of

__all__ = ["TopDown"]


class TopDown(eqx.Module):
    """``q(z|x) = q(z_L|x) q(z_{L-1}|x, z_L) ... q(z_1|x, z_2)``, as in the hierarchical VampPrior model.

    Tomczak and Welling (2018, arXiv:1705.07120). ``conditionals`` are the parts q(z_{L-1}|x, z_L), ...,
    q(z_1|x, z_2) in the order in which they are drawn; their networks take the pair (x, the latent above). Values are
    tuples ``(z_1, ..., z_L)``.
    """

    top: Part
    conditionals: tuple[Part, ...]

    def __call__(self, context: Any, *, key: PRNGKey) -> distributions.Chain:
        """The distribution of all layers at a datum."""
        keys = tuple(jax.random.fold_in(key, i + 1) for i in range(len(self.conditionals)))
        first = self.top(context, key=jax.random.fold_in(key, 0))
        parts = tuple(_Given(part, context) for part in self.conditionals)
        return distributions.Chain(first, parts, keys, downwards=True)


class _Given(eqx.Module):
    """A part of two contexts, the datum filled in: a leaf, as every array that a distribution depends on."""

    part: Part
    x: Any

    def __call__(self, context: Any, *, key: PRNGKey) -> Distribution:
        return self.part((values_of(self.x), context), key=key)
