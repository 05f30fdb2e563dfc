"""Gaussians with a triangular factor of their covariance."""

from typing import Any

import equinox as eqx
import jax
from jaxtyping import Float

from iwax import bijections
from iwax._typing import AnyArray, PRNGKey
from iwax.bijections import packed_size
from iwax.nn import Linear
from iwax.posteriors.flow import Flow, flow

__all__ = ["ConvexCombination", "Triangle", "convex_linear_iaf", "linear_iaf"]


class Triangle(eqx.Module):
    """``L(h)``: what lies below its unit diagonal is linear in h."""

    below: Linear

    def __call__(self, h: Float[AnyArray, " hidden"]) -> bijections.UnitTriangular:
        """The map z -> L(h) z."""
        return bijections.UnitTriangular(self.below(h))


class ConvexCombination(eqx.Module):
    """``sum_c y_c(h) L_c(h)`` with ``y = softmax`` of a linear function of h."""

    mixing: Linear
    below: Linear

    def __call__(self, h: Float[AnyArray, " hidden"]) -> bijections.UnitTriangular:
        """The map z -> (sum_c y_c L_c) z, whose diagonal is 1 as theirs are."""
        share = jax.nn.softmax(self.mixing(h))
        each = self.below(h).reshape(share.shape[-1], -1)
        return bijections.UnitTriangular(share @ each)


def linear_iaf(network: Any, latent: int, *, key: PRNGKey) -> Flow:
    """``z = L(x) z_0``, L lower triangular with unit diagonal: ``q = N(L loc, L diag(scale^2) L')``.

    The linear inverse autoregressive flow (Kingma et al. 2016, arXiv:1606.04934; Tomczak and Welling 2017,
    arXiv:1706.02326). The network gives h, of any size (`flow`), and L is linear in it. Raises ValueError with fewer
    than two latents, which no matrix can mix.

    >>> import jax.numpy as jnp
    >>> from iwax.nn import MLP
    >>> q = linear_iaf(MLP(4, (8,), 6, key=jax.random.key(0)), 3, key=jax.random.key(1))
    >>> q(jnp.zeros(4), key=jax.random.key(2)).mean.shape
    (3,)
    """
    _at_least_two(latent)
    of_base, of_map = jax.random.split(key)
    return flow(network, latent, Triangle(Linear(network.out_features, packed_size(latent), key=of_map)), key=of_base)


def convex_linear_iaf(network: Any, latent: int, *, components: int, key: PRNGKey) -> Flow:
    """``z = (sum_c y_c(x) L_c(x)) z_0, y = softmax``: the convex combination linear inverse autoregressive flow.

    Tomczak and Welling (2017, arXiv:1706.02326). The network gives h, of any size (`flow`), in which the L_c and what y
    is made of are linear. Raises ValueError with fewer than two latents or one component.

    >>> import jax.numpy as jnp
    >>> from iwax.nn import MLP
    >>> q = convex_linear_iaf(MLP(4, (8,), 6, key=jax.random.key(0)), 3, components=5, key=jax.random.key(1))
    >>> q(jnp.zeros(4), key=jax.random.key(2)).mean.shape
    (3,)
    """
    _at_least_two(latent)
    if components < 1:
        raise ValueError(f"a convex combination needs at least 1 matrix, got {components}")
    of_base, of_mixing, of_map = jax.random.split(key, 3)
    hidden = network.out_features
    below = Linear(hidden, components * packed_size(latent), key=of_map, heads=components)
    return flow(network, latent, ConvexCombination(Linear(hidden, components, key=of_mixing), below), key=of_base)


def _at_least_two(latent: int) -> None:
    if latent < 2:
        raise ValueError(f"a triangular map needs at least 2 latents to mix, got {latent}")
