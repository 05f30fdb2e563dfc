"""Training from Python in one call."""

from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
import optax

from iwax._typing import PRNGKey
from iwax.evaluation.blocks import check_cells
from iwax.training.loop import Progress, train
from iwax.training.objective import Objective, initial_control, rows_a_piece
from iwax.training.state import Plan, State, initial_state

__all__ = ["Result", "fit"]


class Result(NamedTuple):
    """A trained model and its history, one row an epoch: epoch, step, bound (nats)."""

    model: Any
    history: list[dict[str, int | float]]


def fit(
    model: Any,
    objective: Objective,
    x_train: np.ndarray,
    *,
    optimizer: optax.GradientTransformation,
    epochs: int,
    key: PRNGKey,
    batch: int = 100,
    binarize: bool = False,
    missing: bool = False,
) -> Result:
    """Train a model on rows ``x_train`` [n, features], as the likelihood takes them; the model given is left as it is.

    With ``binarize`` the rows are grey values 0..255, drawn anew as 0 or 1 at every access. With ``missing`` a NaN is a
    value that was not observed: the objective is the bound on the log-density of the observed ones, MIWAE of Mattei
    and Frellsen (2019, arXiv:1812.02633). Raises ValueError where x_train is not a table of finite numbers in the
    likelihood's support (of uint8 to binarise) or nothing was observed of a row or column, NumericalStop where the
    loss is not finite.
    """
    x_train = np.asarray(x_train)
    if x_train.ndim != 2 or 0 in x_train.shape:
        raise ValueError(f"x_train must have shape [rows, features] with at least one of each, got {x_train.shape}")
    check_cells(x_train, missing=missing, name="x_train")
    holes = missing and x_train.dtype.kind == "f" and bool(np.isnan(x_train).any())
    if holes and np.isnan(x_train).all(axis=0).any():
        column = int(np.argmax(np.isnan(x_train).all(axis=0)))
        raise ValueError(f"x_train needs at least one observed value in every column, got none in column {column}")
    if not binarize:
        model.refuse_outside(x_train, missing=missing)
    known = objective.keywords if isinstance(objective, partial) else {}
    k = None if known.get("free_bits") else known.get("k")  # free bits look at a whole batch
    batch = min(batch, x_train.shape[0])
    seed = int(jax.random.key_data(key).ravel()[-1])
    piece = rows_a_piece(batch, k) if k else None
    plan = Plan(epochs=epochs, batch=batch, seed=seed, binarize=binarize, missing=holes, piece=piece)
    recorder = _Recorder()
    start = initial_state(model, optimizer, control=initial_control(objective))
    state = train(start, objective, x_train, optimizer=optimizer, plan=plan, observer=recorder)
    return Result(state.model, recorder.rows)


class _Recorder:
    def __init__(self) -> None:
        self.rows: list[dict[str, int | float]] = []

    def stretch(self, state: State, progress: Progress) -> bool:
        return False

    def epoch(self, state: State, row: dict[str, int | float]) -> None:
        self.rows.append(row)

    def improved(self, state: State) -> None:
        return None
