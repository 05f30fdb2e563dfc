"""Householder flows."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax import bijections
from iwax._typing import AnyArray, PRNGKey
from iwax.nn import Linear
from iwax.posteriors.flow import Flow, flow

__all__ = ["Normals", "householder"]


class Normals(eqx.Module):
    """``v_1 = h W_1 + c_1, v_t = v_{t-1} W_t + c_t``: normals of planes, each from the one before, at h [hidden]."""

    first: Linear
    following: tuple[Linear, ...]

    def __call__(self, h: Float[AnyArray, " hidden"]) -> bijections.Stacked:
        """The reflections at v_1, ..., v_T, in that order."""
        normals: list[Array] = [self.first(h)]
        for layer in self.following:
            normals.append(layer(normals[-1]))
        return bijections.Stacked(bijections.Householder(jnp.stack(normals)))


def householder(network: Any, latent: int, *, reflections: int, key: PRNGKey) -> Flow:
    """``z = H_T ... H_1 z_0, H_t = I - 2 v_t v_t' / |v_t|^2``: a Gaussian with a covariance that is turned.

    The ``network`` gives h, of any size (`flow`): the mean and the log scale of z_0 and the first normal v_1 are linear
    in h, by layers that are made here with the ``key``, and each further v_t is linear in the one before. Tomczak and
    Welling (2016, arXiv:1611.09630); as many reflections as latents reach every covariance. Raises ValueError with
    fewer than one reflection.

    >>> from iwax.nn import MLP
    >>> q = householder(MLP(4, (8,), 6, key=jax.random.key(0)), 3, reflections=2, key=jax.random.key(1))
    >>> q(jnp.zeros(4), key=jax.random.key(2)).draw(jax.random.key(3))[0].shape
    (3,)
    """
    if reflections < 1:
        raise ValueError(f"a Householder flow needs at least 1 reflection, got {reflections}")
    keys = jax.random.split(key, reflections + 1)
    first = Linear(network.out_features, latent, key=keys[1])
    following = tuple(Linear(latent, latent, key=each) for each in keys[2:])
    return flow(network, latent, Normals(first, following), key=keys[0])
