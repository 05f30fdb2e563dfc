"""What the estimators share: parameters and their ranges, how rows are read, how a model is fitted and scored."""

from dataclasses import KW_ONLY, dataclass, replace
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import jax
import numpy as np
import optax
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from iwax import bounds, evaluation, gradients, nn, training
from iwax.model import LatentVariableModel
from iwax.sklearn.model import LIKELIHOODS, model_of
from iwax.sklearn.rows import BLOCK, numbers, padded, read_by, refuse_unobserved, with_missing, without_empty
from iwax.sklearn.units import Units
from iwax.streams import Run
from iwax.training.keeping import Keeper

__all__ = [
    "AT_LEAST_ONE",
    "LatentVariableEstimator",
    "new_seed",
]

AT_LEAST_ONE = Interval(Integral, 1, None, closed="left")
_VALIDATIONS = 50  # in a training, about
_STEPS, _LEAST, _MOST = 8_000, 10, 700  # of a training whose length was not given: steps, and limits of its epochs


class FittedAttributes(BaseEstimator):
    """What a fit finds."""

    model_: LatentVariableModel
    mean_: np.ndarray
    scale_: np.ndarray
    bounds_: list[float]
    n_iter_: int
    n_features_in_: int
    seed_: int


@dataclass(eq=False, repr=False)
class LatentVariableEstimator(FittedAttributes):
    """A model of standardised features, ``z ~ p(z)``, ``x ~ p(x|z)``, trained on the observed ones of every row.

    Not to be used by itself: `IWAE`, `VAE`, `IWAEImputer` and `IWAEOutlierDetector` are. The parameters are the fields
    of a dataclass, from which Python writes the constructor that scikit-learn reads them off; they are stored as given.
    """

    n_components: int = 16
    _: KW_ONLY
    hidden_layer_sizes: tuple[int, ...] = (96, 96)
    activation: str = "tanh"
    likelihood: str = "student_t"
    prior_components: int = 20
    learning_rate_init: float = 4e-3
    batch_size: int = 64
    max_iter: int | None = None
    validation_fraction: float = 0.1
    n_iter_no_change: int | None = 20
    random_state: Any = None

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_components": [AT_LEAST_ONE],
        "hidden_layer_sizes": ["array-like"],
        "activation": [StrOptions(set(nn.ACTIVATIONS))],
        "likelihood": [StrOptions(set(LIKELIHOODS))],
        "prior_components": [AT_LEAST_ONE],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "batch_size": [AT_LEAST_ONE],
        "max_iter": [AT_LEAST_ONE, None],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "n_iter_no_change": [AT_LEAST_ONE, None],
        "random_state": ["random_state"],
    }

    def __sklearn_tags__(self) -> Any:
        """A NaN is a missing value."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Train on the observed values of X [n, D]; NaN is a missing value."""
        self._fit_rows(X)
        return self

    def _fit_rows(self, X: Any) -> np.ndarray:
        """Fit a new model to the rows; gives them as numbers."""
        x = self._begin(X)
        order = np.random.default_rng(self.seed_).permutation(len(x))
        held_out = 0 if self.n_iter_no_change is None else int(self.validation_fraction * len(x))
        rows, valid = x[order[held_out:]], x[order[:held_out]]
        steps = training.steps_per_epoch(len(rows), min(self.batch_size, len(rows)))
        epochs = min(_MOST, max(_LEAST, -(-_STEPS // steps))) if self.max_iter is None else self.max_iter
        adam = _adam(optax.cosine_decay_schedule(self.learning_rate_init, epochs * steps))
        self._ascend(rows, valid, adam, epochs=epochs, seed=self.seed_)
        return x

    def _fit_epoch(self, X: Any) -> None:
        """One epoch at a constant rate, from where the last one ended."""
        begun = hasattr(self, "model_")
        x = without_empty(self._rows(X)) if begun else self._begin(X)
        seed = int(np.random.SeedSequence((self.seed_, self.n_iter_)).generate_state(1)[0])
        moments = getattr(self, "_moments", None)
        adam = _adam(self.learning_rate_init)
        self._moments = self._ascend(x, x[:0], adam, epochs=1, seed=seed, moments=moments)

    def _begin(self, X: Any) -> np.ndarray:
        """A new model in the units of the rows, which are given as numbers."""
        x = self._rows(X, reset=True)
        refuse_unobserved(x, self._names())
        x = without_empty(x)
        hidden = hidden_layers(self.hidden_layer_sizes)
        self.mean_, self.scale_ = Units.of(x, self._names())
        self.seed_ = new_seed(self.random_state)
        self.model_ = model_of(
            self.n_features_in_,
            int(self.n_components),
            hidden,
            activation=self.activation,
            components=int(self.prior_components),
            likelihood=self.likelihood,  # pyright: ignore[reportArgumentType]  # its range was checked
            key=jax.random.key(self.seed_),
        )
        self.bounds_, self.n_iter_, self._moments = [], 0, None
        return x

    def _ascend(
        self,
        x: np.ndarray,
        valid: np.ndarray,
        optimizer: optax.GradientTransformation,
        *,
        epochs: int,
        seed: int,
        moments: Any = None,
    ) -> Any:
        """Ascend the bound of k draws (the ELBO at k = 1) on rows [n, D], NaN not observed; the optimiser's state.

        With validation rows, the model is the one that was best on them, and training ends after ``n_iter_no_change``
        validations without a better one. ``moments`` are the state of the optimiser to begin with.
        """
        k, batch, validates = getattr(self, "k", 1), min(self.batch_size, len(x)), len(valid) > 0  # a VAE has one draw
        plan = training.Plan(
            epochs=epochs,
            batch=batch,
            seed=seed,
            missing=True,
            piece=training.rows_per_piece(batch, k),
            validate_every=max(1, epochs // _VALIDATIONS) if validates else 0,
            patience=self.n_iter_no_change if validates else None,
        )
        objective = gradients.Objective(gradients.pathwise(bounds.iwae), k)
        start = training.initial_state(self.model_, optimizer)
        start = start if moments is None else replace(start, optimizer=moments)
        rows, held_out = (self._units.inner(each).astype(np.float32) for each in (x, valid))
        try:
            with Keeper(start, folder=None, about={}, last=0) as keeper:
                end = training.train(
                    start, objective, rows, optimizer=optimizer, plan=plan, valid=held_out, observer=keeper
                )
        except training.NumericalStop as stop:
            raise ValueError(
                f"training needs finite numbers: {stop.cause} is not at step {stop.step}; lower learning_rate_init"
            ) from stop
        volume = float(self._units.log_volume(x).mean())
        self.model_ = end.model if keeper.best is None else keeper.best
        self.bounds_ = [*self.bounds_, *(float(row["bound"]) - volume for row in keeper.history)]
        self.n_iter_ += len(keeper.history)
        return end.optimizer

    @property
    def _units(self) -> Units:
        return Units(self.mean_, self.scale_)

    def _rows(self, X: Any, *, reset: bool = False) -> np.ndarray:
        """X as numbers [n, D], NaN where a value is missing or masked; refused where it is not fit for that."""
        finite, least = "allow-nan", 2 if reset else 1
        options = {"dtype": np.float64, "order": "C", "ensure_all_finite": finite, "ensure_min_samples": least}
        read = read_by(partial(validate_data, self, reset=reset, **options), "X", X, missing=True)
        if not reset:
            self._units.warn_of_far(read)
        return read

    def _names(self) -> list[str]:
        return [str(name) for name in getattr(self, "feature_names_in_", range(self.n_features_in_))]

    def _evidence(self, X: Any, k: int) -> evaluation.Evidence:
        """log p(x) of every row by k draws, in the units of X, with its Monte-Carlo error; 0 where nothing is known."""
        check_is_fitted(self)
        x = self._rows(X)
        empty = np.isnan(x).all(axis=1)
        y = padded(with_missing(self._units.inner(np.where(np.isnan(x).all(axis=1, keepdims=True), self.mean_, x))))
        key = self._key(Run.SCORES)
        found = evaluation.log_evidence(self.model_, y, k=k, key=key, rows=numbers(y), missing=True, batch=BLOCK)
        n, volume = len(x), self._units.log_volume(x)
        return replace(
            found,
            rows=np.arange(n),
            log_evidence=np.where(empty, 0, found.log_evidence[:n] - volume),
            monte_carlo_error=np.where(empty, 0, found.monte_carlo_error[:n]),
            elbo=np.where(empty, 0, found.elbo[:n] - volume),
            elbo_error=np.where(empty, 0, found.elbo_error[:n]),
            ess=np.where(empty, k, found.ess[:n]),
            pareto_k=np.where(empty, -np.inf, found.pareto_k[:n]),
        )

    def _key(self, stream: Run) -> Any:
        return jax.random.fold_in(jax.random.key(self.seed_), stream)


def _adam(rate: float | optax.Schedule) -> optax.GradientTransformation:
    """Adam on all weights as one vector: the same numbers, and a program that is compiled a second sooner."""
    return optax.flatten(optax.adam(rate))


def hidden_layers(sizes: Any) -> tuple[int, ...]:
    """The sizes of hidden layers as a tuple; ValueError where one is no whole number of at least 1.

    >>> hidden_layers([8, 4])
    (8, 4)
    """
    if not all(isinstance(size, int | np.integer) and size >= 1 for size in sizes):
        raise ValueError(f"hidden_layer_sizes must be whole numbers in the range [1, inf). Got {sizes!r} instead.")
    return tuple(int(size) for size in sizes)


def new_seed(random_state: Any) -> int:
    """A seed below 2^31 - 1, drawn from what scikit-learn takes for a ``random_state``.

    >>> new_seed(0) == new_seed(0)
    True
    """
    return int(check_random_state(random_state).randint(2**31 - 1))
