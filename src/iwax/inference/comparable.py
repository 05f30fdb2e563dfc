"""Scores of rows of which different cells are missing, made comparable."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from iwax import evaluation, streams
from iwax._typing import ArrayLike, PRNGKey
from iwax.evaluation.rows import as_one_table, checked
from iwax.evaluation.tables import numeric
from iwax.model import LatentVariableModel
from iwax.parts import Datum

__all__ = ["comparable_scores"]


def comparable_scores(
    model: LatentVariableModel,
    x: ArrayLike | Datum,
    log_prob: ArrayLike,
    *,
    key: PRNGKey,
    rows: int = 1000,
    k: int = 100,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[np.ndarray, list[str]]:
    """``m + d (log p(x_S) - m_S) / d_S``, nats, [n]: log p(x) that a whole row as unusual as this one would have.

    S are the cells of a row of x [n, *event] that are not missing (NaN), ``log_prob`` [n] is its log p(x_S); m_S and
    d_S are mean and standard deviation of log p(x_S) over rows of the model, and m and d those for whole rows
    (`iwax.evaluation.marginal_moments`, of ``rows`` rows and k draws). The score of a whole row is its log p(x), and
    the lower a score, the more a row is an outlier, however many of its cells are missing. A row without a value has
    the score m. For rows with covariates c all this is given c, and is computed for every c that occurs, which takes as
    long. With the scores come reasons to distrust them. Raises ValueError as `marginal_moments` does.
    """
    points = checked(model, x, None, key, missing=True, empty=True)
    observed: np.ndarray = ~np.isnan(as_one_table(points))
    scores = numeric("log_prob", log_prob).astype(np.float64)
    if scores.shape != observed.shape[:1]:
        raise ValueError(f"log_prob must be [{len(observed)}], one per row of x, got shape {scores.shape}")
    whole = np.asarray(observed.reshape(len(points), -1).all(axis=1))
    key, comparable, warnings = jax.random.fold_in(key, streams.Score.REFERENCE), scores.copy(), []
    for at, given in _by_covariates(points.given, len(points)):
        if whole[at].all():
            continue
        sets, of_row = np.unique(observed[at], axis=0, return_inverse=True)
        sets = np.concatenate([np.ones_like(sets[:1]), sets])
        found = evaluation.marginal_moments(model, sets, key=key, rows=rows, k=k, given=given, progress=progress)
        mean, deviation = (part[1:][of_row.reshape(-1)] for part in (found.mean, found.deviation))
        known = observed[at].reshape(len(at), -1).any(axis=1)
        comparable[at] = found.mean[0] + found.deviation[0] * np.where(known, (scores[at] - mean) / deviation, 0.0)
        warnings += [each for each in found.warnings() if each not in warnings]
    return np.where(whole, scores, comparable), warnings


def _by_covariates(given: Any, n: int) -> Iterator[tuple[np.ndarray, Any]]:
    """The places of the rows that have the same covariates, and these; all n rows where there are none."""
    leaves = jax.tree.leaves(given)
    if not leaves:
        yield np.arange(n), given
        return
    numbers = [np.unique(leaf, axis=0, return_inverse=True)[1].reshape(n) for leaf in leaves]
    _, of_row = np.unique(np.stack(numbers, axis=1), axis=0, return_inverse=True)
    for group in range(of_row.max() + 1):
        at = np.flatnonzero(of_row.reshape(n) == group)
        yield at, jax.tree.map(lambda leaf, at=at: leaf[at[0]], given)
