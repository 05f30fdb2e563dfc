"""Flows of coupling layers."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from iwax import bijections
from iwax._typing import AnyArray, PRNGKey
from iwax.nn import MLP
from iwax.posteriors.flow import Flow, Shared, flow

__all__ = ["Conditioned", "coupling_layers", "nice", "real_nvp"]


class Conditioned(eqx.Module):
    """Coupling or autoregressive layers that see h next to the half that stays."""

    layers: bijections.Stacked

    def __call__(self, h: Float[AnyArray, " hidden"]) -> bijections.Stacked:
        """The layers with h as their context."""
        steps = len(self.layers.orders or ())
        context = jnp.broadcast_to(jnp.asarray(h), (steps, h.shape[-1]))
        return eqx.tree_at(
            lambda stacked: stacked.maps.context, self.layers, context, is_leaf=lambda leaf: leaf is None
        )


def nice(network: Any, latent: int, *, steps: int, hidden: tuple[int, ...], key: PRNGKey) -> Flow:
    """``(a, b) -> (a, b + m_t(a))`` after a fixed permutation, T times; the nets m_t are shared by all data.

    The network gives h, of any size (`flow`), which the Gaussian of z_0 alone reads; the m_t have ``hidden`` layers.
    Dinh, Krueger and Bengio (2014, arXiv:1410.8516); as a posterior, Rezende and Mohamed (2015, arXiv:1505.05770).
    Raises ValueError with fewer than one step or two latents.

    >>> from iwax.nn import MLP
    >>> trunk = MLP(4, (8,), 6, key=jax.random.key(0))
    >>> q = nice(trunk, 3, steps=2, hidden=(5,), key=jax.random.key(1))
    >>> q(jnp.zeros(4), key=jax.random.key(2)).draw(jax.random.key(3))[0].shape
    (3,)
    """
    of_base, of_map = jax.random.split(key)
    layers = coupling_layers(latent, steps=steps, hidden=hidden, scaled=False, key=of_map)
    return flow(network, latent, Shared(layers), key=of_base)


def real_nvp(network: Any, latent: int, *, steps: int, hidden: tuple[int, ...], key: PRNGKey) -> Flow:
    """``(a, b) -> (a, b exp s_t(a, h) + m_t(a, h))`` after a fixed permutation, T times, with h the network's output.

    h may be of any size (`flow`); s_t and m_t have ``hidden`` layers. Dinh, Sohl-Dickstein and Bengio (2017,
    arXiv:1605.08803). Raises ValueError as `nice`.

    >>> trunk = MLP(4, (8,), 6, key=jax.random.key(0))
    >>> q = real_nvp(trunk, 3, steps=2, hidden=(5,), key=jax.random.key(1))
    >>> q(jnp.zeros(4), key=jax.random.key(2)).draw(jax.random.key(3))[0].shape
    (3,)
    """
    of_base, of_map = jax.random.split(key)
    layers = coupling_layers(latent, steps=steps, hidden=hidden, scaled=True, context=network.out_features, key=of_map)
    return flow(network, latent, Conditioned(layers), key=of_base)


def coupling_layers(
    features: int, *, steps: int, hidden: tuple[int, ...], scaled: bool, context: int = 0, key: PRNGKey
) -> bijections.Stacked:
    """T coupling layers, each after a permutation of the features; they start at the identity but for the permutations.

    The permutations depend on the step alone. The last layer of every net starts small. ``context``: how many numbers
    the nets will see next to the half that stays.

    >>> layers = coupling_layers(4, steps=2, hidden=(5,), scaled=True, key=jax.random.key(0))
    >>> float(layers.forward(jnp.ones(4))[1]) != 0
    True
    """
    if steps < 1:
        raise ValueError(f"a flow needs at least 1 step, got {steps}")
    if features < 2:
        raise ValueError(f"a coupling layer needs at least 2 features, one to go by and one to move, got {features}")
    given, moved = features // 2 + context, features - features // 2

    def net(key: PRNGKey) -> MLP:
        made = MLP(given, hidden, (2 if scaled else 1) * moved, key=key, activation="relu")
        return eqx.tree_at(lambda net: net.layers[-1].weight, made, _LAST_START * made.layers[-1].weight)

    nets = eqx.filter_vmap(net)(jax.random.split(key, steps))
    orders = tuple(tuple(np.random.default_rng(t).permutation(features).tolist()) for t in range(steps))
    return bijections.Stacked(bijections.Coupling(nets, scaled=scaled), orders)


_LAST_START = 0.1  # relative to a layer's usual start
