"""Families of densities at a datum, as free parameters: what the best q(z|x) of a datum is sought among."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp

from iwax.distributions import Normal
from iwax.parts import Distribution

__all__ = ["Family", "mean_field_normal"]


class Family(NamedTuple):
    """``start(q)`` are the free parameters at which q stands in the family, a tree of real arrays, all of them zero or
    of the order of one a change that matters; ``at(q, parameters)`` is the distribution that they stand for, near q.

    q is the amortised posterior of one datum. ``start`` raises TypeError for a q that the family does not hold.
    """

    name: str
    start: Callable[[Distribution], Any]
    at: Callable[[Distribution, Any], Distribution]


def _start(q: Distribution) -> Any:
    if not isinstance(q, Normal):
        raise TypeError(
            "the best mean-field normal of a datum needs a posterior that is one (distributions.Normal, of one layer), "
            f"got {type(q).__name__}; give another family"
        )
    return jnp.zeros_like(jnp.asarray(q.loc)), jnp.zeros_like(jnp.asarray(q.loc))


def _at(q: Any, parameters: Any) -> Normal:
    shift, log_ratio = parameters
    return Normal(q.loc + q.scale * shift, q.scale * jnp.exp(log_ratio))


mean_field_normal = Family("mean-field normal", _start, _at)
"""``N(loc + scale u, diag (scale e^v)^2)`` with u and v free, [latent] each: a change of one is one standard deviation
of the amortised posterior, whatever the scale of the latents."""
