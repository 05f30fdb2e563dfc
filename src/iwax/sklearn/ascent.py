"""The training of an estimator's model."""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import optax

from iwax import bounds, gradients, training
from iwax.model import LatentVariableModel
from iwax.training import Plan, Progress, State

__all__ = ["Ascent", "ascend"]

_VALIDATIONS = 50  # about so many in a training


class Ascent(NamedTuple):
    """The trained model, the optimiser's state after it, and the bound of every pass, nats a row."""

    model: LatentVariableModel
    moments: Any
    bounds: list[float]


def ascend(
    model: LatentVariableModel,
    train: np.ndarray,
    valid: np.ndarray,
    *,
    k: int,
    optimizer: optax.GradientTransformation,
    moments: Any = None,
    epochs: int,
    batch: int,
    seed: int,
    patience: int | None = None,
) -> Ascent:
    """Ascend the bound of k draws (the ELBO at k = 1) on rows [n, D] in which NaN was not observed.

    Where there are validation rows, the model returned is the one that was best on them, and training ends after
    ``patience`` validations without a better one. ``moments`` are the optimiser's state to begin with. Raises
    ValueError where a loss is not finite.
    """
    batch, validates = min(batch, len(train)), len(valid) > 0
    objective = gradients.Objective(gradients.pathwise(bounds.iwae), k)
    plan = Plan(
        epochs=epochs,
        batch=batch,
        seed=seed,
        missing=True,
        piece=training.rows_per_piece(batch, k),
        validate_every=max(1, epochs // _VALIDATIONS) if validates else 0,
        patience=patience if validates else None,
    )
    start = training.initial_state(model, optimizer)
    if moments is not None:
        start = replace(start, optimizer=moments)
    kept = _Kept()
    single = [rows.astype(np.float32) for rows in (train, valid)]
    try:
        end = training.train(
            start, objective, single[0], optimizer=optimizer, plan=plan, valid=single[1], observer=kept
        )
    except training.NumericalStop as stop:
        raise ValueError(
            f"training needs finite numbers: {stop.cause} is not at step {stop.step}; lower learning_rate_init"
        ) from stop
    return Ascent(end.model if kept.best is None else kept.best, end.optimizer, kept.bounds)


class _Kept:
    """What is kept as training goes: the best model on the validation rows, and the bound of every pass."""

    def __init__(self) -> None:
        self.best: LatentVariableModel | None = None
        self.bounds: list[float] = []

    def stretch(self, state: State, progress: Progress) -> bool:
        return False

    def epoch(self, state: State, row: dict[str, int | float]) -> None:
        self.bounds.append(float(row["bound"]))

    def improved(self, state: State) -> None:
        self.best = state.model
