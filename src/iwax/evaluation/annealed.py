"""log p(x) by annealed importance sampling: from what can be sampled to the posterior, in many small steps."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from iwax._typing import PRNGKey
from iwax.evaluation.annealing import Chains, Plan, anneal, refuse_discrete, tuned
from iwax.evaluation.hamiltonian import TARGET_ACCEPTANCE
from iwax.evaluation.rows import Block, DataPoints, at_least, by_row, prepared
from iwax.evaluation.trust import Estimate
from iwax.model import LatentVariableModel
from iwax.numerics import StreamingLogMeanExp
from iwax.printed import printed, with_error

__all__ = ["AnnealedEvidence", "annealed_evidence", "rows_at_once", "summed", "within"]

_ROWS = 640  # chains of all rows of a block: about where a matrix product is fastest
_ACCEPTED = (0.4, 0.9)  # outside of it the steps were not what the chains needed


@printed(lambda found: "mean=" + with_error(found.mean, found.standard_error, "nats"))
@dataclass(frozen=True)
class AnnealedEvidence(Estimate):
    """An estimate of log p(x) from n chains per row. Arrays are float64 [n], in nats; `rows` are the row numbers.

    ``log_evidence`` is the logarithm of the mean weight of the chains: in expectation never above log p(x).
    ``monte_carlo_error`` is its standard error over chains (to first order; nan for one chain); ``ess`` the effective
    sample size between 1 and the number of chains; ``acceptance`` the mean probability with which moves were accepted.
    """

    chains: int
    temperatures: int
    leapfrog: int
    start: str
    rows: np.ndarray
    log_evidence: np.ndarray
    monte_carlo_error: np.ndarray
    ess: np.ndarray
    acceptance: np.ndarray

    @property
    def acceptance_mean(self) -> float:
        """The mean acceptance probability; the steps were tuned to 0.65."""
        return float(self.acceptance.mean())

    def warnings(self, *, upper: bool = False) -> list[str]:
        """Warnings, in plain words; empty if the estimate can be trusted.

        With ``upper``, of an estimate from chains backward, which is off to the other side.
        """
        off, bound = ("over", "an upper bound that falls") if upper else ("under", "a lower bound that rises")
        found = self.broken()
        low, high = _ACCEPTED
        if not low <= self.acceptance_mean <= high:
            found.append(
                f"moves were accepted with probability {self.acceptance_mean:.2f}, far from {TARGET_ACCEPTANCE}: the "
                f"chains lag behind the temperature, so log p(x) is likely to be {off}estimated; take more temperatures"
            )
        if self.chains == 1:
            found.append("one chain per row does not say how far log p(x) can be trusted: ask for 16")
        elif self.ess_median < min(2.0, 0.25 * self.chains + 1):
            found.append(
                f"half of the rows have an effective sample size below {self.ess_median:.1f} of {self.chains} chains: "
                f"read log p(x) as {bound} with the number of temperatures"
            )
        return found


def annealed_evidence(
    model: LatentVariableModel,
    x: DataPoints,
    *,
    chains: int = 16,
    temperatures: int = 1000,
    leapfrog: int = 10,
    key: PRNGKey,
    start: str = "prior",
    ladder: str = "sigmoidal",
    step: float | None = None,
    rows: np.ndarray | None = None,
    batch: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> AnnealedEvidence:
    """``log (1/n) sum_i prod_t f_{beta_t}(z_{t-1}) / f_{beta_{t-1}}(z_{t-1})`` over n chains, for every row of x, nats.

    Neal (2001), "Chains importance sampling", Statistics and Computing 11, arXiv:physics/9803008; Wu, Burda,
    Salakhutdinov and Grosse (2017, arXiv:1611.04273). ``log f_beta = (1 - beta) log f_0(z) + beta log p(x, z)``, f_0
    the prior or, with ``start="posterior"``, q(z|x); z moves by one transition of Hamiltonian Monte Carlo per
    temperature with ``leapfrog`` steps, tuned to an acceptance of 0.65 in a warm-up that is not reused, or of size
    ``step``. The mean weight is p(x) without bias whatever these are; its logarithm comes nearer with more
    temperatures.

    x [n, features] holds values as the likelihood takes them; ``batch`` rows are taken at once. The noise is a function
    of (key, row number, chain), so that neither the batch nor other rows change a value by more than rounding does.
    ``progress(done, total)`` is called as rows are done. Raises ValueError where x is not a table of finite numbers in
    the likelihood's support, a number is below 1, a name is unknown, or the latents are discrete.
    """
    plan = Plan(chains, temperatures, leapfrog, start, ladder, step)
    at_least(1, {} if batch is None else {"batch": batch})
    model, x = prepared(model, x, rows, key)

    def of_block(block: Block) -> np.ndarray:
        refuse_discrete(model, block.x)
        log_steps = tuned(model, key, block.x, plan)
        found = anneal(model, key, block.x, plan, log_steps, progress=within(block, len(x), progress))
        return summed(found, 1)

    columns = by_row(of_block, x, batch or rows_at_once(len(x), chains), axis=1)
    return AnnealedEvidence(chains, temperatures, leapfrog, start, np.asarray(x.index), *columns)


def summed(found: Chains, sign: int) -> np.ndarray:
    """``sign log mean exp(sign log w)`` over chains, its error, effective sample size, and the acceptance, [4, rows].

    The sign is 1 for chains forward, -1 for chains backward.
    """
    stream = StreamingLogMeanExp(found.acceptance.size)
    stream.add(sign * found.log_w)
    return np.stack([sign * stream.log_mean_exp, stream.relative_error, stream.ess, found.acceptance])


def within(
    block: Block, n: int, progress: Callable[[int, int], None] | None, *, since: float = 0.0, until: float = 1.0
) -> Callable[[float], None] | None:
    """Turn the fraction of a block's temperatures that is done into the number of n rows.

    The chains are the work of a block from the fraction ``since`` to ``until``.
    """
    if progress is None:
        return None
    return lambda part: progress(block.first + int(block.size * (since + part * (until - since))), n)


def rows_at_once(n: int, chains: int) -> int:
    """Rows per block: as many as make matrix products fast, and blocks of about one size.

    >>> rows_at_once(100, 16), rows_at_once(3, 16), rows_at_once(10, 1000)
    (34, 3, 1)
    """
    most = max(1, _ROWS // chains)
    return -(-n // -(-n // most))
