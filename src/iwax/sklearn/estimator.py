"""What the estimators share: parameters, the model they are made into, and how it is trained."""

from functools import partial
from typing import Any

import jax
import numpy as np
import optax
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from iwax import bounds, gradients, likelihoods, nn, posteriors, priors, training
from iwax.model import LatentVariableModel
from iwax.sklearn.rows import refuse_unusable
from iwax.training import Plan, State

__all__ = ["LatentVariableEstimator", "new_seed"]

_LIKELIHOODS = ("gaussian", "student_t")
_LARGEST = 1e30  # of a value, far inside single precision when it is squared in units of the feature's spread


class LatentVariableEstimator(BaseEstimator):
    """A model of standardised features, ``z ~ N(0, I)``, ``x ~ p(x|z)``, trained on the observed ones of every row.

    Not to be used by itself: `IWAE`, `VAE`, `IWAEImputer` and `IWAEOutlierDetector` are.
    """

    # set by the subclasses' __init__
    n_components: int
    hidden_layer_sizes: tuple[int, ...]
    activation: str
    likelihood: str
    learning_rate_init: float
    batch_size: int
    max_iter: int
    validation_fraction: float
    n_iter_no_change: int | None
    random_state: Any

    _bound = bounds.iwae
    _k = 1

    def __sklearn_tags__(self) -> Any:
        """A NaN is a missing value."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _train(self, X: Any) -> np.ndarray:
        """Fit a new model to the rows; gives them as numbers."""
        x = self._rows(X, reset=True)
        self.seed_ = seed = new_seed(self.random_state)
        order = np.random.default_rng(seed).permutation(len(x))
        held_out = int(self.validation_fraction * len(x)) if self.n_iter_no_change else 0
        train, valid = x[order[held_out:]], x[order[:held_out]]
        loc, scale = self._units(x)
        self.model_ = self._model(loc, scale, seed)
        self._ascend(train, valid if held_out else None, self.max_iter, cosine=True)
        return x

    def _rows(self, X: Any, *, reset: bool) -> np.ndarray:
        least = 2 if reset else 1
        x = np.asarray(
            validate_data(
                self, X, reset=reset, dtype=np.float64, ensure_all_finite="allow-nan", ensure_min_samples=least
            )
        )
        names = getattr(self, "feature_names_in_", None)
        named = [f"feature {j}" if names is None else f"feature {names[j]!r}" for j in range(x.shape[1])]
        holes = np.isnan(x)
        if holes.all(axis=1).any() or (reset and holes.all(axis=0).any()):
            refuse_unusable(x, named)
        if np.abs(np.where(holes, 0, x)).max() > _LARGEST:
            raise ValueError(f"Input X has a value too large for single precision: above {_LARGEST:g}; use other units")
        return x

    def _units(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of the observed values of every feature; of a constant one, 1."""
        loc, scale = np.nanmean(x, axis=0), np.nanstd(x, axis=0)
        constant = scale <= 1e-7 * np.maximum(np.abs(loc), 1e-30)
        return loc, np.where(constant, np.maximum(np.abs(loc), 1.0), scale)

    def _model(self, loc: np.ndarray, scale: np.ndarray, seed: int) -> LatentVariableModel:
        if self.likelihood not in _LIKELIHOODS:
            raise ValueError(f"likelihood must be one of {', '.join(_LIKELIHOODS)}: got {self.likelihood!r}")
        of_decoder, of_encoder = jax.random.split(jax.random.key(seed))
        features, latent, hidden = len(loc), self.n_components, tuple(self.hidden_layer_sizes)
        coding = nn.Coding(loc, scale, mask=True)
        heads = 2 if self.likelihood == "gaussian" else 3
        decoder = nn.MLP(
            latent, hidden[::-1], heads * features, key=of_decoder, heads=heads, activation=self.activation
        )
        encoder = nn.MLP(coding.features, hidden, 2 * latent, key=of_encoder, heads=2, activation=self.activation)
        made = likelihoods.Gaussian if self.likelihood == "gaussian" else likelihoods.StudentT
        return LatentVariableModel(
            prior=priors.StandardNormal(latent),
            likelihood=likelihoods.Scaled(made.of_network(decoder), loc, scale),
            posterior=posteriors.Coded(posteriors.Gaussian(encoder), coding),
        )

    def _ascend(self, x: np.ndarray, valid: np.ndarray | None, epochs: int, *, cosine: bool) -> None:
        batch = min(self.batch_size, len(x))
        steps = training.steps_per_epoch(len(x), batch)
        rate = optax.cosine_decay_schedule(self.learning_rate_init, epochs * steps) if cosine else None
        optimizer = optax.adam(self.learning_rate_init if rate is None else rate)
        objective = partial(gradients.surrogate, k=self._k, estimator=gradients.pathwise(self._bound))
        plan = Plan(
            epochs=epochs,
            batch=batch,
            seed=self.seed_,
            missing=bool(np.isnan(x).any() or (valid is not None and np.isnan(valid).any())),
            piece=training.rows_a_piece(batch, self._k),
            validate_every=0 if valid is None else max(1, epochs // 50),
            patience=None if valid is None else self.n_iter_no_change,
        )
        best = _Best()
        start = training.initial_state(self.model_, optimizer)
        single = x.astype(np.float32), None if valid is None else valid.astype(np.float32)
        state = training.train(
            start, objective, single[0], optimizer=optimizer, plan=plan, valid=single[1], observer=best
        )
        self.model_ = state.model if best.model is None else best.model
        self.n_iter_ = int(state.step) // steps
        self.bounds_ = best.bounds

    def _key(self, purpose: int) -> Any:
        check_is_fitted(self)
        return jax.random.fold_in(jax.random.key(self.seed_), purpose)


def new_seed(random_state: Any) -> int:
    """A seed below 2^31 - 1, drawn from what scikit-learn takes for a ``random_state``.

    >>> new_seed(0) == new_seed(0)
    True
    """
    return int(check_random_state(random_state).randint(2**31 - 1))


class _Best:
    """Keeps the model that was best on the validation rows, and the bound of every epoch."""

    def __init__(self) -> None:
        self.model: Any = None
        self.bounds: list[float] = []

    def stretch(self, state: State, progress: Any) -> bool:
        return False

    def epoch(self, state: State, row: dict[str, int | float]) -> None:
        self.bounds.append(float(row["bound"]))

    def improved(self, state: State) -> None:
        self.model = state.model
