"""Training: compiled segments, between which the host records, validates and asks whether to go on."""

import time
import warnings
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple, Protocol, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from iwax import parallel, processes, streams
from iwax._typing import PRNGKey
from iwax.compiler import compiler_options
from iwax.evaluation.rows import blocks
from iwax.gradients import AbstractObjective, AnyObjective, as_objective
from iwax.parts import Datum
from iwax.training.culprits import culprits
from iwax.training.fault import NumericalStop, all_finite, first_fault
from iwax.training.schedules import Schedule
from iwax.training.state import Plan, State, Tally, steps_per_epoch
from iwax.training.step import compile_segment, updates
from iwax.training.windows import TrainingRows, windows

__all__ = ["NumericalStop", "Observer", "Progress", "as_observer", "train"]

_VALIDATION_ROWS = 100  # rows evaluated at once


class Progress(NamedTuple):
    """Where training stands; ``bound`` is the epoch's mean so far in nats; rates are nan until they are known."""

    step: int
    epoch: int
    steps: int
    epochs: int
    bound: float
    images_per_second: float
    seconds_left: float


@runtime_checkable
class Observer(Protocol):
    """What hears of training as it goes, and may stop it: any object with these three methods."""

    def segment(self, state: State, progress: Progress) -> bool:
        """Hear where training stands, about once a second and at the end of every epoch; True stops it here."""
        ...

    def epoch(self, state: State, row: dict[str, int | float]) -> None:
        """Take the row of an epoch that has ended: epoch, step, bound and, where it is taken, validation (nats).

        Nothing in it depends on a clock. With a schedule or a warm-up there are learning_rate and beta.
        """
        ...

    def improved(self, state: State) -> None:
        """Hear of a new best bound on the validation data; ``state.model`` is the model that has it."""
        ...


@runtime_checkable
class _Former(Protocol):
    """An observer of an earlier release, whose method `segment` was ``stretch``."""

    def stretch(self, state: State, progress: Progress) -> bool: ...
    def epoch(self, state: State, row: dict[str, int | float]) -> None: ...
    def improved(self, state: State) -> None: ...


class _Renamed:
    def __init__(self, observer: _Former) -> None:
        self.segment, self.epoch, self.improved = observer.stretch, observer.epoch, observer.improved


def as_observer(observer: Any) -> Any:
    """An observer as it is; one whose `segment` has its former name ``stretch``, with a DeprecationWarning."""
    if isinstance(observer, Observer) or not isinstance(observer, _Former):
        return observer
    warnings.warn("the method stretch of an observer is now segment", DeprecationWarning, stacklevel=4)
    return _Renamed(observer)


def train(
    state: State,
    objective: AnyObjective,
    data: TrainingRows,
    *,
    optimizer: optax.GradientTransformation,
    plan: Plan,
    valid: TrainingRows | None = None,
    observer: Observer | None = None,
    learning_rate: Schedule | None = None,
) -> State:
    """Ascend the objective on ``data`` [n, *event], or a datum, from ``state``, left as it is, to the end of the plan.

    Rows on disk are read in windows while the device works, and give the bits that they would give in memory.
    The result is a function of the starting state, the data and the plan: a run that was stopped and taken up again
    ends in the same bits. ``learning_rate`` is only recorded. Raises NumericalStop at a loss or gradient that is not
    finite, ValueError where there are no rows, no grey values to binarise, no validation data to validate on, or pieces
    of a batch for an objective that looks at the whole of it. Where several processes train together
    (`processes.joined`) all have the same arguments but for the observer, and each the same result.
    """
    _check(data, plan, valid)
    ascended = as_objective(objective)
    _refuse_pieces(ascended, plan)
    with parallel.everywhere():
        run = _Run(ascended, optimizer, plan, state.model, data, valid, observer, learning_rate)
        with closing(run.windows):
            return _ascended(state, run)


def _ascended(state: State, run: "_Run") -> State:
    """The state at the end of a run's plan, or where its observer stopped it."""
    plan, steps = run.plan, run.steps
    # of the types that a segment returns, or it would be compiled a second time
    state = jax.tree.map(lambda leaf: jnp.asarray(leaf, leaf.dtype) if eqx.is_array(leaf) else leaf, state)
    state = parallel.copied(state)
    advance, clock = compile_segment(run.update, state), _Clock(plan)
    while int(state.step) < plan.epochs * steps and not _out_of_patience(state, plan):
        epoch, before = int(state.step) // steps, int(state.step)
        rows, order, end = run.windows.at(before)
        stop = processes.agreed(min(before + clock.length, end))
        clock.start()
        after, finite = advance(state, rows, order, stop)
        if not (bool(finite) and all_finite(eqx.filter(after.model, eqx.is_inexact_array))):
            raise first_fault(run.update, run.culprits, state, (rows, order), stop)
        state = after
        progress = clock.progress(state, stop - before, steps)
        if stop == (epoch + 1) * steps:
            state = run.close_epoch(state, epoch, steps)
        if processes.anyone(run.observer is not None and run.observer.segment(state, progress)):
            break
    return state


def _check(data: TrainingRows, plan: Plan, valid: TrainingRows | None) -> None:
    """ValueError unless the data can serve the plan."""
    if len(data) < 1:
        raise ValueError("training needs at least one row of data, got none")
    kinds = {leaf.dtype for leaf in jax.tree.leaves(data.values if isinstance(data, Datum) else data)}
    if plan.binarize and kinds != {np.dtype(np.uint8)}:
        raise ValueError(f"binarize needs grey values 0..255 of type uint8, got {', '.join(map(str, kinds))}")
    if plan.validate_every and valid is None:
        raise ValueError("validate_every needs validation data, got none")


def _refuse_pieces(objective: AbstractObjective, plan: Plan) -> None:
    if objective.whole_batch and plan.piece not in (None, plan.batch):
        raise ValueError(
            f"{objective} looks at a whole batch, of {plan.batch} rows: it needs piece=None, got piece={plan.piece}"
        )


class _Clock:
    """How many steps fit into a segment, and how fast they go: unknown while the first one holds the compilation."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.length, self.seconds = plan, 1, float("nan")  # seconds per step
        self.compiled = False

    def start(self) -> None:
        """A segment begins."""
        self.begun = time.perf_counter()

    def progress(self, state: State, done: int, steps: int) -> Progress:
        step, bound = int(state.step), state.tally.mean  # waits for the device
        latest = (time.perf_counter() - self.begun) / done
        if self.compiled:
            self.seconds = latest if np.isnan(self.seconds) else 0.5 * self.seconds + 0.5 * latest
            self.length = int(max(1, min(4 * self.length, self.plan.segment_seconds / self.seconds)))
        self.compiled = True
        left = (self.plan.epochs * steps - step) * self.seconds
        return Progress(step, (step - 1) // steps, steps, self.plan.epochs, bound, self.plan.batch / self.seconds, left)


def _out_of_patience(state: State, plan: Plan) -> bool:
    return plan.patience is not None and int(state.stale) >= plan.patience


class _Run:
    """What stays the same from segment to segment."""

    def __init__(
        self,
        objective: AbstractObjective,
        optimizer: optax.GradientTransformation,
        plan: Plan,
        model: Any,
        data: TrainingRows,
        valid: TrainingRows | None,
        observer: Observer | None,
        learning_rate: Schedule | None,
    ) -> None:
        self.plan, self.windows = plan, windows(data, plan)
        self.steps = steps_per_epoch(len(data), plan.batch)
        self.observer, self.learning_rate = as_observer(observer), learning_rate
        rows = len(data)
        self.update = updates(objective, optimizer, plan, rows)
        self.culprits = culprits(objective, plan, rows)
        self.validate = _validator(objective, plan.key, model, valid, missing=plan.missing)

    def close_epoch(self, state: State, epoch: int, steps: int) -> State:
        """Record the epoch, validate where it is due, and start the next one's tally."""
        row: dict[str, int | float] = {"epoch": epoch + 1, "step": int(state.step)}
        row["bound"] = state.tally.mean
        if self.learning_rate is not None:
            row["learning_rate"] = float(np.asarray(self.learning_rate(int(state.step) - 1)))
        if self.plan.beta_warmup:
            row["beta"] = min(1.0, int(state.step) / (self.plan.beta_warmup * steps))
        state = replace(state, tally=Tally.zero())
        improved = False
        if self.plan.validate_every and (epoch + 1) % self.plan.validate_every == 0:
            row["validation"] = self.validate(state.model)
            reached = jnp.asarray(row["validation"], state.best.dtype)  # rounded as the best is, or a tie might win
            improved = bool(reached > state.best)
            warming = epoch + 1 < self.plan.beta_warmup  # patience begins once beta is 1
            stale = jnp.int32(0) if improved or warming else state.stale + 1
            state = replace(state, stale=stale)
            if improved:
                state = replace(state, best=reached, best_step=state.step)
        if self.observer is not None:
            self.observer.epoch(state, row)
            if improved:
                self.observer.improved(state)
        return state


def _validator(
    objective: AbstractObjective, root: PRNGKey, template: Any, valid: TrainingRows | None, *, missing: bool
) -> Callable[[Any], float]:
    """``validate(model)``: the mean bound on the validation rows, always with the same noise."""
    key, start = jax.random.fold_in(root, streams.Run.VALIDATION), objective.init()
    _, static = eqx.partition(template, eqx.is_array)

    @partial(jax.jit, compiler_options=compiler_options())
    def bounds(arrays: Any, x: Datum) -> Any:
        x = x if isinstance(valid, Datum) else Datum.of(x.values, missing=missing, index=x.index)
        return parallel.copied(objective(eqx.combine(arrays, static), key, x, beta=1.0, control=start).bound)

    def validate(model: Any) -> float:
        points = replace(valid, index=None) if isinstance(valid, Datum) else Datum(valid)
        arrays = eqx.filter(model, eqx.is_array)
        sums = [
            float(np.asarray(bounds(arrays, block.x), np.float64)[: block.size].sum())
            for block in blocks(points, _VALIDATION_ROWS)
        ]
        return sum(sums) / len(points)

    return validate
