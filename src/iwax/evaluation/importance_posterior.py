"""The importance-weighted posterior: what the IWAE bound makes of q(z|x).

Draw z_1, ..., z_k from q(z|x) with weights w = p(x, z) / q(z|x) and choose one, with probability w̃_i = w_i / sum w:
it has the density

    q_EW(z|x) = E_{z_2, ..., z_k ~ q} f(z; z_2..k),    f = p(x, z) / ((1/k) (w(z) + w_2 + ... + w_k)),

which is q(z|x) at k = 1 and tends to p(z|x) as k grows. Its ELBO lies between the IWAE bound with the same k and
log p(x). Bachman and Precup, "Training deep generative models: variations on a theme" (NIPS workshop on approximate
inference, 2015); Cremer, Morris and Duvenaud, "Reinterpreting importance-weighted autoencoders" (2017,
arXiv:1704.02916).
"""

from typing import Any, NamedTuple, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from scipy.special import logsumexp

from iwax import batched, samplers, streams
from iwax._typing import LogWeights, PRNGKey
from iwax.evaluation.evidence import in_chunks
from iwax.evaluation.rows import Block, DataPoints, at_least, blocks, by_row, prepared
from iwax.evaluation.tables import check_cells, numeric
from iwax.model import LatentVariableModel
from iwax.numerics import StreamingLogMeanExp
from iwax.parts import Datum, Latent, latent_of, layers_of
from iwax.printed import printed

__all__ = [
    "DensityEstimate",
    "chosen_draws",
    "importance_posterior_log_prob",
    "joint_and_posterior",
    "log_sums_of_others",
    "many_log_weights",
    "mixed",
    "resampled",
]

Points: TypeAlias = Float[np.ndarray, " points"]

_AT_ONCE = 4000  # rows times draws that a decoder works on in one go: what bounds the memory
_HELD = 2_000_000  # log-weights, or terms of a density, held at once


@printed()
class DensityEstimate(NamedTuple):
    """``log_prob`` [n, m], nats, from ``outer`` sets of other draws; ``error`` [n, m] is its standard error over them.

    The density itself is without bias. Its logarithm is low on average, so that minus it, in an ELBO, is high.
    """

    log_prob: np.ndarray
    error: np.ndarray
    outer: int


def _ranks(model: LatentVariableModel, key: PRNGKey, x: Datum, k: int, first: int | Array) -> LogWeights:
    """``log w_i + g_i``, [k, batch], g_i standard Gumbel: the largest of them falls on i with probability w̃_i."""

    def noise(key: PRNGKey, datum: Datum) -> Array:
        def of_draw(key: PRNGKey) -> Array:
            return jax.random.gumbel(jax.random.fold_in(key, streams.Candidate.RANK))

        return batched.over_draws(of_draw, key, k, first=first)

    ranks = batched.log_weights(model, key, x, k=k, first=first) + batched.over_data(noise, key, x).T
    return jnp.where(jnp.isnan(ranks), -jnp.inf, ranks)


_jitted_ranks = eqx.filter_jit(_ranks)


def chosen_draws(model: LatentVariableModel, key: PRNGKey, x: Datum, *, k: int) -> Int[np.ndarray, " batch"]:
    """For every row the number j ~ Cat(w̃) of one of its k draws, of which `batched.redraw` makes z_j, a draw of q_EW.

    Only the number of the best draw so far is stored, so that memory does not grow with k.
    """
    size = x.values.shape[0]
    at_once = min(k, max(1, _AT_ONCE // size))
    best, chosen = np.full(size, -np.inf), np.zeros(size, np.int32)
    for first in range(0, k, at_once):
        ranks = np.asarray(_jitted_ranks(model, key, x, at_once, jnp.int32(first)))[: k - first]
        winner, rank = ranks.argmax(axis=0), ranks.max(axis=0)
        chosen = np.where(rank > best, first + winner, chosen).astype(np.int32)
        best = np.maximum(best, rank)
    return chosen


@eqx.filter_jit
def resampled(model: LatentVariableModel, key: PRNGKey, x: Datum, *, k: int, draws: int) -> Latent:
    """Independent draws of q_EW(z|x), [batch, draws, ...] per leaf: each is one of k draws of q(z|x), by its weight.

    Draw number i of a row is made of the draws i k, ..., i k + k - 1 of q, as a function of (key, row, i, k) alone;
    k batch draws are worked on at once.
    """

    def one(i: Array) -> Latent:
        chosen = i * k + jnp.argmax(_ranks(model, key, x, k, i * k), axis=0)
        return batched.redraw(model, key, x, chosen)[0]

    z = jax.lax.map(one, jnp.arange(draws))
    return jax.tree.map(lambda leaf: jnp.swapaxes(leaf, 0, 1), z)


def importance_posterior_log_prob(
    model: LatentVariableModel,
    x: DataPoints,
    z: Any,
    *,
    k: int,
    outer: int,
    key: PRNGKey,
    rows: np.ndarray | None = None,
) -> DensityEstimate:
    """``log (1/S) sum_s f(z; z_2..k^s)``, with S = ``outer`` nested sets of k - 1 draws of q(z|x), nats.

    x is [n, features] and z [n, m, latent], m points per row (a tuple of layers for a chain); the points of a row share
    the sets. At k = 1 it is log q(z|x), without error. The noise is a function of (key, row number, draw). Made for
    posteriors that can give the density of any z, and have no noise of their own.
    Raises ValueError where x is not a table of finite numbers, z does not go with it, or k or outer is below 1.
    """
    at_least(1, {"k": k, "outer": outer})
    model, x = prepared(model, x, rows, key)
    z = _points(model, key, z, len(x))
    columns = []
    for block in blocks(x, 1):
        points = jax.tree.map(lambda leaf, row=block.first: np.asarray(leaf)[row], z)
        log_joint, log_q = joint_and_posterior(model, key, block.x, points)
        columns.append(mixed(log_joint, log_q, log_sums_of_others(model, key, block.x, k, outer), k))
    log_prob, error = np.moveaxis(np.asarray(columns), 1, 0)
    return DensityEstimate(log_prob, error, outer)


def _points(model: LatentVariableModel, key: PRNGKey, z: Any, n: int) -> Any:
    """The points as finite arrays [n, m, ...] per layer; ValueError where they are others."""
    layers = [numeric("z", layer) for layer in layers_of(z)]
    shapes, events = [np.shape(layer) for layer in layers], [layer.shape for layer in layers_of(model.latent)]
    right = len(shapes) == len(events) and all(
        shape[:1] == (n,) and shape[1:2] == shapes[0][1:2] and shape[2:] == event
        for shape, event in zip(shapes, events, strict=True)
    )
    if not right:
        needed = [("n", "m", *event) for event in events]
        raise ValueError(f"z must have one leaf per layer, {needed} with n={n} as x has rows: got shapes {shapes}")
    for layer in layers:
        check_cells(layer.reshape(layer.shape[0] * layer.shape[1], -1), missing=False, name="z")
    return latent_of(tuple(layers))


def mixed(log_joint: Points, log_q: Points, others: Float[np.ndarray, " outer"], k: int) -> tuple[Points, Points]:
    """log q_EW and its standard error at points of one row, from log p(x, z) and log q(z|x) there and the sets' sums.

    >>> mixed(np.log([2.0]), np.log([1.0]), np.log([2.0, 2.0]), 2)[0]  # log 2 - log (1/2) (2 + 2)
    array([0.])
    """
    if k == 1:
        return log_q, np.zeros_like(log_q)
    stream, log_w = StreamingLogMeanExp(log_q.size), log_joint - log_q
    sets = max(1, _HELD // log_q.size)
    for first in range(0, others.size, sets):
        stream.add(-np.logaddexp(log_w, others[first : first + sets, None]))
    return log_joint + np.log(k) + stream.log_mean_exp, stream.relative_error


def joint_and_posterior(model: LatentVariableModel, key: PRNGKey, x: Datum, z: Any) -> tuple[Points, Points]:
    """log p(x, z) and log q(z|x), float64, at points z [m, ...] of the one row of x."""

    def of_block(block: Block) -> np.ndarray:
        return np.asarray(_at_points(model, key, x, jax.tree.map(lambda leaf: leaf[None], block.x.values)), np.float64)

    log_joint, log_q = by_row(of_block, z, _AT_ONCE, axis=1)
    return log_joint, log_q


@eqx.filter_jit
def _at_points(
    model: LatentVariableModel, key: PRNGKey, x: Datum, z: Latent
) -> tuple[Float[Array, " points"], Float[Array, " points"]]:
    """log p(x, z) and log q(z|x) at points z [1, points, ...] of the one row of x."""
    model = batched.bound(model, key)

    def one(key: PRNGKey, datum: Datum, z: Latent) -> tuple[Array, Array]:
        def at(key: PRNGKey, z: Latent) -> tuple[Array, Array]:
            proposal = model.propose(datum, key)  # for its distribution and keys; what it drew is not used
            log_q = proposal.distribution.log_prob(z)
            terms = model.terms(datum, proposal.keys, z, log_q)
            return terms.log_prior + terms.log_likelihood - terms.penalty, log_q

        return batched.over_draws(at, key, jax.tree.leaves(z)[0].shape[0], z)

    log_joint, log_q = batched.over_data(one, key, x, z)
    return log_joint[0], log_q[0]


def log_sums_of_others(
    model: LatentVariableModel, key: PRNGKey, x: Datum, k: int, outer: int
) -> Float[np.ndarray, " outer"]:
    """``log (w_2 + ... + w_k)`` of each of the sets of k - 1 draws, for the one row of x; -inf at k = 1."""
    if k == 1:
        return np.full(outer, -np.inf)
    key = jax.random.fold_in(key, streams.Evaluation.OTHERS)
    sums, sets = [], max(1, _HELD // k)
    for first in range(0, outer, sets):
        count = min(sets, outer - first)
        log_w = many_log_weights(model, key, x, count * (k - 1), first * (k - 1))
        sums.append(logsumexp(log_w.reshape(count, k - 1), axis=1))
    return np.concatenate(sums)


def many_log_weights(model: LatentVariableModel, key: PRNGKey, x: Datum, k: int, first: int) -> np.ndarray:
    """Log-weights [k, batch] of the draws first, ..., first + k - 1, float64, decoded some at a time."""
    if first + k > 2**32:
        raise ValueError(f"a row has 2^32 draws, numbers {first} to {first + k - 1} were asked for: use fewer of them")
    chunk = min(k, max(1, _AT_ONCE // x.values.shape[0]))
    found = in_chunks(model, key, x, jnp.uint32(first), chunk, -(-k // chunk), samplers.independent)
    return np.asarray(found, np.float64)[:k]
