"""The inference gap as numbers: every part of it with its error."""

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from iwax.evaluation.pareto import Tail
from iwax.evaluation.statistics import mean_with_errors, standard_error
from iwax.evaluation.trust import TRUSTED_K_HAT
from iwax.printed import printed

__all__ = ["InferenceGap", "gap_columns"]

PARTS = ("log_evidence", "best", "amortised", "approximation", "amortisation")
NOTEWORTHY = 0.05  # nats that the last quarter of the steps may gain


@printed()
@dataclass(frozen=True)
class InferenceGap:
    """log p(x) = amortised + amortisation + approximation, per row; float64 [n], nats, each with its Monte-Carlo error.

    ``amortised`` is the ELBO of q(z|x), ``best`` that of the best density of the ``family`` at the row after ``steps``
    steps, ``amortisation`` their difference, and ``approximation`` what is left up to ``log_evidence``. ``pareto_k`` is
    the tail index of the 2k weights that log p(x) is made of (above 0.7 it cannot be trusted; NaN where it was given);
    ``history`` [segments, n] the ELBO along the optimisation.
    """

    k: int
    steps: int
    family: str
    rows: np.ndarray
    history: np.ndarray
    log_evidence: np.ndarray
    log_evidence_error: np.ndarray
    best: np.ndarray
    best_error: np.ndarray
    amortised: np.ndarray
    amortised_error: np.ndarray
    approximation: np.ndarray
    approximation_error: np.ndarray
    amortisation: np.ndarray
    amortisation_error: np.ndarray
    pareto_k: np.ndarray

    def summary(self) -> dict[str, dict[str, float]]:
        """The mean of every part over the rows, its standard error over the data, and its Monte-Carlo error, nats."""
        return {name: mean_with_errors(getattr(self, name), getattr(self, f"{name}_error")) for name in PARTS}

    def warnings(self) -> list[str]:
        """Warnings, in plain words; empty if every part can be trusted."""
        found = []
        known = self.pareto_k[~np.isnan(self.pareto_k)]
        heavy = float(np.mean(known > TRUSTED_K_HAT)) if known.size else 0.0
        if heavy > 0.05:
            found.append(
                f"Pareto k > 0.7 for {heavy:.0%} of rows: log p(x) from {2 * self.k} draws is likely too low there, "
                "and the approximation gap with it; take more, or give log p(x) from annealed importance sampling"
            )
        late = self.history[-1] - self.history[(3 * len(self.history)) // 4]
        if late.mean() > max(NOTEWORTHY, 4 * standard_error(late)):
            found.append(
                f"the optimised ELBO rose by {late.mean():.2f} nats in the last quarter of its {self.steps} steps: "
                "some of the approximation gap is what is missing there; take more steps"
            )
        return found


def gap_columns(amortised: np.ndarray, best: np.ndarray, mixed: np.ndarray, known: np.ndarray | None) -> np.ndarray:
    """The eleven columns of `InferenceGap`, [11, n], from log-weights [k, n] of q and, the same noise, of q*.

    ``known`` are log p(x) and its error, [2, n]. Without them they come from ``mixed`` [2, k, n], the log-weights of
    the same draws under half of q and half of q*, and so does the error of the approximation gap: that of
    ``log mean w`` less the mean of log w over the draws of q*, to first order, draw by draw.
    """
    k, n = best.shape
    elbo, gain = best.mean(axis=0), best - amortised
    if known is None:
        both = mixed.reshape(2 * k, n)
        log_evidence = np.asarray(logsumexp(both, axis=0)) - np.log(2 * k)
        relative = np.exp(mixed - log_evidence).mean(axis=0)  # one noise: a pair of draws is one draw
        error, joint = standard_error(relative, axis=0), standard_error(relative - best, axis=0)
        tail = Tail(2 * k)
        tail.add(both)
        shape = tail.shape()
    else:
        (log_evidence, error), shape = known, None
        joint = np.sqrt(error**2 + standard_error(best, axis=0) ** 2)
    pairs = [
        (log_evidence, error),
        (elbo, standard_error(best, axis=0)),
        (amortised.mean(axis=0), standard_error(amortised, axis=0)),
        (log_evidence - elbo, joint),
        (gain.mean(axis=0), standard_error(gain, axis=0)),
    ]
    return np.stack([*(column for pair in pairs for column in pair), np.full(n, np.nan) if shape is None else shape])
