"""How probable data are under the model: a density, and an anomaly score."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from iwax import evaluation
from iwax._typing import PRNGKey
from iwax.model import LatentVariableModel
from iwax.parts import Datum

__all__ = ["score"]


def score(
    model: LatentVariableModel,
    x: ArrayLike | Datum,
    *,
    k: int,
    key: PRNGKey,
    rows: np.ndarray | None = None,
    missing: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> evaluation.Evidence:
    """An estimate of log p(x), nats, for every row of data [n, D], with its Monte-Carlo error.

    The lower it is, the less a row is like the training data. The result of `iwax.evaluation.log_evidence`:
    ``.log_evidence``, ``.monte_carlo_error`` and ``.ess`` are [n], ``.warnings()`` says where not to trust them.
    ``rows`` are the numbers that key the rows' noise (0 to n - 1 without). With ``missing`` a NaN is a value that was
    not observed, and the log-density is that of those that were. Raises ValueError for data of another shape, not
    finite, or k below 1.
    """
    return evaluation.log_evidence(model, x, k=k, key=key, rows=rows, missing=missing, progress=progress)
