"""Planar and radial flows."""

from typing import Any

import equinox as eqx
import jax
from jaxtyping import Float

from iwax import bijections
from iwax._typing import AnyArray, PRNGKey
from iwax.nn import Linear
from iwax.posteriors.flow import Flow, Shared, flow

__all__ = ["Planes", "Shells", "planar", "radial"]

_STEPS_START = 0.1  # of the raw parameters of every step, relative to a layer's usual start: near the identity


class Planes(eqx.Module):
    """``u_t, w_t, b_t`` of T planar maps, linear in h."""

    head: Linear
    steps: int = eqx.field(static=True)

    def __call__(self, h: Float[AnyArray, " hidden"]) -> bijections.Stacked:
        """The planar maps, in order."""
        rows = self.head(h).reshape(self.steps, -1)
        latent = (rows.shape[-1] - 1) // 2
        u, w, b = rows[:, :latent], rows[:, latent:-1], rows[:, -1]
        return bijections.Stacked(bijections.Planar(u, w, b))


class Shells(eqx.Module):
    """Centre, log alpha and strength of T radial maps, linear in h."""

    head: Linear
    steps: int = eqx.field(static=True)

    def __call__(self, h: Float[AnyArray, " hidden"]) -> bijections.Stacked:
        """The radial maps, in order."""
        rows = self.head(h).reshape(self.steps, -1)
        return bijections.Stacked(bijections.Radial(rows[:, :-2], rows[:, -2], rows[:, -1]))


def planar(network: Any, latent: int, *, steps: int, amortised: bool = True, key: PRNGKey) -> Flow:
    """``z_t = z_{t-1} + u_t tanh(w_t'z_{t-1} + b_t)``, T times, invertible by construction (`bijections.Planar`).

    The network gives h, of any size (`flow`). ``amortised``: u, w and b are linear in h, one map per data point; else
    they are shared by all data. Rezende and Mohamed (2015, arXiv:1505.05770). Raises ValueError with fewer than one
    step.

    >>> import jax.numpy as jnp
    >>> from iwax.nn import MLP
    >>> q = planar(MLP(4, (8,), 6, key=jax.random.key(0)), 3, steps=2, key=jax.random.key(1))
    >>> q(jnp.zeros(4), key=jax.random.key(2)).draw(jax.random.key(3))[0].shape
    (3,)
    """
    of_base, of_map = jax.random.split(key)
    rows = _parameters(network, steps, 2 * latent + 1, amortised, of_map)
    if isinstance(rows, Linear):
        return flow(network, latent, Planes(rows, steps), key=of_base)
    maps = bijections.Planar(rows[:, :latent], rows[:, latent:-1], rows[:, -1])
    return flow(network, latent, Shared(bijections.Stacked(maps)), key=of_base)


def radial(network: Any, latent: int, *, steps: int, amortised: bool = True, key: PRNGKey) -> Flow:
    """``z_t = z_{t-1} + beta_t (z_{t-1} - c_t) / (alpha_t + |z_{t-1} - c_t|)``, T times (`bijections.Radial`).

    Rezende and Mohamed (2015, arXiv:1505.05770); network, ``amortised`` and errors as for `planar`.

    >>> import jax.numpy as jnp
    >>> from iwax.nn import MLP
    >>> q = radial(MLP(4, (8,), 6, key=jax.random.key(0)), 3, steps=2, key=jax.random.key(1))
    >>> q(jnp.zeros(4), key=jax.random.key(2)).draw(jax.random.key(3))[0].shape
    (3,)
    """
    of_base, of_map = jax.random.split(key)
    rows = _parameters(network, steps, latent + 2, amortised, of_map)
    if isinstance(rows, Linear):
        return flow(network, latent, Shells(rows, steps), key=of_base)
    maps = bijections.Radial(rows[:, :-2], rows[:, -2], rows[:, -1])
    return flow(network, latent, Shared(bijections.Stacked(maps)), key=of_base)


def _parameters(network: Any, steps: int, each: int, amortised: bool, key: PRNGKey) -> Linear | jax.Array:
    """A head for ``each`` numbers a step, or those numbers themselves, [steps, each]."""
    if steps < 1:
        raise ValueError(f"a flow needs at least 1 step, got {steps}")
    if not amortised:
        return _STEPS_START * jax.random.normal(key, (steps, each))
    head = Linear(network.out_features, steps * each, key=key, heads=steps)
    return eqx.tree_at(lambda layer: layer.weight, head, _STEPS_START * head.weight)
