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


def expectation(function, nodes: np.ndarray, weights: np.ndarray):
    """Sum of weights [n] times ``function(nodes[i])``, a tree of arrays; jitted and vectorised over the nodes."""
    values = jax.vmap(function)(jnp.asarray(nodes))
    return jax.tree.map(lambda value: jnp.tensordot(jnp.asarray(weights), value, axes=1), values)
