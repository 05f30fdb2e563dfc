"""Which nodes of a graph are linked: probabilities, with what the draws say of their error, and the likeliest links."""

from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from iwax import batched
from iwax._typing import ArrayLike, PRNGKey
from iwax.evaluation.rows import at_least, checked, rows_at
from iwax.likelihoods import Graph
from iwax.model import LatentVariableModel
from iwax.parts import Datum
from iwax.printed import printed

__all__ = ["LinkProbabilities", "graph_of", "likeliest_links", "link_probabilities"]

_PAIRS = 2**18  # whose probabilities are in memory at once, times draws


@printed()
@dataclass(frozen=True)
class LinkProbabilities:
    """``P(A_ij = 1 | A)`` of pairs [pairs], its Monte-Carlo error, and how many of the k draws count (``ess``)."""

    k: int
    pairs: np.ndarray
    probability: np.ndarray
    error: np.ndarray
    ess: float


def link_probabilities(
    model: LatentVariableModel, x: ArrayLike | Datum, pairs: ArrayLike, *, k: int, key: PRNGKey, weighted: bool = True
) -> LinkProbabilities:
    """``sum_i w̃_i P(A_ij = 1 | z_i)`` for pairs [pairs, 2] of nodes, z_i ~ q(z|x), w̃_i = w_i / sum w; x is one graph.

    The mean of probabilities, which is not the probability at the mean. The weights are those of importance sampling;
    of a whole graph they are spread over tens of nats, so that one draw may carry all: ``ess`` says so, and without
    ``weighted`` every draw counts alike, which gives the probability under q in the place of the posterior. Where links
    were weighted in training (``edge_weight``), their odds are divided by the weight. Raises ValueError for pairs that
    are no pairs of the graph's nodes.

    >>> from iwax import nn, posteriors, priors
    >>> graph = np.array([[0, 1]])
    >>> model = LatentVariableModel(
    ...     prior=priors.StandardNormal(3 * 2),
    ...     likelihood=Graph(nn.InnerProduct(), graph, 3),
    ...     posterior=posteriors.Gaussian(
    ...         nn.GraphConvolution(graph, 3, hidden=(4,), out=4, heads=2, key=jax.random.key(0))
    ...     ),
    ... )
    >>> found = link_probabilities(model, np.ones((1, 1)), [[0, 1], [1, 2]], k=50, key=jax.random.key(1))
    >>> found.probability.shape, bool((found.error > 0).all())
    ((2,), True)
    """
    at_least(1, {"k": k})
    likelihood = graph_of(model)
    asked = np.asarray(pairs, np.int32).reshape(-1, 2)
    if len(asked) and not (asked.min() >= 0 and asked.max() < likelihood.nodes):
        raise ValueError(f"pairs need nodes from 0 to {likelihood.nodes - 1}, got {asked.min()} to {asked.max()}")
    z, log_w = _draws(batched.ready(model, key), key, _one(model, x, key), k)
    share = np.asarray(jax.nn.softmax(log_w)) if weighted else np.full(k, 1 / k)
    mean, error = np.zeros(len(asked)), np.zeros(len(asked))
    size = max(_PAIRS // k, 1)
    for first in range(0, len(asked), size):
        here = slice(first, first + size)
        each = np.asarray(_probabilities(likelihood, z, jnp.asarray(_filled(asked[here], size))), float)
        each = each[:, : len(asked[here])]
        mean[here] = share @ each
        error[here] = np.sqrt(np.square(share) @ np.square(each - mean[here]))
    return LinkProbabilities(k, asked, mean, error, float(1 / np.square(share).sum()))


def likeliest_links(
    model: LatentVariableModel, x: ArrayLike | Datum, *, top: int, k: int, key: PRNGKey, known: ArrayLike
) -> LinkProbabilities:
    """The pairs of highest mean probability under q(z|x) that are not among the ``known`` [pairs, 2], best first.

    All pairs are looked at, some rows of them at a time. Raises ValueError as `link_probabilities` does.
    """
    at_least(1, {"top": top, "k": k})
    likelihood = graph_of(model)
    z, _ = _draws(batched.ready(model, key), key, _one(model, x, key), k)
    taken = np.sort(np.asarray(known, np.int64).reshape(-1, 2), axis=1)
    nodes, rows = likelihood.nodes, min(max(_PAIRS * 16 // likelihood.nodes, 1), likelihood.nodes)
    best = np.empty((0, 2), np.int32), np.empty(0)
    for first in range(0, nodes, rows):
        number = np.arange(first, first + rows)
        table = np.array(_table(likelihood, z, jnp.asarray(np.minimum(number, nodes - 1))))
        table[number[:, None] >= np.arange(nodes)] = -1  # each pair once, and no padding
        here = (taken[:, 0] >= first) & (taken[:, 0] < first + rows)
        table[taken[here, 0] - first, taken[here, 1]] = -1
        flat = table.ravel()
        likely = np.argpartition(-flat, min(top, flat.size - 1))[:top]
        pairs = np.stack([first + likely // nodes, likely % nodes], axis=1).astype(np.int32)
        best = np.concatenate([best[0], pairs]), np.concatenate([best[1], flat[likely]])
        order = np.argsort(-best[1], kind="stable")[:top]
        best = best[0][order], best[1][order]
    return link_probabilities(model, x, best[0][best[1] >= 0], k=k, key=key, weighted=False)


def graph_of(model: LatentVariableModel) -> Graph:
    """The likelihood of a model of a graph. Raises ValueError for another model."""
    if not isinstance(model.likelihood, Graph):
        raise ValueError(f"links need a model of a graph (likelihoods.Graph), got {type(model.likelihood).__name__}")
    return model.likelihood


def _one(model: LatentVariableModel, x: ArrayLike | Datum, key: PRNGKey) -> Datum:
    points = checked(model, x, None, key, missing=True)
    if len(points) != 1:
        raise ValueError(f"x must be one graph, a row of its listed pairs, got {len(points)} rows")
    return rows_at(points, np.zeros(1, int), np.zeros(1, int))


@eqx.filter_jit
def _draws(model: LatentVariableModel, key: PRNGKey, x: Datum, k: int) -> tuple[Array, Array]:
    """The draws z [k, nodes * latent] of a graph, and their log-weights [k], nats."""
    z, _ = batched.propose(model, key, x, jnp.arange(k), score=False)
    log_w = batched.log_weights(model, key, x, k=k)
    return jax.tree.map(lambda leaf: leaf[0], z), jnp.asarray(log_w)[:, 0]


@eqx.filter_jit
def _probabilities(likelihood: Graph, z: Array, pairs: Array) -> Array:
    weight = jnp.log(likelihood.edge_weight)
    return jax.nn.sigmoid(jax.lax.map(lambda each: likelihood.log_odds_of(each, pairs), z) - weight)


@eqx.filter_jit
def _table(likelihood: Graph, z: Array, rows: Array) -> Array:
    """The mean over draws of the probabilities of links from some nodes to all, [rows, nodes]."""

    weight = jnp.log(likelihood.edge_weight)

    def add(total: Array, each: Array) -> tuple[Array, None]:
        left, right = likelihood.factors(each)
        return total + jax.nn.sigmoid(likelihood.log_odds(left[rows] @ right.T) - weight), None

    start = jnp.zeros((len(rows), likelihood.nodes))
    return jax.lax.scan(add, start, z)[0] / len(z)


def _filled(pairs: np.ndarray, size: int) -> np.ndarray:
    """The pairs and copies of the last, as many as one compiled call takes."""
    return pairs if len(pairs) == size or not len(pairs) else np.pad(pairs, ((0, size - len(pairs)), (0, 0)), "edge")
