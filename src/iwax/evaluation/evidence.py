"""log p(x) by importance sampling: a number per row, with its error and what tells whether to believe it."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from iwax import samplers
from iwax._typing import ArrayLike, PRNGKey
from iwax.compiler import forward_options
from iwax.evaluation.pareto import Tail
from iwax.evaluation.rows import at_least, blocks, prepared
from iwax.evaluation.statistics import StreamingMean, standard_error
from iwax.evaluation.trust import FEW, TRUSTED_K_HAT, Estimate, unknown, unknown_words
from iwax.model import LatentVariableModel
from iwax.numerics import StreamingLogMeanExp
from iwax.parts import Datum
from iwax.printed import printed, with_error

__all__ = ["BATCH", "Evidence", "in_chunks", "log_evidence", "log_weight_calls", "statistics"]

Of = TypeVar("Of")

BATCH = 20  # rows computed at once
_DRAWS_PER_CALL = 10_000  # bounds the memory: log-weights leave the device in calls of at most this many draws per row


@printed(lambda found: "mean=" + with_error(found.mean, found.standard_error, "nats"))
@dataclass(frozen=True)
class Evidence(Estimate):
    """Estimates of log p(x) from k importance samples per row. Arrays are float64 [n], nats; `rows` are row numbers.

    ``log_evidence`` is the IWAE bound at k, whose expectation is never above log p(x); ``monte_carlo_error`` is its
    standard error over draws (to first order); ``elbo`` the mean log-weight with ``elbo_error``; ``ess`` the effective
    sample size between 1 and k; ``pareto_k`` the tail index of the weights: above 0.7 the estimate cannot be trusted.
    Where a few draws carry the mean, the error says nothing (it is about 1 where one does, however far log p(x) is
    away): ``known_error`` is NaN there.
    """

    k: int
    rows: np.ndarray
    log_evidence: np.ndarray
    monte_carlo_error: np.ndarray
    elbo: np.ndarray
    elbo_error: np.ndarray
    ess: np.ndarray
    pareto_k: np.ndarray

    def of(self, places: slice) -> "Evidence":
        """The estimates of some of the rows."""
        parts = (self.rows, self.log_evidence, self.monte_carlo_error, self.elbo, self.elbo_error)
        return Evidence(self.k, *(part[places] for part in (*parts, self.ess, self.pareto_k)))

    @property
    def known_error(self) -> np.ndarray:
        """``monte_carlo_error`` [n], nats, but NaN where it is unknown: ESS below 10, or k-hat above 0.7.

        There the weights that were drawn do not show those that count (Vehtari et al. 2024, arXiv:1507.02646), and
        log p(x) is a lower bound in expectation, by how much nobody knows. Of normal proposals of another width in 5
        to 50 dimensions, 36 % lie within four errors of the truth at an ESS below 1.5, 65 % at one of 5 to 10, and
        92 % at one of 20 to 50.
        """
        known = ~unknown(self.ess, self.pareto_k) & np.isfinite(self.log_evidence)
        return np.where(known, self.monte_carlo_error, np.nan)

    @property
    def elbo_mean(self) -> float:
        """The mean of the ELBO over the rows, nats."""
        return float(self.elbo.mean())

    @property
    def elbo_standard_error(self) -> float:
        """The standard error of the mean ELBO over the data, nats; nan for a single row."""
        return float(standard_error(self.elbo))

    def pareto_k_over(self, limit: float = TRUSTED_K_HAT) -> float:
        """The fraction of rows whose k-hat lies above the limit; nan where k is too small to fit a tail."""
        known = self.pareto_k[~np.isnan(self.pareto_k)]
        return float(np.mean(known > limit)) if known.size else float("nan")

    def warnings(self) -> list[str]:
        """Warnings, in plain words; empty if the estimate can be trusted."""
        found = self.broken()
        heavy = self.pareto_k_over()
        if heavy > 0.05:
            found.append(
                f"Pareto k > {TRUSTED_K_HAT} for {100 * heavy:.0f} % of the rows: their importance weights have no "
                "reliable mean, so log p(x) is likely to be underestimated; a larger k helps slowly"
            )
        unsure = unknown(self.ess, self.pareto_k) & np.isfinite(self.log_evidence)
        if self.k >= 100 and unsure.sum() > 0.05 * self.rows.size:
            found.append(f"{unknown_words('log p(x)', unsure, self.k)}, which is a lower bound")
        if self.k < 100:
            found.append(
                f"k={self.k} importance samples are too few to say how far log p(x) can be trusted: "
                "read it as a lower bound (at k=1 the ELBO), or ask for k of 100 or more"
            )
        elif self.ess_median < FEW:
            found.append(
                f"half of the rows have an effective sample size below {self.ess_median:.1f} of k={self.k}: "
                "read log p(x) as a lower bound that is still rising in k"
            )
        return found


def log_evidence(
    model: LatentVariableModel,
    x: ArrayLike | Datum,
    *,
    k: int,
    key: PRNGKey,
    rows: np.ndarray | None = None,
    missing: bool = False,
    sampler: samplers.Sampler = samplers.independent,
    batch: int = BATCH,
    chunk: int = 50,
    progress: Callable[[int, int], None] | None = None,
) -> Evidence:
    """``log (1/k) sum_i p(x, z_i) / q(z_i|x)``, z_i ~ q(z|x), for every row of x [n, features], nats.

    This is the IWAE bound, a lower bound on log p(x) in expectation that becomes tight as k grows (Burda, Grosse and
    Salakhutdinov 2016, arXiv:1509.00519). x holds values as the likelihood takes them. ``batch`` rows and ``chunk``
    draws are computed at once; memory does not grow with k. The noise is a function of (key, row number, draw), so
    neither of them changes a value. ``rows`` are the row numbers (0, 1, ... by default); ``progress(done,
    total)`` is called as rows are done. With ``missing`` a NaN marks a missing value, and the estimate is of the
    log-density of the observed ones (Mattei and Frellsen 2019, arXiv:1812.02633). ``sampler`` makes the draws: with
    `samplers.Enumerated` a draw's weight is the sum over the states of a discrete layer. Raises ValueError if x is not
    a table of finite numbers in the likelihood's support, if the sampler's draws are not independent estimates of
    p(x), or if k, batch or chunk is below 1.
    """
    at_least(1, {"k": k, "batch": batch, "chunk": chunk})
    model, x = prepared(model, x, rows, key, missing=missing)
    n, columns = len(x), np.empty((6, len(x)))
    calls = ((block, call) for block in blocks(x, batch) for call in _calls(model, key, block.x, k, chunk, sampler))
    for block, of_block in itertools.groupby(_ahead(calls), key=lambda call: call[0]):
        found = statistics((log_w for _, log_w in of_block), len(block.x), k)
        columns[:, block.first : block.stop] = found[:, : block.size]
        if progress is not None:
            progress(block.stop, n)
    return Evidence(k, np.asarray(x.index), *columns)


def log_weight_calls(model: LatentVariableModel, key: PRNGKey, x: Datum, k: int, *, chunk: int) -> Iterator[np.ndarray]:
    """The k log-weights of every row of x, nats, [draws, batch] per call, ``chunk`` draws per row at once."""
    for _, log_w in _ahead((None, call) for call in _calls(model, key, x, k, chunk, samplers.independent)):
        yield log_w


def _calls(
    model: LatentVariableModel, key: PRNGKey, x: Datum, k: int, chunk: int, sampler: samplers.Sampler
) -> Iterator[Any]:
    """The log-weights [draws, batch] of one call after the other, on the device and not waited for."""
    chunk = min(chunk, k)
    chunks = -(-min(k, _DRAWS_PER_CALL) // chunk)
    for first in range(0, k, chunks * chunk):
        yield in_chunks(model, key, x, jnp.uint32(first), chunk, chunks, sampler)[: k - first]


def _ahead(calls: Iterable[tuple[Of, Any]]) -> Iterator[tuple[Of, np.ndarray]]:
    """What the device gives, call by call, the next one under way while the host works on the last."""
    waiting: list[tuple[Of, Any]] = []
    for call in calls:
        waiting.append(call)
        if len(waiting) > 1:
            of, log_w = waiting.pop(0)
            yield of, np.asarray(log_w)
    for of, log_w in waiting:
        yield of, np.asarray(log_w)


def in_chunks(
    model: LatentVariableModel, key: PRNGKey, x: Datum, first: Any, chunk: int, chunks: int, sampler: samplers.Sampler
) -> Any:
    """Log-weights [chunks * chunk, batch] of the draws from ``first`` on, ``chunk`` of them decoded at once.

    The encoder does not depend on the draw and runs once, before the loop.
    """
    compiled = cast(Any, eqx.filter_jit)(_in_chunks, compiler_options=forward_options())
    return compiled(model, key, x, first, chunk, chunks, sampler)


def _in_chunks(
    model: LatentVariableModel, key: PRNGKey, x: Datum, first: Any, chunk: int, chunks: int, sampler: samplers.Sampler
) -> Any:
    def one(start: Any) -> Any:
        return sampler.estimates(model, key, x, k=chunk, first=start)

    log_w = jax.lax.map(one, first + chunk * jnp.arange(chunks, dtype=jnp.uint32))
    return log_w.reshape(chunks * chunk, -1)


def statistics(calls: Iterable[np.ndarray], batch: int, k: int) -> np.ndarray:
    """The six columns of Evidence, [6, batch], from log-weights as they come."""
    weights, logarithms, tail = StreamingLogMeanExp(batch), StreamingMean(), Tail(k)
    for log_w in calls:
        for stream in (weights, logarithms, tail):
            stream.add(log_w.astype(np.float64, copy=False))
    mean, error = logarithms.mean, logarithms.error
    return np.stack([weights.log_mean_exp, weights.relative_error, mean, error, weights.ess, tail.shape()])
