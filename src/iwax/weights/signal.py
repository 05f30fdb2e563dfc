"""Which random weights say something: signal to noise, and networks without the others."""

from typing import Any, TypeVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from iwax.weights.posterior import changed, random_layers

__all__ = ["pruned", "signal_to_noise"]

Network = TypeVar("Network")


def signal_to_noise(network: Any) -> Float[np.ndarray, " weights"]:
    """``|mean| / sigma`` of every random weight and bias, layer by layer.

    Blundell et al. (2015, arXiv:1505.05424), section 5.1. Raises ValueError where no weight is random.

    >>> import jax
    >>> from iwax.nn import MLP
    >>> signal_to_noise(MLP(3, (), 2, key=jax.random.key(0), sigma=0.1)).shape
    (8,)
    """
    return np.concatenate([each.ravel() for pair in _ratios(network) for each in pair])


def pruned(network: Network, share: float) -> Network:
    """The network at its mean weights, the given share of them, those of least signal to noise, set to zero.

    Raises ValueError where the share is not in 0..1, or no weight is random.

    >>> import jax
    >>> from iwax.nn import MLP
    >>> net = pruned(MLP(3, (), 2, key=jax.random.key(0), sigma=0.1), 0.5)
    >>> int(jnp.sum(net.layers[0].weight == 0) + jnp.sum(net.layers[0].bias == 0))
    4
    """
    if not 0 <= share <= 1:
        raise ValueError(f"the share of weights to prune must lie in 0..1, got {share}")
    ratios = _ratios(network)
    order = np.argsort(np.concatenate([each.ravel() for pair in ratios for each in pair]), kind="stable")
    keep = np.ones(order.size, bool)
    keep[order[: round(share * order.size)]] = False
    ends = np.cumsum([each.size for pair in ratios for each in pair])
    flat = iter(np.split(keep, ends[:-1]))
    masks = [[next(flat).reshape(each.shape) for each in pair] for pair in ratios]

    def zeroed(i: int, layer: Any) -> Any:
        fixed, (of_weight, of_bias) = layer.at_mean(), masks[i]
        values = (jnp.where(of_weight, fixed.weight, 0), jnp.where(of_bias, fixed.bias, 0))
        return eqx.tree_at(lambda each: (each.weight, each.bias), fixed, values)

    return changed(network, zeroed)


def _ratios(network: Any) -> list[list[np.ndarray]]:
    """Of the weights and of the biases of every layer."""
    layers = random_layers(network)
    if not layers:
        raise ValueError("signal to noise needs random weights, and the network has none: build it with sigma=...")
    return [[np.abs(np.asarray(mean)) / np.asarray(sigma) for mean, sigma in layer.normals()] for layer in layers]
