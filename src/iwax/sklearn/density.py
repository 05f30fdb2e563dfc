"""Density models: log p(x), embeddings, new rows."""

from dataclasses import fields, replace
from typing import Any, Self

import jax
import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, DensityMixin, TransformerMixin
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from iwax import bounds, evaluation, inference
from iwax.sklearn.estimator import LatentVariableEstimator, new_seed
from iwax.sklearn.rows import BLOCK, numbers, padded

__all__ = ["IWAE", "VAE"]

_OF_SCORES, _OF_EMBEDDINGS, _OF_SAMPLES, _OF_DECODING = range(4)  # purposes of random numbers


class VAE(ClassNamePrefixFeaturesOutMixin, TransformerMixin, DensityMixin, LatentVariableEstimator):
    """A variational autoencoder of real features: ``z ~ N(0, I)``, ``x ~ p(x|z)``, trained by the ELBO.

    Kingma and Welling (2014, arXiv:1312.6114). NaN is a missing value: the bound is then that on the log-density of
    what was observed (Mattei and Frellsen 2019, arXiv:1812.02633). Features are standardised inside; densities, samples
    and decoded values are in the units of X.

    Parameters
    ----------
    n_components : int, default=10
        Latent units.
    hidden_layer_sizes : tuple of int, default=(128, 128)
        Hidden layers of the encoder; the decoder has them in reverse.
    activation : str, default="relu"
        One of `iwax.nn.ACTIVATIONS`.
    likelihood : {"gaussian", "student_t"}, default="gaussian"
        p(x|z), its location and scale given by the decoder.
    n_score_samples : int, default=500
        Draws of the estimate of log p(x).
    learning_rate_init : float, default=1e-3
        Adam's, decaying to 0 along a cosine.
    batch_size, max_iter : int, default=64, 200
        Rows a step, and passes through the rows.
    validation_fraction, n_iter_no_change : float, int or None, default=0.1, 10
        The share of rows by which the best model is kept, and after how many validations without a better one training
        ends; there are 50 of them in max_iter passes. None: the last model is kept, and all rows are trained on.
    random_state : int, RandomState or None, default=None

    Attributes
    ----------
    model_ : iwax.model.LatentVariableModel
    bounds_ : list of float
        The bound after every pass, nats a row.
    n_iter_, n_features_in_, feature_names_in_, seed_

    >>> from sklearn.datasets import load_iris
    >>> vae = VAE(n_components=2, hidden_layer_sizes=(8,), max_iter=5, random_state=0).fit(load_iris().data)
    >>> vae.transform(load_iris().data).shape, vae.score_samples(load_iris().data[:3]).shape
    ((150, 2), (3,))
    """

    def __init__(
        self,
        n_components: int = 10,
        *,
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
        self.n_components = n_components
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.likelihood = likelihood
        self.n_score_samples = n_score_samples
        self.learning_rate_init = learning_rate_init
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.random_state = random_state

    _bound = bounds.elbo

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train on the rows of X [n, D]; NaN is a missing value."""
        self._train(X)
        return self

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """One more pass over the rows of X, at the constant rate; the first call sets the units of the features."""
        if not hasattr(self, "model_"):
            x = self._rows(X, reset=True)
            self.seed_ = new_seed(self.random_state)
            self.model_ = self._model(*self._units(x), self.seed_)
        self._ascend(self._rows(X, reset=False), None, 1, cosine=False)
        return self

    def score_samples(self, X: Any) -> np.ndarray:
        """log p(x) of every row [n], nats; of the observed values, where some are missing."""
        return self.evidence(X).log_evidence

    def evidence(self, X: Any) -> evaluation.Evidence:
        """log p(x) of every row with its Monte-Carlo error, and what the importance weights know of themselves."""
        check_is_fitted(self)
        x = self._rows(X, reset=False)
        rows = padded(x)
        key, k = self._key(_OF_SCORES), self.n_score_samples
        found = evaluation.log_evidence(self.model_, rows, k=k, key=key, rows=numbers(rows), missing=True, batch=BLOCK)
        columns = [each.name for each in fields(found) if each.name != "k"]
        return replace(found, **{name: getattr(found, name)[: len(x)] for name in columns})

    def score(self, X: Any, y: Any = None) -> float:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The mean log p(x), nats a row."""
        return float(self.score_samples(X).mean())

    def transform(self, X: Any) -> np.ndarray:
        """The means [n, n_components] of q(z|x)."""
        check_is_fitted(self)
        x = self._rows(X, reset=False)
        z = inference.embed(self.model_, padded(x), key=self._key(_OF_EMBEDDINGS), missing=True, batch=BLOCK)
        return np.asarray(z[: len(x)], np.float64)

    def inverse_transform(self, Z: Any) -> np.ndarray:
        """The means [n, D] of p(x|z), in the units of X."""
        check_is_fitted(self)
        z = np.asarray(check_array(Z, dtype="numeric"), np.float64)
        if z.shape[1] != self.n_components:
            raise ValueError(f"Z has {z.shape[1]} features, but n_components={self.n_components} are expected")
        means = inference.decode(self.model_, padded(z), key=self._key(_OF_DECODING), batch=BLOCK)
        return np.asarray(means[: len(z)], np.float64)

    def sample(self, n_samples: int = 1, *, random_state: Any = None) -> np.ndarray:
        """New rows [n_samples, D]: the same ones at every call, unless there is a ``random_state``."""
        check_is_fitted(self)
        key = self._key(_OF_SAMPLES)
        if random_state is not None:
            key = jax.random.fold_in(key, new_seed(random_state))
        if n_samples < 1:
            raise ValueError(f"n_samples must be at least 1: got {n_samples}")
        return np.asarray(inference.generate(self.model_, n_samples, key=key).sample, np.float64)

    @property
    def _n_features_out(self) -> int:
        return self.n_components


class IWAE(VAE):
    """An importance-weighted autoencoder of real features: as `VAE`, trained by the bound of ``k`` draws.

    Burda, Grosse and Salakhutdinov (2016, arXiv:1509.00519); on rows with holes, MIWAE of Mattei and Frellsen (2019,
    arXiv:1812.02633).

    Parameters
    ----------
    n_components : int, default=10
        Latent units.
    k : int, default=20
        Draws of the bound.
    others
        As in `VAE`.

    >>> from sklearn.datasets import load_iris
    >>> iwae = IWAE(n_components=2, hidden_layer_sizes=(8,), max_iter=5, random_state=0).fit(load_iris().data)
    >>> iwae.sample(3).shape
    (3, 4)
    """

    def __init__(
        self,
        n_components: int = 10,
        *,
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
        self.k = k

    _bound = bounds.iwae

    @property
    def _k(self) -> int:
        return self.k
