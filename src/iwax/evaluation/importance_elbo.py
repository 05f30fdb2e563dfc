"""The ELBO of the importance-weighted posterior, from both sides."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import logsumexp

from iwax._typing import PRNGKey
from iwax.evaluation.importance_posterior import many_log_weights
from iwax.evaluation.rows import Block, DataPoints, at_least, by_row, prepared
from iwax.evaluation.statistics import standard_error
from iwax.model import LatentVariableModel
from iwax.parts import Datum
from iwax.printed import printed

__all__ = ["ImportancePosteriorElbo", "elbo_terms", "importance_posterior_elbo"]

_HELD = 2_000_000  # terms held at once: what bounds the memory


@printed()
@dataclass(frozen=True)
class ImportancePosteriorElbo:
    """``E_{q_EW}[log p(x, z) - log q_EW(z|x)]`` from both sides. Arrays are float64 [n], nats; errors are over draws.

    In expectation ``iwae <= lower <= ELBO of q_EW <= upper``, whatever the number ``outer`` of sets of other draws, and
    ``lower`` and ``upper`` meet as it grows. The ELBO, and so ``lower``, is never above log p(x) in expectation;
    ``upper`` may be: the logarithm of an estimated density is low on average. ``gain`` is ``lower - iwae`` on the same
    draws.
    """

    k: int
    outer: int
    draws: int
    rows: np.ndarray
    lower: np.ndarray
    lower_error: np.ndarray
    upper: np.ndarray
    upper_error: np.ndarray
    iwae: np.ndarray
    iwae_error: np.ndarray
    gain: np.ndarray
    gain_error: np.ndarray

    def warnings(self) -> list[str]:
        """Say how far apart the two sides are, if that is more than their noise; empty otherwise."""
        apart = float(np.mean(self.upper - self.lower))
        noise = float(np.sqrt(np.mean(self.upper_error**2 + self.lower_error**2) / self.rows.size))
        if not apart > max(0.05, 4 * noise):
            return []
        return [
            f"the ELBO of q_EW is known to {apart:.2g} nats only, with outer={self.outer} sets of draws at k={self.k}: "
            "ask for more of them"
        ]


def importance_posterior_elbo(
    model: LatentVariableModel,
    x: DataPoints,
    *,
    k: int,
    outer: int,
    draws: int,
    key: PRNGKey,
    rows: np.ndarray | None = None,
    batch: int = 20,
    progress: Callable[[int, int], None] | None = None,
) -> ImportancePosteriorElbo:
    """``E_{q_EW}[log p(x, z) - log q_EW(z|x)]`` for every row of x [n, features], by nested sampling, nats.

    Each of ``draws`` sets of k draws of q(z|x) is judged against ``outer`` further sets of k - 1, its own: draws (k +
    outer (k - 1)) log-weights per row in all (`elbo_terms` has the formula). The noise is a function of (key, row
    number, draw); ``progress(done, total)`` is called as rows are done. Raises ValueError where x is not a table of
    finite numbers in the likelihood's support, k, outer or batch is below 1, or draws below 2.
    """
    at_least(1, {"k": k, "outer": outer, "batch": batch})
    at_least(2, {"draws": draws})
    model, x = prepared(model, x, rows, key)

    def of_block(block: Block) -> np.ndarray:
        terms = _terms(model, key, block.x, k, outer, draws)
        return np.stack([terms.mean(axis=1), standard_error(terms, axis=1)], axis=1).reshape(8, -1)

    columns = by_row(of_block, x, batch, progress=progress, axis=1)
    return ImportancePosteriorElbo(k, outer, draws, np.asarray(x.index), *columns)


def _terms(
    model: LatentVariableModel, key: PRNGKey, x: Datum, k: int, outer: int, draws: int
) -> Float[np.ndarray, "4 draws batch"]:
    """Lower, upper, iwae, and lower - iwae, of every draw of q_EW."""
    batch = x.values.shape[0]
    each = k + outer * (k - 1)  # log-weights per draw of q_EW
    at_once = min(draws, max(1, _HELD // (k * outer * batch)))
    found = []
    for first in range(0, draws, at_once):
        log_w = many_log_weights(model, key, x, at_once * each, first * each).reshape(at_once, each, batch)
        own = np.moveaxis(log_w[:, :k], 1, 0)  # [k, draws, batch]
        others = np.moveaxis(log_w[:, k:].reshape(at_once, outer, k - 1, batch), 0, 2)
        lower, upper, iwae = elbo_terms(own, others)
        found.append(np.stack([lower, upper, iwae, lower - iwae]))
    return np.concatenate(found, axis=1)[:, :draws]


def elbo_terms(
    own: Float[np.ndarray, "k *batch"], others: Float[np.ndarray, "outer k_less_one *batch"]
) -> tuple[Float[np.ndarray, "*batch"], Float[np.ndarray, "*batch"], Float[np.ndarray, "*batch"]]:
    """(lower, upper, iwae) of one draw of q_EW, from the k log-weights that it is one of and S sets of k - 1 others.

    log p(x, z) cancels from the estimate of log p(x, z) - log q_EW(z): it is

        -log k - log (1/S) sum_s 1 / (w_j + sum of w over set s),

    averaged over j ~ Cat(w̃). By Jensen it is too high on average with fresh sets. With the set that z_j was chosen
    against as a further one it is too low, and with that one alone it is the IWAE bound: the two sides of Yin and Zhou
    (2018, arXiv:1805.11183) and of Sobolev and Vetrov (2019, arXiv:1909.10023), for a mixture over the other draws.

    >>> lower, upper, iwae = elbo_terms(np.log([[1.0], [3.0]]), np.log([[[1.0]], [[7.0]]]))
    >>> float(upper[0]), float(iwae[0])  # log (1/2) - log (5/16) / 4 - 3 log (7/40) / 4, and log 2
    (0.9049, 0.6931)
    """
    k, outer = own.shape[0], others.shape[0]
    total = np.asarray(logsumexp(own, axis=0))
    chosen = np.exp(own - total)
    sums = np.asarray(logsumexp(others, axis=1)) if k > 1 else np.full((outer, *own.shape[1:]), -np.inf)
    fresh = np.asarray(logsumexp(-np.logaddexp(own[:, None], sums[None]), axis=1))  # [k, *batch]: the sum over sets
    with_own = np.logaddexp(fresh, -total)
    upper = -np.log(k) - np.sum(chosen * (fresh - np.log(outer)), axis=0)
    lower = -np.log(k) - np.sum(chosen * (with_own - np.log(outer + 1)), axis=0)
    return lower, upper, total - np.log(k)
