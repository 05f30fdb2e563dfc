"""Scores of rows of which different cells are missing, made comparable."""

from collections.abc import Callable

import jax
import numpy as np
from numpy.typing import ArrayLike

from iwax import evaluation, streams
from iwax._typing import PRNGKey
from iwax.evaluation.tables import numeric
from iwax.inference import inputs
from iwax.model import LatentVariableModel

__all__ = ["comparable_scores"]


def comparable_scores(
    model: LatentVariableModel,
    x: ArrayLike,
    log_prob: ArrayLike,
    *,
    key: PRNGKey,
    rows: int = 1000,
    k: int = 100,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[np.ndarray, list[str]]:
    """``m + d (log p(x_S) - m_S) / d_S``, nats, [n]: log p(x) that a whole row as unusual as this one would have.

    S are the cells of a row of x [n, D] that are not missing (NaN), ``log_prob`` [n] is its log p(x_S); m_S and d_S are
    mean and standard deviation of log p(x_S) over rows of the model, and m and d those for whole rows
    (`iwax.evaluation.marginal_moments`, of ``rows`` rows and k draws). A whole row keeps its log p(x), and the lower a
    score, the less a row is like the training data, however many of its cells are missing. A row without a value is
    neither like nor unlike them: m. With the scores come reasons to distrust them. Raises ValueError as
    `marginal_moments` does.
    """
    observed = ~np.isnan(inputs.rows(model, x, key, missing=True, empty=True))
    scores = numeric("log_prob", log_prob).astype(np.float64)
    if scores.shape != observed.shape[:1]:
        raise ValueError(f"log_prob must be [{len(observed)}], one a row of x, got shape {scores.shape}")
    sets, of_row = np.unique(observed, axis=0, return_inverse=True)
    if sets.all():
        return scores, []
    sets, key = np.concatenate([np.ones_like(sets[:1]), sets]), jax.random.fold_in(key, streams.Score.REFERENCE)
    found = evaluation.marginal_moments(model, sets, key=key, rows=rows, k=k, progress=progress)
    mean, deviation = (part[1:][of_row.reshape(-1)] for part in (found.mean, found.deviation))
    standard = np.where(observed.any(axis=1), (scores - mean) / deviation, 0.0)
    comparable = found.mean[0] + found.deviation[0] * standard
    return np.where(observed.all(axis=1), scores, comparable), found.warnings()
