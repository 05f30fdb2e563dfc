"""What a trained network gets wrong, and which of its weights it needs."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from iwax import weights
from iwax._typing import PRNGKey
from iwax.bnn.task import Part, Task
from iwax.nn import MLP

__all__ = ["SHARES", "Errors", "histogram", "measured", "pruning"]

SHARES = (0.0, 0.5, 0.75, 0.95, 0.98)  # of weights, as in the paper's table of pruned networks
_BINS = 101
_ROWS = 1000


class Errors(NamedTuple):
    """Of ``n`` rows: the share classified wrongly with its standard error (None of a regression), and the mean of
    log p(target | input), nats. By weights averaged over ``draws``, or held at their means (None)."""

    n: int
    draws: int | None
    error: float | None
    standard_error: float | None
    log_likelihood: float


def measured(task: Task, network: MLP, part: Part, *, draws: int | None, key: PRNGKey) -> Errors:
    """``p(y|x) = 1/S sum_s p(y | x, w_s)`` with w_s ~ q(w), or p(y | x, mean w): errors on a part of the data.

    The draws are the same for all rows. Raises ValueError where draws is below 1.
    """
    if draws is not None and draws < 1:
        raise ValueError(f"draws of weights must be at least 1, got {draws}")
    if draws is None or not weights.random_layers(network):
        fixed = weights.at_mean(network)
        nets, count = jax.tree.map(lambda leaf: leaf[None] if eqx.is_array(leaf) else leaf, fixed), None
    else:
        nets, count = _drawn(network, jax.random.split(key, draws)), draws
    found = [
        _scores(task.log_likelihood, nets, *(jnp.asarray(of[i : i + _ROWS]) for of in (part.inputs, part.targets)))
        for i in range(0, len(part.targets), _ROWS)
    ]
    log_p, wrong = (np.concatenate([np.asarray(each[i], np.float64) for each in found]) for i in range(2))
    n = len(log_p)
    if task.classes is None:
        return Errors(n, count, None, None, float(log_p.mean()))
    rate = float(wrong.mean())
    return Errors(n, count, rate, math.sqrt(rate * (1 - rate) / n), float(log_p.mean()))


@eqx.filter_jit
@partial(eqx.filter_vmap, in_axes=(None, 0))
def _drawn(network: MLP, key: PRNGKey) -> MLP:
    """Networks with drawn weights, one for each key, stacked."""
    return weights.drawn(network, key)


@eqx.filter_jit
def _scores(
    log_likelihood: Callable[[Array, Array], Array], nets: MLP, inputs: Array, targets: Array
) -> tuple[Array, Array]:
    """log p(target) under the mean of the stacked networks' densities, and whether the class they give most is another.

    The second means nothing of a regression.
    """
    parameters, static = eqx.partition(nets, eqx.is_array)

    def one(parameters: Any) -> tuple[Array, Array]:
        outputs = eqx.combine(parameters, static)(inputs)
        return log_likelihood(outputs, targets), outputs

    log_p, outputs = jax.lax.map(one, parameters)
    mean = jax.nn.logsumexp(log_p, axis=0) - jnp.log(log_p.shape[0])
    votes = jnp.mean(jax.nn.softmax(outputs), axis=0)
    return mean, jnp.argmax(votes, axis=-1) != targets


def pruning(task: Task, network: MLP, part: Part, *, shares: Sequence[float] = SHARES) -> list[tuple[float, Errors]]:
    """Errors at the mean weights, that share of them removed whose |mean| / sigma is least.

    Raises ValueError where the network's weights are not random.
    """
    key = jax.random.key(0)  # nothing is drawn
    return [(share, measured(task, weights.pruned(network, share), part, draws=None, key=key)) for share in shares]


def histogram(network: MLP, *, key: PRNGKey, low: float = -0.2, high: float = 0.2) -> dict[str, list[float]]:
    """Densities of one draw of all weights over equal "bins" from low to high, what lies outside left out.

    Of random weights, of their means too, and of their standard deviations over "sigma_bins" from 0 to the largest.
    """
    edges = np.linspace(low, high, _BINS)
    found = {"bins": edges.tolist(), "weights": _density(_flat(weights.drawn(network, key)), edges)}
    random = weights.random_layers(network)
    if random:
        sigmas = np.concatenate([np.ravel(sigma) for layer in random for _, sigma in layer.normals()])
        of_sigma = np.linspace(0, float(sigmas.max()), _BINS)
        found["means"] = _density(_flat(weights.at_mean(network)), edges)
        found |= {"sigma_bins": of_sigma.tolist(), "sigmas": _density(sigmas, of_sigma)}
    return found


def _density(values: np.ndarray, edges: np.ndarray) -> list[float]:
    return (np.histogram(values, edges)[0] / values.size / np.diff(edges)).tolist()


def _flat(network: MLP) -> np.ndarray:
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(eqx.filter(network, eqx.is_inexact_array))])
