"""Posteriors that are a map of a mean-field Gaussian."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp

from iwax._typing import AnyArray, PRNGKey
from iwax.distributions import Normal, Transformed
from iwax.nn import Linear
from iwax.parts import values_of
from iwax.posteriors.amortised import Amortised

__all__ = ["Flow", "Shared", "flow"]


class Flow(Amortised):
    """``z = f(z_0; h), z_0 ~ N(loc(h), diag scale(h)^2)`` with ``h = network(x)``; f is what ``map`` gives at h.

    Rezende and Mohamed (2015, arXiv:1505.05770). Made by `householder`, `linear_iaf`, `planar` and their like, or with
    any module ``map(h) -> bijection`` of your own; ``map=Shared(bijection)`` is one map for all data.

    >>> import jax
    >>> from iwax import bijections
    >>> from iwax.nn import MLP
    >>> trunk = MLP(4, (8,), 6, key=jax.random.key(0))
    >>> q = flow(trunk, 2, Shared(bijections.Householder(jnp.ones(2))), key=jax.random.key(1))
    >>> q(jnp.zeros(4), key=jax.random.key(2)).mean.shape
    (2,)
    """

    base: Linear
    map: Any

    def __call__(self, context: Any, *, key: PRNGKey) -> Transformed:
        """The distribution at a data point, or at the latent of the layer below."""
        h = self.network(values_of(context), key=key)
        loc, log_scale = jnp.split(self.base(h), 2, axis=-1)
        return Transformed(Normal(loc, jnp.exp(log_scale)), self.map(h))


class Shared(eqx.Module):
    """The same bijection, with parameters of its own, for every data point."""

    bijection: Any

    def __call__(self, h: AnyArray) -> Any:
        """The bijection."""
        return self.bijection


def flow(network: Any, latent: int, map: Any, *, key: PRNGKey) -> Flow:
    """A `Flow` whose Gaussian is linear in h = network(x): it makes the layer from h to ``loc`` and ``log scale``.

    The ``network`` is the trunk of an encoder, with ``out_features`` as `nn.MLP` has it: h may be of any size, whatever
    ``latent`` is. ``map(h)`` gives the bijection.
    """
    return Flow(network, Linear(network.out_features, 2 * latent, key=key, heads=2), map)
