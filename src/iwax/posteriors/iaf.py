"""Inverse autoregressive flows."""

from typing import Any

import equinox as eqx
import jax

from iwax import bijections
from iwax._typing import PRNGKey
from iwax.nn import MaskedMLP
from iwax.posteriors.coupling import Conditioned
from iwax.posteriors.flow import Flow, flow

__all__ = ["autoregressive_layers", "iaf"]


def iaf(network: Any, latent: int, *, steps: int, hidden: tuple[int, ...], key: PRNGKey) -> Flow:
    """``z_i -> z_i exp s_i(z_<i, h) + t_i(z_<i, h)`` for all i at once, T times, the order reversed in between.

    Kingma et al. (2016, arXiv:1606.04934). The network gives h, of any size (`flow`); s and t are masked networks of
    their own, with ``hidden`` layers. Raises ValueError with fewer than one step.

    >>> import jax.numpy as jnp
    >>> from iwax.nn import MLP
    >>> q = iaf(MLP(4, (8,), 6, key=jax.random.key(0)), 3, steps=2, hidden=(5,), key=jax.random.key(1))
    >>> q(jnp.zeros(4), key=jax.random.key(2)).draw(jax.random.key(3))[0].shape
    (3,)
    """
    of_base, of_map = jax.random.split(key)
    layers = autoregressive_layers(latent, steps=steps, hidden=hidden, context=network.out_features, key=of_map)
    return flow(network, latent, Conditioned(layers), key=of_base)


def autoregressive_layers(
    features: int, *, steps: int, hidden: tuple[int, ...], context: int = 0, key: PRNGKey
) -> bijections.Stacked:
    """T autoregressive maps, the order of the features reversed before each.

    >>> import jax.numpy as jnp
    >>> layers = autoregressive_layers(3, steps=2, hidden=(5,), key=jax.random.key(0))
    >>> layers.forward(jnp.zeros(3))[0].shape
    (3,)
    """
    if steps < 1:
        raise ValueError(f"a flow needs at least 1 step, got {steps}")
    nets = eqx.filter_vmap(lambda key: MaskedMLP(features, hidden, heads=2, context_features=context, key=key))(
        jax.random.split(key, steps)
    )
    backwards = tuple(range(features))[::-1]
    return bijections.Stacked(bijections.Autoregressive(nets), (backwards,) * steps)
