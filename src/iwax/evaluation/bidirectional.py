"""Bidirectional Monte Carlo: log p(x) between a stochastic lower and a stochastic upper bound, on data from the model.

For x simulated together with its z, that z is an exact draw of the posterior, from which chains can be annealed
backwards: the mean of their exp(-log w) is 1/p(x), so that minus its logarithm lies above log p(x) in expectation.
"""

from collections.abc import Callable
from dataclasses import dataclass

import equinox as eqx
import jax
import numpy as np

from iwax import batched, streams
from iwax._typing import PRNGKey
from iwax.evaluation.annealed import AnnealedEvidence, rows_at_once, summed, within
from iwax.evaluation.annealing import Plan, anneal, refuse_discrete, tuned
from iwax.evaluation.rows import Block, at_least, by_row
from iwax.evaluation.statistics import standard_error
from iwax.model import LatentVariableModel
from iwax.parts import Latent
from iwax.printed import printed, with_error

__all__ = ["BidirectionalEvidence", "bidirectional_evidence"]


@printed(lambda found: "gap=" + with_error(found.gap_mean, found.gap_error, "nats"))
@dataclass(frozen=True)
class BidirectionalEvidence:
    """Bounds of log p(x) from chains in both directions, for n simulated rows; arrays are float64 [n], nats.

    ``lower`` is annealed importance sampling from f_0, in expectation never above log p(x); ``upper`` the same chains
    backwards from the z that x was simulated with, in expectation never below it. ``x`` [n, features] are the data.
    The Monte-Carlo errors are over chains; backwards, all chains of a row start at one z, which its error leaves out.
    """

    x: np.ndarray
    lower: AnnealedEvidence
    upper: AnnealedEvidence

    @property
    def gap(self) -> np.ndarray:
        """``upper - lower`` [n], nats: in expectation at least what either is off."""
        return self.upper.log_evidence - self.lower.log_evidence

    @property
    def gap_mean(self) -> float:
        """The mean gap, nats."""
        return float(self.gap.mean())

    @property
    def gap_error(self) -> float:
        """The standard error of the mean gap over the data, nats; nan for a single row."""
        return float(standard_error(self.gap))

    def warnings(self) -> list[str]:
        """Warnings, in plain words, if the bounds cannot be trusted or are wide; else empty."""
        found = [f"forward chains: {line}" for line in self.lower.warnings()]
        found += [f"backward chains: {line}" for line in self.upper.warnings(upper=True)]
        if self.gap_mean > 1.0:
            found.append(
                f"the bounds are {self.gap_mean:.1f} nats apart: take more temperatures, by which the gap shrinks"
            )
        return found


def bidirectional_evidence(
    model: LatentVariableModel,
    n: int,
    *,
    chains: int = 16,
    temperatures: int = 1000,
    leapfrog: int = 10,
    key: PRNGKey,
    start: str = "prior",
    ladder: str = "sigmoidal",
    step: float | None = None,
    batch: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> BidirectionalEvidence:
    """Bounds of log p(x) from both sides for n rows ``z ~ p(z), x ~ p(x|z)``, by the chains of `annealed_evidence`.

    Grosse, Ghahramani and Adams (2015), "Sandwiching the marginal likelihood using bidirectional Monte Carlo",
    arXiv:1511.02543; Wu, Burda, Salakhutdinov and Grosse (2017, arXiv:1611.04273). Both directions use the steps of one
    warm-up. Raises ValueError where a number is below 1, a name is unknown, or the latents are discrete.
    """
    at_least(1, {"n": n} | ({} if batch is None else {"batch": batch}))
    plan = Plan(chains, temperatures, leapfrog, start, ladder, step)
    model = batched.ready(model, key)
    z, x = _simulated(model, key, n)
    rows, size = np.arange(n), batch or rows_at_once(n, chains)

    def of_block(block: Block) -> np.ndarray:
        refuse_discrete(model, block.x)
        log_steps, index = tuned(model, key, block.x, plan), np.asarray(block.x.index)
        sides = []
        for sign, at in ((1, None), (-1, jax.tree.map(lambda leaf: leaf[index], z))):
            report = within(block, n, progress, since=len(sides) / 2, until=(len(sides) + 1) / 2)
            found = anneal(model, key, block.x, plan, log_steps, back=at, progress=report)
            sides.append(summed(found, sign))
        return np.stack(sides)

    columns = by_row(of_block, x, size, axis=2)
    lower, upper = (AnnealedEvidence(chains, temperatures, leapfrog, start, rows, *each) for each in columns)
    return BidirectionalEvidence(x, lower, upper)


def _simulated(model: LatentVariableModel, key: PRNGKey, n: int) -> tuple[Latent, np.ndarray]:
    """Latents [n, ...] and the data [n, features] made from them."""
    key = jax.random.fold_in(key, streams.Annealing.SIMULATION)
    z, _, x = eqx.filter_jit(batched.generate)(model, key, n)
    return z, np.asarray(x)
