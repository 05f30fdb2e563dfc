"""Ladder posteriors."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax import distributions
from iwax._typing import PRNGKey
from iwax.distributions import Normal
from iwax.nn import Linear
from iwax.parts import Distribution, Posterior, values_of

__all__ = ["Ladder", "Rung"]


class Rung(eqx.Module):
    """One step of the way up: ``d_l = network(d_{l-1})``, and a Gaussian that is read linearly off it."""

    network: Any
    head: Linear

    def __call__(self, below: Array, *, key: PRNGKey) -> tuple[Array, Normal]:
        """What is handed on, and the Gaussian of this layer seen from below."""
        d = self.network(below, key=key)
        loc, log_scale = jnp.split(self.head(d), 2)
        return d, Normal(loc, jnp.exp(log_scale))


class Ladder(Posterior):
    """``q(z_L|x) q(z_{L-1}|x, z_L) ...``: what is seen from below times what the model says from above.

    Sonderby, Raiko, Maaloe, Sonderby and Winther (2016, arXiv:1602.02282). A deterministic way up gives a Gaussian a
    layer; below the top it is multiplied with the model's own p(z_l | z_{l+1}), precisions added. The conditional
    priors are not its own: `bind` reads them from the model. Values are tuples ``(z_1, ..., z_L)``, L at least 2.
    """

    rungs: tuple[Rung, ...]

    @property
    def topmost(self) -> "_Top":
        """``q(z_L|x)``, which depends on nothing above: the components of a VampPrior on the top layer."""
        return _Top(self.rungs)

    def bind(self, model: Any, *, key: PRNGKey) -> "_Bound":
        """The part that shares the conditionals of the model's prior, a `priors.Chain`."""
        prior, conditionals = model.prior, model.prior.below
        if len(conditionals) != len(self.rungs) - 1:
            got = f"{len(conditionals)}" if conditionals else "none"
            raise ValueError(
                f"a ladder posterior of {len(self.rungs)} layers shares the {len(self.rungs) - 1} conditionals of a "
                f"priors.Chain, got {got} in {type(prior).__name__}"
            )
        return _Bound(self, conditionals)

    def __call__(self, context: Any, *, key: PRNGKey) -> distributions.Chain:
        """Raises ValueError: without the model's conditional priors there is nothing to combine with."""
        raise ValueError(
            "a ladder posterior shares the conditionals of its model's prior: call model.bind(key=key).posterior"
        )


class _Top(Posterior):
    rungs: tuple[Rung, ...]

    def __call__(self, context: Any, *, key: PRNGKey) -> Normal:
        return _climb(self.rungs, context, key)[-1]


class _Bound(Posterior):
    ladder: Ladder
    conditionals: tuple[Callable[..., Distribution], ...]

    def __call__(self, context: Any, *, key: PRNGKey) -> distributions.Chain:
        *below, top = _climb(self.ladder.rungs, context, key)
        keys = tuple(jax.random.fold_in(key, len(self.ladder.rungs) + i) for i in range(len(below)))
        parts = tuple(_Merged(seen, part) for seen, part in zip(reversed(below), self.conditionals, strict=True))
        return distributions.Chain(top, parts, keys, downwards=True)


class _Merged(eqx.Module):
    """``N(seen) N(p(z_l | z_{l+1}))``, normalised."""

    seen: Normal
    conditional: Callable[..., Distribution]

    def __call__(self, context: Any, *, key: PRNGKey) -> Normal:
        above = self.conditional(context, key=key)
        if not isinstance(above, Normal):
            raise ValueError(
                "a ladder posterior multiplies Gaussians: the conditional priors must give factorised normals, "
                f"got {type(above).__name__}"
            )
        return Normal(*_product(*map(jnp.asarray, (self.seen.loc, self.seen.scale, above.loc, above.scale))))


def _product(
    loc: Float[Array, " latent"],
    scale: Float[Array, " latent"],
    other: Float[Array, " latent"],
    width: Float[Array, " latent"],
) -> tuple[Array, Array]:
    """Loc and scale of the product of two Gaussians, by logarithms: no ratio of scales leaves the range."""
    apart = 2 * (jnp.log(width) - jnp.log(scale))
    share, rest = jax.nn.sigmoid(apart), jax.nn.sigmoid(-apart)  # of the two in the sum of precisions
    return share * loc + rest * other, jnp.exp(jnp.log(scale) + jax.nn.log_sigmoid(apart) / 2)


def _climb(rungs: tuple[Rung, ...], context: Any, key: PRNGKey) -> list[Normal]:
    d, seen = values_of(context), []
    for i, rung in enumerate(rungs):
        d, gaussian = rung(d, key=jax.random.fold_in(key, i))
        seen.append(gaussian)
    return seen
