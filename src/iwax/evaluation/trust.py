"""Whether the error of an importance-weighted answer is known: one rule, and its words, for all such answers."""

from collections.abc import Sequence

import numpy as np

from iwax.evaluation.statistics import standard_error

__all__ = ["FEW", "TRUSTED_K_HAT", "Estimate", "named", "named_rows", "unknown", "unknown_words"]

TRUSTED_K_HAT = 0.7  # Vehtari et al. (2024, arXiv:1507.02646): above it importance sampling is unreliable
FEW = 10  # effective draws below which the spread of the weights says little of the error of their mean
_NAMED = 5  # rows that a sentence names


class Estimate:
    """The mean of an estimate of log p(x) over n rows and its errors, from its ``log_evidence`` and ``ess`` [n]."""

    log_evidence: np.ndarray
    ess: np.ndarray

    @property
    def mean(self) -> float:
        """The mean of log p(x) over the rows, nats."""
        return float(self.log_evidence.mean())

    @property
    def standard_error(self) -> float:
        """The standard error of the mean over the data, nats; nan for a single row."""
        return float(standard_error(self.log_evidence))

    @property
    def ess_median(self) -> float:
        """The median effective sample size."""
        return float(np.median(self.ess))

    def broken(self) -> list[str]:
        """Whether some log p(x) is not finite, in plain words."""
        n = int(np.sum(~np.isfinite(self.log_evidence)))
        return [f"log p(x) is not finite for {n} of {self.log_evidence.size} rows"] if n else []


def unknown(ess: np.ndarray, pareto_k: np.ndarray) -> np.ndarray:
    """Whether the error of each answer is unknown: an effective sample size below 10, or a Pareto k-hat above 0.7.

    There the weights that were drawn do not show those that count (Vehtari et al. 2024, arXiv:1507.02646). False where
    both are NaN: there are no weights.

    >>> unknown(np.array([3.0, 200.0, 200.0, np.nan]), np.array([0.2, 0.9, 0.5, np.nan]))
    array([ True,  True, False, False])
    """
    return (ess < FEW) | (pareto_k > TRUSTED_K_HAT)


def unknown_words(what: str, marks: np.ndarray, k: int, *, of: int | None = None, rows: str = "rows") -> str:
    """Say for how many ``rows`` of the number ``of`` (None: all) the error of ``what`` is unknown, and why.

    >>> unknown_words("log p(x)", np.array([True, False]), 50)[:57]
    'the Monte-Carlo error of log p(x) is unknown for 1 of 2 r'
    """
    total = marks.size if of is None else of
    return (
        f"the Monte-Carlo error of {what} is unknown for {int(marks.sum()):,} of {total:,} {rows}, whose effective "
        f"sample size is below {FEW} or Pareto k above {TRUSTED_K_HAT}: a few of the k={k} draws carry their estimate"
    )


def named(marks: np.ndarray, *, first: int = 0) -> str:
    """The numbers of the marked rows, the first counted as ``first``: some of them, and how many more.

    >>> named(np.array([True, False, True])), named(np.ones(9, bool), first=1)
    ('rows 0, 2', 'rows 1, 2, 3, 4, 5 and 4 more')
    """
    return named_rows((np.flatnonzero(marks) + first).tolist())


def named_rows(numbers: Sequence[int]) -> str:
    """Some of the numbers of rows, and how many more.

    >>> named_rows((7, 8))
    'rows 7, 8'
    """
    more = f" and {len(numbers) - _NAMED:,} more" if len(numbers) > _NAMED else ""
    return f"row{'s' * (len(numbers) > 1)} {', '.join(map(str, numbers[:_NAMED]))}{more}"
