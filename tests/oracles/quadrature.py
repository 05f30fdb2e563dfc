"""Integrals over one- and two-dimensional latents and noise, by the trapezoid rule on a wide grid.

For integrands that vanish at both ends the rule converges faster than any power of the step; Gauss-Hermite
nodes do not, because logarithms of sums have singularities near the real axis.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import logsumexp


def grid(points: int, width: float) -> tuple[np.ndarray, float]:
    """Equally spaced nodes in [-width, width], and their distance."""
    nodes = np.linspace(-width, width, points)
    return nodes, nodes[1] - nodes[0]


def log_integral(log_integrand, dimensions: int, *, points: int = 400, width: float = 12.0) -> float:
    """log of the integral of exp(log_integrand(z)), z [n, dimensions] -> [n], over all of space."""
    nodes, step = grid(points, width)
    z = np.stack(np.meshgrid(*[nodes] * dimensions, indexing="ij"), axis=-1).reshape(-1, dimensions)
    return float(logsumexp(np.asarray(log_integrand(z), dtype=np.float64)) + dimensions * np.log(step))


def noise(draws: int, *, points: int, width: float = 8.5) -> tuple[np.ndarray, np.ndarray]:
    """Nodes [n, draws] and weights [n] of an expectation over ``draws`` standard normal numbers."""
    nodes, step = grid(points, width)
    density = np.exp(-0.5 * nodes**2) / np.sqrt(2 * np.pi) * step
    index = np.array(list(itertools.product(range(points), repeat=draws)))
    return nodes[index], density[index].prod(axis=1)


def pairs_of_draws(points: int = 28, width: float = 7.0) -> tuple[np.ndarray, np.ndarray]:
    """Noise [n, 2 draws, 2] and weights [n] of two draws of two standard normal numbers each.

    Unordered pairs of draws, but for those of weights below 1e-15.
    """
    nodes = np.linspace(-width, width, points)
    density = np.exp(-0.5 * nodes**2) / np.sqrt(2 * np.pi) * (nodes[1] - nodes[0])
    one = np.array(list(itertools.product(nodes, repeat=2)))
    weight = np.outer(density, density).ravel()
    i, j = np.triu_indices(len(one))
    weights = weight[i] * weight[j] * np.where(i == j, 1, 2)
    kept = weights > 1e-15
    return np.stack([one[i], one[j]], axis=1)[kept], weights[kept]


def expectation(function, nodes: np.ndarray, weights: np.ndarray):
    """Sum of weights [n] times ``function(nodes[i])``, a tree of arrays; jitted and vectorised over the nodes."""
    values = jax.vmap(function)(jnp.asarray(nodes))
    return jax.tree.map(lambda value: jnp.tensordot(jnp.asarray(weights), value, axes=1), values)
