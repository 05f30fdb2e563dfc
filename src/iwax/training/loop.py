"""Training: compiled stretches, between which the host records, validates and asks whether to go on."""

import time
from typing import Any, NamedTuple, Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from iwax._typing import Datum
from iwax.training.state import Plan, State, Tally, steps_per_epoch
from iwax.training.step import Fault, Objective, compile_stretch, permutation

__all__ = ["NumericalStop", "Observer", "Progress", "train"]

_VALIDATION = 2  # a purpose of random numbers beside those of the step
_VALIDATION_ROWS = 100  # rows evaluated at once


class NumericalStop(ArithmeticError):
    """A loss or gradient that is not finite: training stopped at ``step``; ``cause`` names what it was in."""

    def __init__(self, step: int, cause: str) -> None:
        super().__init__(
            f"training stopped at step {step}: {cause} is NaN or infinite; "
            "try a smaller training.learning_rate, training.clip, or other data"
        )
        self.step, self.cause = step, cause


class Progress(NamedTuple):
    """Where training stands; ``bound`` is the epoch's mean so far in nats."""

    step: int
    epoch: int
    steps: int
    epochs: int
    bound: float
    images_per_second: float
    seconds_left: float


class Observer(Protocol):
    """What is told of training as it goes, and may stop it."""

    def stretch(self, state: State, progress: Progress) -> bool: ...  # True: stop here

    def epoch(self, state: State, row: dict[str, int | float]) -> None: ...  # nothing in the row depends on a clock

    def improved(self, state: State) -> None: ...  # a new best bound on the validation data


def train(
    state: State,
    objective: Objective,
    data: np.ndarray,
    *,
    optimizer: optax.GradientTransformation,
    plan: Plan,
    valid: np.ndarray | None = None,
    observer: Observer | None = None,
    learning_rate: optax.Schedule | None = None,
) -> State:
    """Ascend the objective on ``data`` [n, features] from ``state``, which is left as it is, to the end of the plan.

    The result is a function of the starting state, the data and the plan: a run that was stopped and taken up again
    ends in the same bits. ``learning_rate`` is only recorded. Raises NumericalStop at a loss or gradient that is not
    finite, ValueError where there are no rows or no validation data to validate on.
    """
    rows = data.shape[0]
    if rows < 1:
        raise ValueError("training needs at least one row of data, got none")
    if plan.validate_every and valid is None:
        raise ValueError("validate_every needs validation data, got none")
    steps = steps_per_epoch(rows, plan.batch)
    state = jax.tree.map(lambda leaf: jnp.array(leaf) if eqx.is_array(leaf) else leaf, state)  # ours to donate
    stretch = compile_stretch(objective, optimizer, plan, rows, state)
    validate = _validator(objective, plan.seed) if plan.validate_every else None
    on_device, clock = jnp.asarray(data), _Clock(plan)
    while int(state.step) < plan.epochs * steps and not _out_of_patience(state, plan):
        epoch = int(state.step) // steps
        order = jnp.asarray(permutation(plan.seed, epoch, rows))
        while int(state.step) < (epoch + 1) * steps:
            stop = min(int(state.step) + clock.length, (epoch + 1) * steps)
            before = int(state.step)
            state, fault = stretch(state, on_device, order, stop)
            _stop_at_fault(fault, state)
            progress = clock.progress(state, stop - before, steps)
            if stop == (epoch + 1) * steps:
                state = _close_epoch(state, epoch, valid, validate, plan, steps, observer, learning_rate)
            if observer is not None and observer.stretch(state, progress):
                return state
    return state


class _Clock:
    """How many steps fit into a stretch, and how fast they go."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.length, self.seconds_a_step = plan, 1, None
        self.last = time.perf_counter()

    def progress(self, state: State, done: int, steps: int) -> Progress:
        step, bound = int(state.step), float(state.tally.bound) / max(int(state.tally.steps), 1)  # waits for the device
        now = time.perf_counter()
        seconds, self.last = (now - self.last) / done, now
        first = self.seconds_a_step is None  # the first stretch holds the compilation: its time says nothing
        smooth = seconds if first or self.length == 1 else 0.5 * self.seconds_a_step + 0.5 * seconds
        self.seconds_a_step = smooth
        self.length = 2 if first else int(max(1, min(4 * self.length, self.plan.stretch_seconds / smooth)))
        left = (self.plan.epochs * steps - step) * smooth
        return Progress(step, (step - 1) // steps, steps, self.plan.epochs, bound, self.plan.batch / smooth, left)


def _stop_at_fault(fault: Fault, state: State) -> None:
    if int(fault.step) < 0:
        return
    finite = np.asarray(fault.finite)
    parameters = eqx.filter(state.model, eqx.is_inexact_array)
    names = [jax.tree_util.keystr(path).lstrip(".") for path, _ in jax.tree_util.tree_leaves_with_path(parameters)]
    bad = [f"the gradient of {name}" for name, good in zip(names, finite[1:], strict=True) if not good]
    what = ["the loss"] if not finite[0] else bad
    more = f" (and {len(what) - 1} more)" if len(what) > 1 else ""
    raise NumericalStop(int(fault.step), what[0] + more)


def _out_of_patience(state: State, plan: Plan) -> bool:
    return plan.patience is not None and int(state.stale) >= plan.patience


def _close_epoch(
    state: State,
    epoch: int,
    valid: np.ndarray | None,
    validate: Any,
    plan: Plan,
    steps: int,
    observer: Observer | None,
    learning_rate: optax.Schedule | None,
) -> State:
    """Record the epoch, validate where it is due, and start the next one's tally."""
    row: dict[str, int | float] = {"epoch": epoch + 1, "step": int(state.step)}
    row["bound"] = float(state.tally.bound) / int(state.tally.steps)
    row["gradient_norm"] = float(state.tally.gradient_norm) / int(state.tally.steps)
    if learning_rate is not None:
        row["learning_rate"] = float(learning_rate(int(state.step) - 1))
    if plan.beta_warmup:
        row["beta"] = min(1.0, int(state.step) / (plan.beta_warmup * steps))
    state = eqx.tree_at(lambda s: s.tally, state, Tally.zero())
    improved = False
    if validate is not None and (epoch + 1) % plan.validate_every == 0:
        row["validation"] = validate(state.model, valid)
        improved = row["validation"] > float(state.best)
        best, step = (row["validation"], int(state.step)) if improved else (state.best, state.best_step)
        counts = (jnp.asarray(best, state.best.dtype), jnp.int32(step), jnp.int32(0) if improved else state.stale + 1)
        state = eqx.tree_at(lambda s: (s.best, s.best_step, s.stale), state, counts)
    if observer is not None:
        observer.epoch(state, row)
        if improved:
            observer.improved(state)
    return state


def _validator(objective: Objective, seed: int) -> Any:
    """``validate(model, valid)``: the mean bound on the validation rows, always with the same noise."""
    key = jax.random.fold_in(jax.random.key(seed), _VALIDATION)

    @eqx.filter_jit
    def bounds(model: Any, values: Any, index: Any) -> Any:
        return objective(model, key, Datum(values=values.astype(float), index=index), beta=1.0).bound

    def validate(model: Any, valid: np.ndarray) -> float:
        rows, total = valid.shape[0], 0.0
        for first in range(0, rows, _VALIDATION_ROWS):
            index = np.minimum(np.arange(first, first + min(_VALIDATION_ROWS, rows)), rows - 1)  # one shape, padded
            each = np.asarray(bounds(model, jnp.asarray(valid[index]), jnp.asarray(index)), np.float64)
            total += float(each[: rows - first].sum())
        return total / rows

    return validate
