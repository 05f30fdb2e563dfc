"""How far probabilities of classes can be believed."""

import numpy as np

from iwax._typing import ArrayLike
from iwax.evaluation.tables import numeric

__all__ = ["brier_score", "expected_calibration_error"]


def expected_calibration_error(probabilities: ArrayLike, labels: ArrayLike, *, bins: int = 15) -> float:
    """``sum_b (n_b / n) |share right in b - mean confidence in b|`` over bins of the highest probability of each row.

    0 is what a classifier has whose confidence of p is right in a share p of cases (Guo et al. 2017, arXiv:1706.04599).
    ``probabilities`` [n, classes], ``labels`` [n] from 0. Raises ValueError for other shapes, labels that are no class,
    and rows that do not sum to 1.

    >>> expected_calibration_error([[0.75, 0.25]] * 4, [0, 0, 0, 1])
    0.0
    """
    p, y = _checked(probabilities, labels)
    confidence, right = p.max(axis=1), p.argmax(axis=1) == y
    of = np.minimum((confidence * bins).astype(int), bins - 1)
    count = np.bincount(of, minlength=bins)
    gap = np.bincount(of, right - confidence, minlength=bins)
    return float(np.abs(gap[count > 0]).sum() / len(y))


def brier_score(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """``(1/n) sum_i sum_c (p_ic - 1[y_i = c])^2``, from 0 to 2 (Brier 1950, Monthly Weather Review 78, 1).

    A proper score: it is least, in expectation, for the true probabilities. Raises ValueError as
    `expected_calibration_error` does.

    >>> brier_score([[1.0, 0.0], [0.5, 0.5]], [0, 1])
    0.25
    """
    p, y = _checked(probabilities, labels)
    return float(np.square(p - np.eye(p.shape[1])[y]).sum(axis=1).mean())


def _checked(probabilities: ArrayLike, labels: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    p, y = numeric("probabilities", probabilities).astype(np.float64), np.asarray(labels)
    if p.ndim != 2 or y.shape != p.shape[:1] or not len(y):
        raise ValueError(f"probabilities [n, classes] and labels [n] are needed, got shapes {p.shape} and {y.shape}")
    if y.dtype.kind not in "iu" or y.min() < 0 or y.max() >= p.shape[1]:
        raise ValueError(
            f"labels need to be whole numbers from 0 to {p.shape[1] - 1}, got {y.dtype} {y.min()}..{y.max()}"
        )
    if (p < 0).any() or not np.allclose(p.sum(axis=1), 1, atol=1e-4):
        row = int(np.argmax(np.abs(p.sum(axis=1) - 1)))
        raise ValueError(f"probabilities of a row need to be from 0 and sum to 1, got {p[row]} in row {row}")
    return p, y
