"""All random weights of a network, or of a whole model, at once."""

import itertools
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp

from iwax._typing import PRNGKey, Scalar
from iwax.nn import StochasticLinear
from iwax.weights.prior import Normal, Prior

__all__ = ["at_mean", "changed", "drawn", "drawn_with_divergence", "kl", "random_layers"]

Network = TypeVar("Network")


def random_layers(network: Any) -> list[StochasticLinear]:
    """The layers with random weights, in the order of the tree.

    >>> from iwax.nn import MLP
    >>> len(random_layers(MLP(3, (4,), 2, key=jax.random.key(0), sigma=0.1)))
    2
    """
    return [leaf for leaf in jax.tree.leaves(network, is_leaf=_is_random) if _is_random(leaf)]


def at_mean(network: Network) -> Network:
    """The network with every random weight held at its mean.

    >>> from iwax.nn import MLP
    >>> random_layers(at_mean(MLP(3, (4,), 2, key=jax.random.key(0), sigma=0.1)))
    []
    """
    return changed(network, lambda i, layer: layer.at_mean())


def drawn(network: Network, key: PRNGKey) -> Network:
    """The network with one draw of its weights, fixed from there on: the same for all data and all samples."""
    return changed(network, lambda i, layer: layer.drawn(jax.random.fold_in(key, i)))


def drawn_with_divergence(network: Network, prior: Prior, key: PRNGKey) -> tuple[Network, Scalar]:
    """The network with one draw w of its weights, and ``log q(w) - log P(w)`` there, nats: an estimate of the KL.

    Its gradient is the total derivative, the same draw in all terms (Blundell et al. 2015, arXiv:1505.05424, eq. 2).

    >>> from iwax.nn import MLP
    >>> net = MLP(3, (), 2, key=jax.random.key(0), sigma=0.1)
    >>> fixed, divergence = drawn_with_divergence(net, Normal(1.0), jax.random.key(1))
    >>> fixed(jnp.ones(3)).shape, divergence.shape
    ((2,), ())
    """
    found: list[Scalar] = []

    def draw(i: int, layer: StochasticLinear) -> Any:
        fixed = layer.drawn(jax.random.fold_in(key, i))
        for value, (mean, sigma) in zip((fixed.weight, fixed.bias), layer.normals(), strict=True):
            log_q = Normal(1.0).log_prob((jnp.asarray(value) - mean) / sigma) - jnp.log(sigma)
            found.append(jnp.sum(log_q - prior.log_prob(jnp.asarray(value))))
        return fixed

    return changed(network, draw), sum(found, jnp.zeros(()))


def kl(network: Any, prior: Normal) -> Scalar:
    """``KL(q(w) || P(w))`` of all random weights, nats, in closed form; zero where there are none.

    >>> from iwax.nn import MLP
    >>> float(kl(MLP(3, (4,), 2, key=jax.random.key(0)), Normal(1.0)))
    0.0
    """
    normals = [each for layer in random_layers(network) for each in layer.normals()]
    return sum((jnp.sum(prior.kl(mean, sigma)) for mean, sigma in normals), jnp.zeros(()))


def changed(network: Network, change: Callable[[int, StochasticLinear], Any]) -> Network:
    """The network with ``change(i, layer)`` in the place of its i-th layer with random weights.

    >>> from iwax.nn import MLP
    >>> net = MLP(3, (4,), 2, key=jax.random.key(0), sigma=0.1)
    >>> changed(net, lambda i, layer: i).layers
    (0, 1)
    """
    leaves, structure = jax.tree.flatten(network, is_leaf=_is_random)
    numbers = itertools.count()
    return jax.tree.unflatten(structure, [change(next(numbers), leaf) if _is_random(leaf) else leaf for leaf in leaves])


def _is_random(leaf: Any) -> bool:
    return isinstance(leaf, StochasticLinear)
