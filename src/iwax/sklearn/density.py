"""Density models: log p(x), embeddings, new rows."""

from dataclasses import KW_ONLY, dataclass
from numbers import Integral
from typing import Any, ClassVar, Self

import jax
import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, DensityMixin, TransformerMixin, _fit_context
from sklearn.utils import check_array, check_scalar
from sklearn.utils.validation import check_is_fitted

from iwax import evaluation, inference
from iwax.sklearn.estimator import (
    AT_LEAST_ONE,
    LatentVariableEstimator,
    new_seed,
)
from iwax.sklearn.rows import BLOCK, padded, read_by, with_missing
from iwax.streams import Run

__all__ = ["IWAE", "VAE"]


@dataclass(eq=False, repr=False)
class VAE(ClassNamePrefixFeaturesOutMixin, TransformerMixin, DensityMixin, LatentVariableEstimator):
    """A variational autoencoder of real features: ``z ~ p(z)``, ``x ~ p(x|z)``, trained by the ELBO.

    Kingma and Welling (2014, arXiv:1312.6114). NaN is a missing value: the bound is then that on the log-density of
    what was observed (Mattei and Frellsen 2019, arXiv:1812.02633). The model is one of features standardised; densities
    (in nats), samples and decoded values are in the units of X.

    The scale of p(x|z) is at least a thousandth of the feature's standard deviation, or the density of a feature that
    takes few values could grow without bound. A constant feature has scale 1, as in `StandardScaler`, and is learned
    like the others: its density is finite, and a row with another value there is an unlikely one.

    Parameters
    ----------
    n_components : int, default=16
        Latent units.
    hidden_layer_sizes : tuple of int, default=(96, 96)
        Hidden layers of what bends the encoder's affine map; the decoder has them in reverse. Without any, both are
        affine.
    activation : str, default="tanh"
        One of `iwax.nn.ACTIVATIONS`.
    likelihood : {"gaussian", "student_t"}, default="student_t"
        p(x|z), its location and scale given by the decoder; the degrees of freedom are one learned number per feature.
    prior_components : int, default=20
        Gaussians in the mixture, learned, that is p(z); with 1, p(z) is N(0, I).
    n_score_samples : int, default=500
        Draws of the estimate of log p(x).
    learning_rate_init : float, default=4e-3
        Adam's, decaying to 0 along a cosine; in `partial_fit` it stays.
    batch_size, max_iter : int, int or None, default=64, None
        Rows per step, and epochs. None: as many epochs as 8,000 steps take, from 10 to 700.
    validation_fraction, n_iter_no_change : float, int or None, default=0.1, 20
        The share of rows by which the best model is chosen, and after how many validations without a better one
        training ends; there are about 50 in max_iter epochs. None: the last model is taken, and all rows are trained
        on.
    random_state : int, RandomState or None, default=None
        The seed of the first weights, of the order of rows, and of all draws, those of a fitted model among them.

    Attributes
    ----------
    model_ : iwax.model.LatentVariableModel
        The model of ``(X - mean_) / scale_``.
    mean_, scale_ : array of shape (n_features_in_,)
        Mean and standard deviation of what was observed of every feature.
    bounds_ : list of float
        The bound in every epoch, nats per row.
    n_iter_, n_features_in_, seed_ : int
    feature_names_in_ : array of str
        Where X had names.

    >>> VAE(n_components=2, hidden_layer_sizes=(8,), max_iter=5)
    VAE(hidden_layer_sizes=(8,), max_iter=5, n_components=2)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **LatentVariableEstimator._parameter_constraints,
        "n_score_samples": [AT_LEAST_ONE],
    }

    _: KW_ONLY
    n_score_samples: int = 500

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """One more epoch on the rows of X, at a constant rate; the first call sets the units of the features.

        All rows are trained on. Every call compiles the epoch again, seconds that large pieces of X repay.
        """
        self._fit_epoch(X)
        return self

    def score_samples(self, X: Any) -> np.ndarray:
        """log p(x) of every row [n], nats; of the observed values, where some are missing, and 0 where all are.

        It is higher the more are missing: `iwax.sklearn.IWAEOutlierDetector` compares such rows.
        """
        return self.evidence(X).log_evidence

    def evidence(self, X: Any) -> evaluation.Evidence:
        """log p(x) of every row with its Monte-Carlo error, and what the importance weights know of themselves."""
        return self._evidence(X, self.n_score_samples)

    def score(self, X: Any, y: Any = None) -> float:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The mean log p(x), nats per row."""
        return float(self.score_samples(X).mean())

    def transform(self, X: Any) -> np.ndarray:
        """The means [n, n_components] of q(z|x); of p(z), where no value of a row was observed."""
        check_is_fitted(self)
        x, key = self._rows(X), self._key(Run.EMBEDDINGS)
        empty = np.isnan(x).all(axis=1, keepdims=True)
        y = padded(with_missing(self._units.inner(np.where(empty, self.mean_, x))))
        z = inference.embed(self.model_, y, key=key, missing=True, batch=BLOCK)[: len(x)]
        return np.asarray(np.where(empty, self.model_.prior(None, key=key).mean, z), np.float64)

    def inverse_transform(self, Z: Any) -> np.ndarray:
        """The means [n, D] of p(x|z), in the units of X."""
        check_is_fitted(self)
        z = read_by(check_array, "Z", Z, missing=False)
        if z.shape[1] != self._n_features_out:
            raise ValueError(
                f"Z has {z.shape[1]} features, but {type(self).__name__} is expecting its {self._n_features_out} "
                "components as input"
            )
        means = inference.decode(self.model_, padded(z), key=self._key(Run.DECODING), batch=BLOCK)
        return self._units.outer(means[: len(z)])

    def sample(self, n_samples: int = 1, *, random_state: Any = None) -> np.ndarray:
        """New rows [n_samples, D], the same ones at every call unless there is a ``random_state``.

        The first rows of many are those of few.
        """
        check_is_fitted(self)
        n = check_scalar(n_samples, "n_samples", Integral, min_val=1)
        key = self._key(Run.SAMPLES)
        if random_state is not None:
            key = jax.random.fold_in(key, new_seed(random_state))
        drawn = inference.generate(self.model_, -(-n // BLOCK) * BLOCK, key=key, batch=BLOCK).sample
        return self._units.outer(drawn[:n])

    @property
    def _n_features_out(self) -> int:
        prior: Any = self.model_.prior
        return prior.features


@dataclass(eq=False, repr=False)
class IWAE(VAE):
    """An importance-weighted autoencoder of real features: as `VAE`, trained by the bound of ``k`` draws.

    Burda, Grosse and Salakhutdinov (2016, arXiv:1509.00519); on rows with missing values, MIWAE of Mattei and
    Frellsen (2019, arXiv:1812.02633).

    Parameters
    ----------
    n_components : int, default=16
        Latent units.
    k : int, default=5
        Draws of the bound.
    others
        As in `VAE`.

    Attributes
    ----------
    model_, mean_, scale_, bounds_, n_iter_, n_features_in_, feature_names_in_, seed_
        As in `VAE`.

    >>> iwae = IWAE(n_components=2, k=3, hidden_layer_sizes=(4,), max_iter=1, random_state=0)
    >>> iwae.fit([[0.0, 1.0], [2.0, np.nan], [3.0, 5.0]]).transform([[1.0, 2.0]]).shape
    (1, 2)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {**VAE._parameter_constraints, "k": [AT_LEAST_ONE]}

    _: KW_ONLY
    k: int = 5
