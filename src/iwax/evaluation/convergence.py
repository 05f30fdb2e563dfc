"""How the estimate of log p(x) converges in k: the expected IWAE bound at k = 1, 2, 5, 10, ..., from one set of draws.

K log-weights per row are cut into K // k disjoint groups of k, for every k of a ladder; the mean over the groups of
``log (1/k) sum_i w_i`` estimates the expected bound at k without bias, and never lies above log p(x) in expectation
(Burda, Grosse and Salakhutdinov 2016, arXiv:1509.00519). Where the curve is still rising, so is the estimate.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from iwax._typing import PRNGKey
from iwax.evaluation.evidence import log_weight_calls
from iwax.evaluation.rows import Block, DataPoints, at_least, by_row, prepared
from iwax.evaluation.statistics import Means, StreamingMean, standard_error
from iwax.model import LatentVariableModel
from iwax.numerics import StreamingLogMeanExp
from iwax.printed import printed

__all__ = ["Convergence", "convergence_in_k", "ladder"]


@printed()
@dataclass(frozen=True)
class Convergence(Means):
    """The expected IWAE bound of every row at every k of a ladder; float64, nats.

    ``ks`` and ``groups`` are [points]: how many draws are pooled, and how many disjoint groups of them there were.
    ``per_row`` is [points, n]; ``per_row_error`` its Monte-Carlo error from the spread over groups or, where there is
    one alone, from the spread of its weights, to first order.
    """

    ks: np.ndarray
    groups: np.ndarray
    rows: np.ndarray
    per_row: np.ndarray
    per_row_error: np.ndarray

    def _columns(self) -> tuple[np.ndarray, np.ndarray]:
        return self.per_row, self.per_row_error

    @property
    def gain(self) -> np.ndarray:
        """`mean` less that at the k before, [points]; NaN at the first."""
        return self.mean - np.concatenate([[np.nan], self.mean[:-1]])

    @property
    def gain_error(self) -> np.ndarray:
        """The standard error of `gain` over the data, row paired with row, [points]: small against that of `mean`."""
        return np.concatenate([[np.nan], standard_error(np.diff(self.per_row, axis=0))])


def ladder(k: int) -> list[int]:
    """1, 2, 5, 10, 20, 50, ... up to k, and k itself. ValueError for k below 1.

    >>> ladder(60)
    [1, 2, 5, 10, 20, 50, 60]
    """
    at_least(1, {"k": k})
    steps = [step * 10**power for power in range(len(str(k))) for step in (1, 2, 5)]
    return [*(step for step in steps if step < k), k]


def convergence_in_k(
    model: LatentVariableModel,
    x: DataPoints,
    *,
    k: int,
    key: PRNGKey,
    ks: list[int] | None = None,
    rows: np.ndarray | None = None,
    batch: int = 20,
    chunk: int = 50,
    progress: Callable[[int, int], None] | None = None,
) -> Convergence:
    """The expected IWAE bound at every k of ``ks`` (`ladder(k)` by default), from k draws per row of x [n, features].

    The draws are those of `log_evidence` with the same key, so that the last point is its estimate; memory does not
    grow with k. ``progress(done, total)`` is called as rows are done. Raises ValueError where x is not a table of
    finite numbers in the likelihood's support, if a number is below 1, or one of ``ks`` is more than k.
    """
    at_least(1, {"k": k, "batch": batch, "chunk": chunk})
    ks = ladder(k) if ks is None else ks
    if not ks or min(ks) < 1 or max(ks) > k:
        raise ValueError(f"ks must be from 1 to k={k}, the draws there are, got {ks}")
    model, x = prepared(model, x, rows, key)

    def of_block(block: Block) -> np.ndarray:
        pooled = [_Groups(size, alone=k // size == 1) for size in ks]
        for log_w in log_weight_calls(model, key, block.x, k, chunk=chunk):
            for groups in pooled:
                groups.add(log_w.astype(np.float64))
        return np.stack([[groups.mean, groups.error] for groups in pooled], axis=1)

    mean, error = by_row(of_block, x, batch, progress=progress, axis=2)
    sizes = np.array(ks)
    return Convergence(sizes, k // sizes, np.asarray(x.index), mean, error)


class _Groups:
    """``log mean exp`` of groups of k log-weights that arrive in pieces of any length: its mean and error per row."""

    def __init__(self, k: int, *, alone: bool) -> None:
        self.k = k
        self.weights: StreamingLogMeanExp | None = None
        self.alone = alone
        self.held = np.empty((0, 0))  # at most one row: the log sum exp of the group that is not yet full
        self.short = k  # how many draws that group still lacks
        self.bounds = StreamingMean()  # of full groups

    def add(self, log_w: np.ndarray) -> None:
        """Take in log-weights [draws, n]."""
        if self.alone:
            self.weights = StreamingLogMeanExp(log_w.shape[1]) if self.weights is None else self.weights
            self.weights.add(log_w[: self.k - self.weights.count])
        if self.short < self.k:
            first, log_w = log_w[: self.short], log_w[self.short :]
            self.held = _log_sum_exp(np.concatenate([self.held, first])[None])
            self.short -= len(first)
            if self.short:
                return
            self.bounds.add(self.held - np.log(self.k))
        whole = len(log_w) // self.k
        if whole:
            self.bounds.add(_log_sum_exp(log_w[: whole * self.k].reshape(whole, self.k, -1)) - np.log(self.k))
        rest = log_w[whole * self.k :]
        self.short = self.k - len(rest)
        if len(rest):
            self.held = _log_sum_exp(rest[None])

    @property
    def mean(self) -> np.ndarray:
        return self.bounds.mean

    @property
    def error(self) -> np.ndarray:
        return self.bounds.error if self.weights is None else self.weights.relative_error


def _log_sum_exp(log_w: np.ndarray) -> np.ndarray:
    """Of groups of log-weights [groups, k, n]: [groups, n]."""
    return np.asarray(logsumexp(log_w, axis=1))
