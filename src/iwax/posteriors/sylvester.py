"""Sylvester flows."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Float

from iwax import bijections
from iwax._typing import AnyArray, PRNGKey
from iwax.nn import Linear
from iwax.posteriors.flow import Flow, flow

__all__ = ["Sylvesters", "sylvester"]


class Sylvesters(eqx.Module):
    """Normals, triangles and shifts of T Sylvester maps, linear in h."""

    head: Linear
    steps: int = eqx.field(static=True)
    latent: int = eqx.field(static=True)
    planes: int = eqx.field(static=True)

    def __call__(self, h: Float[AnyArray, " hidden"]) -> bijections.Stacked:
        """The maps, in order."""
        rows = self.head(h).reshape(self.steps, -1)
        m, turned = self.planes, self.planes * self.latent
        ends = (turned, turned + m * m, turned + 2 * m * m)
        normals, outer, inner, b = jnp.split(rows, ends, axis=-1)
        square = (self.steps, m, m)
        reflected = normals.reshape(self.steps, m, self.latent)
        return bijections.Stacked(bijections.Sylvester(reflected, outer.reshape(square), inner.reshape(square), b))


def sylvester(network: Any, latent: int, *, steps: int, planes: int, key: PRNGKey) -> Flow:
    """``z_t = z_{t-1} + Q_t R_t tanh(R~_t Q_t'z_{t-1} + b_t)``, T times, every matrix linear in h = network(x).

    The network gives h, of any size (`flow`). Van den Berg et al. (2018, arXiv:1803.05649), with as many Householder
    reflections as planes. Raises ValueError with fewer than one step, or planes outside 1..latent.

    >>> from iwax.nn import MLP
    >>> q = sylvester(MLP(4, (8,), 6, key=jax.random.key(0)), 3, steps=2, planes=2, key=jax.random.key(1))
    >>> q(jnp.zeros(4), key=jax.random.key(2)).draw(jax.random.key(3))[0].shape
    (3,)
    """
    if steps < 1:
        raise ValueError(f"a flow needs at least 1 step, got {steps}")
    if not 1 <= planes <= latent:
        raise ValueError(f"a Sylvester flow needs between 1 and {latent} planes, the number of latents, got {planes}")
    of_base, of_map = jax.random.split(key)
    each = planes * latent + 2 * planes * planes + planes
    head = Linear(network.out_features, steps * each, key=of_map, heads=steps)
    return flow(network, latent, Sylvesters(head, steps, latent, planes), key=of_base)
