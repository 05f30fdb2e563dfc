"""Missing values filled by a model of the rows that they are missing from."""

from dataclasses import KW_ONLY, dataclass
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.base import OneToOneFeatureMixin, TransformerMixin
from sklearn.utils import check_scalar
from sklearn.utils.validation import check_is_fitted

from iwax import inference
from iwax.sklearn.estimator import AT_LEAST_ONE, LatentVariableEstimator
from iwax.sklearn.rows import BLOCK, numbers, padded
from iwax.streams import Run

__all__ = ["IWAEImputer"]


@dataclass(eq=False, repr=False)
class IWAEImputer(OneToOneFeatureMixin, TransformerMixin, LatentVariableEstimator):
    """Fill the NaN of a table with ``E[x_missing | x_observed]`` under an importance-weighted autoencoder of its rows.

    MIWAE of Mattei and Frellsen (2019, arXiv:1812.02633), trained on the observed values; a row's imputation is the
    mean of p(x|z) over draws of q(z|x_observed) with weights p(x_observed, z) / q(z|x_observed). `multiple` draws whole
    tables instead. A row without an observed value is filled from p(x): with the unconditional means, or draws. Every
    feature needs an observed value in training.

    Parameters
    ----------
    n_components : int, default=16
        Latent units.
    k : int, default=5
        Draws of the bound that is trained.
    n_impute_samples : int, default=1000
        Draws of an imputation.
    others
        As in `iwax.sklearn.VAE`.

    Attributes
    ----------
    model_, mean_, scale_, bounds_, n_iter_, n_features_in_, feature_names_in_, seed_
        As in `iwax.sklearn.VAE`.

    >>> IWAEImputer(n_components=2, n_impute_samples=100).set_params(k=50)
    IWAEImputer(k=50, n_components=2, n_impute_samples=100)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **LatentVariableEstimator._parameter_constraints,
        "k": [AT_LEAST_ONE],
        "n_impute_samples": [AT_LEAST_ONE],
    }

    _: KW_ONLY
    k: int = 5
    n_impute_samples: int = 1000

    def transform(self, X: Any) -> np.ndarray:
        """X with its NaN filled; other values are untouched."""
        return self.imputation(X).values

    def multiple(self, X: Any, n_draws: int) -> np.ndarray:
        """``n_draws`` tables [n_draws, n, D], each with its NaN drawn from p(x_missing | x_observed).

        Equal rows are filled alike within a table, those without an observed value among them.
        """
        check_scalar(n_draws, "n_draws", Integral, min_val=1)
        return np.asarray(self.imputation(X, n_draws=n_draws).draws)

    def imputation(self, X: Any, *, n_draws: int = 0) -> inference.Imputation:
        """Filled values with their Monte-Carlo errors, effective sample sizes and, with ``n_draws``, draws of tables.

        Only rows with missing values are worked on, always as many at once: none depends on the others or their number.
        """
        check_is_fitted(self)
        draws, k = check_scalar(n_draws, "n_draws", Integral, min_val=0), self.n_impute_samples
        x = self._rows(X)
        missing = np.isnan(x)
        error, ess, shape = np.zeros(x.shape), np.full(len(x), np.nan), np.full(len(x), np.nan)
        tables = np.repeat(x[None], 1 + draws, axis=0)  # the means, and the draws
        empty = missing.all(axis=1)
        for group in (missing.any(axis=1) & ~empty, empty):
            at = np.flatnonzero(group)
            if not len(at):
                continue
            y, key, n = padded(self._units.inner(x[at])), self._key(Run.IMPUTATIONS), len(at)
            found = inference.impute(self.model_, y, k=k, key=key, draws=draws, rows=numbers(y), batch=BLOCK)
            inner = found.values[None] if found.draws is None else np.concatenate([found.values[None], found.draws])
            tables[:, at] = np.where(missing[at], self._units.outer(inner[:, :n]), x[at])
            error[at], ess[at], shape[at] = self.scale_ * found.error[:n], found.ess[:n], found.pareto_k[:n]
        return inference.Imputation(k, tables[0], error, ess, missing, tables[1:] if draws else None, shape)
