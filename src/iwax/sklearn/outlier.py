"""Rows that are unlike the others."""

from typing import Any, Self

import numpy as np
from sklearn.base import OutlierMixin

from iwax.sklearn.density import IWAE

__all__ = ["IWAEOutlierDetector"]


class IWAEOutlierDetector(OutlierMixin, IWAE):
    """Outliers by log p(x) under an importance-weighted autoencoder of the rows.

    A row's score is log p(x), the lower the more unlike the others, or, with ``score="typicality"``,
    ``-|log p(x) - mean log p|`` over the training rows (Nalisnick et al. 2019, arXiv:1906.02994): a plain density can
    be higher for rows that are simpler than any that was trained on. Rows with missing values are judged by those
    observed.

    Parameters
    ----------
    contamination : float, default=0.1
        The share of the training rows that lie below the threshold.
    outlier_score : {"log_prob", "typicality"}, default="log_prob"
    others
        As in `iwax.sklearn.IWAE`.

    Attributes
    ----------
    offset_ : float
        The threshold: ``decision_function`` is the score less it.

    >>> from sklearn.datasets import load_iris
    >>> detector = IWAEOutlierDetector(n_components=2, hidden_layer_sizes=(8,), max_iter=5, random_state=0)
    >>> set(detector.fit_predict(load_iris().data).tolist()) == {-1, 1}
    True
    """

    def __init__(
        self,
        n_components: int = 10,
        *,
        contamination: float = 0.1,
        outlier_score: str = "log_prob",
        k: int = 20,
        hidden_layer_sizes: tuple[int, ...] = (128, 128),
        activation: str = "relu",
        likelihood: str = "gaussian",
        n_score_samples: int = 500,
        learning_rate_init: float = 1e-3,
        batch_size: int = 64,
        max_iter: int = 200,
        validation_fraction: float = 0.1,
        n_iter_no_change: int | None = 10,
        random_state: Any = None,
    ) -> None:
        super().__init__(
            n_components,
            k=k,
            hidden_layer_sizes=hidden_layer_sizes,
            activation=activation,
            likelihood=likelihood,
            n_score_samples=n_score_samples,
            learning_rate_init=learning_rate_init,
            batch_size=batch_size,
            max_iter=max_iter,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            random_state=random_state,
        )
        self.contamination = contamination
        self.outlier_score = outlier_score

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train on the rows of X, and set the threshold."""
        if not 0 < self.contamination <= 0.5:
            raise ValueError(f"contamination must lie above 0 and be at most 0.5: got {self.contamination}")
        if self.outlier_score not in ("log_prob", "typicality"):
            raise ValueError(f"outlier_score must be 'log_prob' or 'typicality': got {self.outlier_score!r}")
        super().fit(X)
        log_prob = self.evidence(X).log_evidence
        self.mean_log_prob_ = float(log_prob.mean())
        self.offset_ = float(np.percentile(self._outlier_score(log_prob), 100 * self.contamination))
        return self

    def score_samples(self, X: Any) -> np.ndarray:
        """The score of every row [n]: the lower, the more unlike the training rows."""
        return self._outlier_score(super().score_samples(X))

    def decision_function(self, X: Any) -> np.ndarray:
        """The score less the threshold: below 0 for outliers."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> np.ndarray:
        """-1 for outliers, 1 for the others."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def _outlier_score(self, log_prob: np.ndarray) -> np.ndarray:
        return log_prob if self.outlier_score == "log_prob" else -np.abs(log_prob - self.mean_log_prob_)
