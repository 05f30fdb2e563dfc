"""log p(x) by the generalised jackknife: estimates of few draws with the first orders of their bias taken away.

Nowozin (2018, "Debiasing evidence approximations: on importance-weighted autoencoders and jackknife variational
inference", ICLR). Order 0 is the IWAE bound; the bias of order m falls as k^-(m+1), and its variance rises with m. An
estimate of order 1 or more is no bound: it may lie on either side of log p(x).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from iwax import bounds, streams
from iwax._typing import LogWeights, PerDatum, PRNGKey
from iwax.bounds import Bound
from iwax.evaluation.evidence import log_weight_calls
from iwax.evaluation.rows import Block, DataPoints, at_least, by_row, prepared
from iwax.evaluation.statistics import Means, StreamingMean, standard_error
from iwax.model import LatentVariableModel
from iwax.printed import printed

__all__ = ["JackknifeEvidence", "jackknife_evidence"]


@printed()
@dataclass(frozen=True)
class JackknifeEvidence(Means):
    """Means over ``repeats`` sets of k draws of the jackknife estimates of log p(x), nats; [orders, n], float64.

    ``error`` is the Monte-Carlo error of each mean, from the spread over the repeats (NaN for a single one); all orders
    are made of the same draws. What bias is left at k the repeats do not take away, and the error does not show.
    ``elbo`` [n] is the mean of all these log-weights, with ``elbo_error``.
    """

    k: int
    repeats: int
    orders: tuple[int, ...]
    rows: np.ndarray
    estimate: np.ndarray
    error: np.ndarray
    elbo: np.ndarray
    elbo_error: np.ndarray

    @property
    def kind(self) -> tuple[Literal["lower", "estimate"], ...]:
        """Of each order, whether it is a lower bound in expectation (order 0) or only an estimate, on either side."""
        return tuple("estimate" if order else "lower" for order in self.orders)

    def _columns(self) -> tuple[np.ndarray, np.ndarray]:
        return self.estimate, self.error


def jackknife_evidence(
    model: LatentVariableModel,
    x: DataPoints,
    *,
    k: int = 32,
    orders: Sequence[int] = (0, 1, 2),
    repeats: int = 20,
    key: PRNGKey,
    rows: np.ndarray | None = None,
    batch: int = 20,
    progress: Callable[[int, int], None] | None = None,
) -> JackknifeEvidence:
    """``bounds.jackknife(order)`` of ``repeats`` independent sets of k draws for every row of x [n, features], nats.

    The estimates are combined in float64, whatever the precision of the log-weights: at order 2 and k = 32 the
    coefficients reach 500. Above order 1 the time grows with the number of subsets, k^order.
    Raises ValueError where an order is negative or not below k, a number is below 1, or x is not a table of finite
    numbers in the likelihood's support.
    """
    at_least(1, {"k": k, "repeats": repeats, "batch": batch, "orders": len(orders)})
    for order in orders:
        if not 0 <= order < k:
            raise ValueError(f"a jackknife of k={k} draws needs an order of 0 to {k - 1}, got {order}")
    model, x = prepared(model, x, rows, key)
    chosen = [bounds.jackknife(order) for order in orders]

    def of_block(block: Block) -> np.ndarray:
        elbo, sets = StreamingMean(), []
        for log_w in log_weight_calls(model, key, block.x, repeats * k, chunk=k):
            elbo.add(log_w.astype(np.float64))
            sets.append(_estimates(chosen, log_w, k, key))
        values = np.concatenate(sets, axis=1)
        return np.concatenate([[elbo.mean, elbo.error], values.mean(axis=1), standard_error(values, axis=1)])

    found = by_row(of_block, x, batch, progress=progress, axis=1)
    estimate, error = found[2:].reshape(2, len(orders), -1)
    return JackknifeEvidence(k, repeats, tuple(orders), np.asarray(x.index), estimate, error, *found[:2])


def _estimates(chosen: list[Bound], log_w: np.ndarray, k: int, key: PRNGKey) -> np.ndarray:
    """Each estimate of every k of the log-weights [draws, n], a whole number of sets: [orders, sets, n]."""
    sets = np.moveaxis(log_w.astype(np.float64).reshape(-1, k, log_w.shape[1]), 1, 0)
    with jax.enable_x64(True):
        subsets = jax.random.fold_in(key, streams.Evaluation.SUBSETS)
        return np.stack([np.asarray(_value(bound, jnp.asarray(sets), subsets)) for bound in chosen])


@eqx.filter_jit
def _value(bound: Bound, log_w: LogWeights, key: PRNGKey) -> PerDatum:
    return bound(log_w, key)
