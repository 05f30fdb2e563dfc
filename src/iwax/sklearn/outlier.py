"""Outliers."""

from dataclasses import KW_ONLY, dataclass
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import OutlierMixin, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions

from iwax import evaluation, inference
from iwax.sklearn.estimator import AT_LEAST_ONE, LatentVariableEstimator
from iwax.streams import Run

__all__ = ["IWAEOutlierDetector"]


@dataclass(eq=False, repr=False)
class IWAEOutlierDetector(OutlierMixin, LatentVariableEstimator):
    """Outliers by log p(x) under an importance-weighted autoencoder of the rows.

    A row's score is log p(x), lower for outliers, or, with ``outlier_score="typicality"``,
    ``-|log p(x) - mean log p|``, the mean over the training rows (Nalisnick et al. 2019, arXiv:1906.02994): a plain
    density can be higher for rows that are simpler than any that was trained on. Where values are missing, log p(x) is
    that of the others less its mean, and over its standard deviation, under the model, brought to those of whole rows
    (`iwax.inference.comparable_scores`): how many are missing does not move it. `evidence` has log p(x) itself.

    Parameters
    ----------
    n_components : int, default=16
        Latent units.
    contamination : float, default=0.1
        The share of the training rows that lie below the threshold, in (0, 0.5].
    outlier_score : {"log_prob", "typicality"}, default="log_prob"
    k : int, default=5
        Draws of the bound that is trained.
    others
        As in `iwax.sklearn.VAE`.

    Attributes
    ----------
    offset_ : float
        The threshold: ``decision_function`` is the score less it.
    mean_log_prob_ : float
        The mean of log p(x) over the training rows, nats, made comparable where values are missing.
    model_, mean_, scale_, bounds_, n_iter_, n_features_in_, feature_names_in_, seed_
        As in `iwax.sklearn.VAE`.

    >>> IWAEOutlierDetector(contamination=0.05).get_params()["outlier_score"]
    'log_prob'
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **LatentVariableEstimator._parameter_constraints,
        "contamination": [Interval(Real, 0, 0.5, closed="right")],
        "outlier_score": [StrOptions({"log_prob", "typicality"})],
        "k": [AT_LEAST_ONE],
        "n_score_samples": [AT_LEAST_ONE],
    }

    _: KW_ONLY
    contamination: float = 0.1
    outlier_score: str = "log_prob"
    k: int = 5
    n_score_samples: int = 500

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Train on the rows of X, and set the threshold."""
        self._fit_rows(X)
        log_prob = self._comparable(X)[~np.isnan(self._rows(X)).all(axis=1)]
        self.mean_log_prob_ = float(log_prob.mean())
        self.offset_ = float(np.percentile(self._score(log_prob), 100 * self.contamination))
        return self

    def evidence(self, X: Any) -> evaluation.Evidence:
        """log p(x) of every row with its Monte-Carlo error, and what the importance weights know of themselves."""
        return self._evidence(X, self.n_score_samples)

    def score_samples(self, X: Any) -> np.ndarray:
        """The score of every row [n]: lower for outliers."""
        return self._score(self._comparable(X))

    def decision_function(self, X: Any) -> np.ndarray:
        """The score less the threshold: below 0 for outliers."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> np.ndarray:
        """-1 for outliers, 1 for the others."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def _comparable(self, X: Any) -> np.ndarray:
        """log p(x) [n], of rows with missing values as that of whole ones."""
        found, x = self.evidence(X), self._rows(X)
        volume, whole = self._units.log_volume(x), np.log(self.scale_).sum()
        inner, key = found.log_evidence + volume, self._key(Run.REFERENCE)
        scores, _ = inference.comparable_scores(self.model_, self._units.inner(x), inner, key=key)
        return np.where(np.isnan(x).any(axis=1), scores - whole, found.log_evidence)

    def _score(self, log_prob: np.ndarray) -> np.ndarray:
        return log_prob if self.outlier_score == "log_prob" else -np.abs(log_prob - self.mean_log_prob_)
