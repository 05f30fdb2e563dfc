"""How well a score tells rows of one kind from rows of another, with its error."""

from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata

from iwax._typing import ArrayLike
from iwax.evaluation.tables import numeric

__all__ = ["Auroc", "auroc"]


class Auroc(NamedTuple):
    """The area under the ROC curve and its standard error over both kinds of rows."""

    value: float
    standard_error: float


def auroc(inliers: ArrayLike, outliers: ArrayLike) -> Auroc:
    """``P(s_in > s_out) + P(s_in = s_out) / 2`` of scores of inliers [m] and outliers [n], the higher the more inlying.

    The probability that a row drawn from each kind is ranked rightly: 1/2 is what a coin gives, and below it the score
    prefers outliers. The standard error is that of DeLong, DeLong and Clarke-Pearson (1988, Biometrics 44, 837), from
    the share of the other kind that every row is ranked rightly against; it is 0, and says nothing, where all are.
    Infinite scores have their rank. Raises ValueError for fewer than two rows of a kind, or scores that are not [n]
    or NaN.

    >>> auroc([1.0, 2.0, 4.0], [0.0, 3.0])
    Auroc(value=0.6666, standard_error=0.3727)
    """
    a, b = scores_of("inliers", inliers), scores_of("outliers", outliers)
    together = rankdata(np.concatenate([a, b]))
    of_inliers = (together[: a.size] - rankdata(a)) / b.size  # the share of outliers below each inlier
    of_outliers = 1 - (together[a.size :] - rankdata(b)) / a.size
    variance = of_inliers.var(ddof=1) / a.size + of_outliers.var(ddof=1) / b.size
    return Auroc(float(of_inliers.mean()), float(np.sqrt(variance)))


def scores_of(name: str, scores: ArrayLike) -> np.ndarray:
    """Scores [n] of at least two rows, as numbers that have a rank. Raises ValueError for others."""
    found = numeric(name, scores).astype(np.float64)
    if found.ndim != 1 or found.size < 2:
        raise ValueError(f"{name} needs scores [n] of at least two rows, got shape {found.shape}")
    if np.isnan(found).any():
        row = int(np.argmax(np.isnan(found)))
        raise ValueError(f"{name} needs scores that have a rank, got nan in row {row}; leave that row out")
    return found
