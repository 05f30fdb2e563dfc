"""Missing values filled by a model of the rows that they are missing from."""

from typing import Any, Self

import numpy as np
from sklearn.base import OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from iwax import bounds, inference
from iwax.sklearn.estimator import LatentVariableEstimator
from iwax.sklearn.rows import BLOCK, numbers, padded

__all__ = ["IWAEImputer"]

_OF_IMPUTATIONS = 8  # a purpose of random numbers


class IWAEImputer(OneToOneFeatureMixin, TransformerMixin, LatentVariableEstimator):
    """Fills the NaN of a table with ``E[x_missing | x_observed]`` under an importance-weighted autoencoder of its rows.

    MIWAE of Mattei and Frellsen (2019, arXiv:1812.02633), trained on the observed values; a row's imputation is the
    mean of p(x|z) over draws of q(z|x_observed), weighed by p(x_observed, z) / q(z|x_observed). `multiple` draws whole
    tables instead.

    Parameters
    ----------
    n_components : int, default=10
        Latent units.
    k : int, default=20
        Draws of the bound that is trained.
    n_impute_samples : int, default=1000
        Draws of an imputation.
    others
        As in `iwax.sklearn.VAE`.

    >>> from sklearn.datasets import load_iris
    >>> x = load_iris().data.copy()
    >>> x[::7, 2] = np.nan
    >>> imputer = IWAEImputer(n_components=2, hidden_layer_sizes=(8,), max_iter=5, random_state=0)
    >>> filled = imputer.fit_transform(x)
    >>> bool(np.isnan(filled).any()), bool((filled[1] == x[1]).all())
    (False, True)
    """

    def __init__(
        self,
        n_components: int = 10,
        *,
        k: int = 20,
        hidden_layer_sizes: tuple[int, ...] = (128, 128),
        activation: str = "relu",
        likelihood: str = "gaussian",
        n_impute_samples: int = 1000,
        learning_rate_init: float = 1e-3,
        batch_size: int = 64,
        max_iter: int = 200,
        validation_fraction: float = 0.1,
        n_iter_no_change: int | None = 10,
        random_state: Any = None,
    ) -> None:
        self.n_components = n_components
        self.k = k
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.likelihood = likelihood
        self.n_impute_samples = n_impute_samples
        self.learning_rate_init = learning_rate_init
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.random_state = random_state

    _bound = bounds.iwae

    @property
    def _k(self) -> int:
        return self.k

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train on the observed values of X [n, D]."""
        self._train(X)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """X with its NaN filled; other values are untouched."""
        return self.imputation(X).values

    def multiple(self, X: Any, n_draws: int) -> np.ndarray:
        """``n_draws`` tables [n_draws, n, D], each with its NaN drawn from p(x_missing | x_observed)."""
        found = self.imputation(X, n_draws=n_draws).draws
        return np.empty((0, *np.shape(X))) if found is None else found

    def imputation(self, X: Any, *, n_draws: int = 0) -> inference.Imputation:
        """Filled values with their Monte-Carlo errors, effective sample sizes and, perhaps, draws."""
        check_is_fitted(self)
        x = self._rows(X, reset=False)
        rows, key = padded(x), self._key(_OF_IMPUTATIONS)
        found = inference.impute(
            self.model_, rows, k=self.n_impute_samples, key=key, draws=n_draws, rows=numbers(rows), batch=BLOCK
        )
        n = len(x)
        draws = None if found.draws is None else found.draws[:, :n]
        return inference.Imputation(found.k, found.values[:n], found.error[:n], found.ess[:n], found.missing[:n], draws)
