"""How many of the highest scores belong to what is looked for."""

import numpy as np

from iwax._typing import ArrayLike
from iwax.evaluation.auroc import scores_of

__all__ = ["average_precision"]


def average_precision(found: ArrayLike, others: ArrayLike) -> float:
    """``sum_n (R_n - R_(n-1)) P_n`` over the thresholds n: the area under precision and recall, in steps.

    ``found`` [m] are scores of what is looked for, ``others`` [n] of what is not; equal scores are one threshold. It
    depends on how many of either there are: at as many others a coin gives 1/2, at a share p of all it gives p. Raises
    ValueError as `auroc` does.

    >>> round(average_precision([3.0, 1.0], [2.0, 0.0]), 4)  # (1/2) 1 + (1/2) (2/3)
    0.8333
    """
    a, b = scores_of("found", found), scores_of("others", others)
    scores = np.concatenate([a, b])
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(order < a.size)
    last = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))  # of each threshold
    return float(np.sum(np.diff(hits[last], prepend=0) / a.size * hits[last] / (last + 1)))
