"""Training from Python in one call."""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import numpy as np
import optax

from iwax._typing import PRNGKey
from iwax.bfloat16 import has_units, no_units
from iwax.data.on_disk import RowsOnDisk
from iwax.evaluation.rows import check_points, host_datum, rows_at
from iwax.gradients import AnyObjective, as_objective
from iwax.parts import Datum
from iwax.printed import printed
from iwax.training.keeping import Keeper, digest
from iwax.training.loop import train
from iwax.training.objective import piece_of
from iwax.training.state import Plan, State, initial_state, steps_per_epoch
from iwax.training.watching import Callback, ProgressLine, Watchers
from iwax.training.windows import TrainingRows

__all__ = ["Result", "fit"]


@printed()
class Result(NamedTuple):
    """A trained model and its history, one row an epoch: epoch, step, bound (nats) and, if it was taken, validation.

    With validation data the model is the one of the best validation bound, otherwise that of the last step.
    """

    model: Any
    history: list[dict[str, int | float]]


def fit(
    model: Any,
    objective: AnyObjective,
    x_train: TrainingRows,
    *,
    optimizer: optax.GradientTransformation,
    epochs: int,
    key: PRNGKey,
    batch: int = 100,
    binarize: bool = False,
    missing: bool = False,
    piece: int | None = None,
    x_valid: TrainingRows | None = None,
    validate_every: int = 1,
    patience: int | None = None,
    callbacks: Sequence[Callback] = (),
    progress: bool | None = None,
    checkpoint: str | Path | None = None,
    precision: Literal["full", "mixed"] = "full",
) -> Result:
    """Train a model and return the trained one, with its history; the model given is not changed.

    Args:
        model: a `LatentVariableModel`, or any Equinox module that the objective takes.
        objective: what is ascended: a `gradients.Objective`, or a function of (model, key, x, beta=).
        x_train: rows [n, *event], as the likelihood takes them, a `Datum` of rows with covariates, or rows on disk, as
            ``data.load(path, on_disk=True).train.values``, which are read while the device works (``iwax[disk]``) and
            give the bits that they give in memory.
        optimizer: any optimiser of Optax, such as ``optax.adam(1e-3)``.
        epochs: how often every row of x_train is taken, each time in another order.
        key: the key of all randomness, from `jax.random.key`.
        batch: rows per update; all of them where there are fewer.
        binarize: whether x_train has grey values 0..255, drawn as 0 or 1 at every access; x_valid has 0 and 1.
        missing: whether NaN marks missing values; the objective is then the bound on the log-density of the observed
            ones, MIWAE of Mattei and Frellsen (2019, arXiv:1812.02633).
        piece: rows whose gradient is computed at once, a divisor of the batch. None is what is fast for the
            objective's k, or the whole batch if it has no k.
        x_valid: rows on which the bound is computed, always with the same noise; the best model on them is returned.
        validate_every: epochs between two validations.
        patience: validations without a new best after which training ends. None: it goes on for all ``epochs``.
        callbacks: functions of an epoch's row, which end training by returning True, or `Observer` objects.
        progress: whether to print progress on stderr. None: if that is a terminal.
        checkpoint: a folder. The same call continues a fit that was stopped, to the same bits, or returns at once if
            the fit had ended. Data, model, key and batch are compared with those of its beginning; objective and
            optimiser cannot be. Callbacks see new epochs only.
        precision: "mixed" for losses and gradients inside `nn.mixed_precision`; where the device has no units for it,
            full precision, with a warning.

    Raises ValueError if rows are not a table of finite numbers in the likelihood's support (of uint8 to binarise), if
    a row or column has no value, if the key is not one of `jax.random.key`, or if the folder holds another fit;
    NumericalStop if the loss is not finite.
    """
    x_train, x_valid = _checked(model, x_train, x_valid, binarize=binarize, missing=missing)
    ascended, batch = as_objective(objective), min(batch, len(x_train))
    plan = Plan(
        epochs=epochs,
        batch=batch,
        seed=_seed(key),
        binarize=binarize,
        missing=missing and any(map(_has_missing, (x_train, x_valid))),
        piece=piece_of(ascended, batch, model=model, x=_first(x_train)) if piece is None else piece,
        validate_every=0 if x_valid is None else validate_every,
        patience=_patience(patience, x_valid, validate_every),
        precision=_precision(precision),
    )
    start = initial_state(model, optimizer, control=ascended.init())
    with _keeper(start, plan, x_train, x_valid, checkpoint) as keeper, ProgressLine.asked(progress) as line:
        watchers = Watchers([keeper, *callbacks, line])
        end = train(keeper.start, ascended, x_train, optimizer=optimizer, plan=plan, valid=x_valid, observer=watchers)
    return Result(end.model if keeper.best is None else keeper.best, keeper.history)


def _precision(asked: Literal["full", "mixed"]) -> Literal["full", "mixed"]:
    """The precision asked for, or full precision where the device has no units for another."""
    if asked == "full" or has_units():
        return asked
    warnings.warn(no_units(), stacklevel=3)
    return "full"


def _checked(
    model: Any, x_train: TrainingRows, x_valid: TrainingRows | None, *, binarize: bool, missing: bool
) -> tuple[TrainingRows, TrainingRows | None]:
    """Both sets of rows, in the support of the model's likelihood and of as many features."""
    x_train = _rows(x_train, "x_train", model, missing=missing, support=not binarize)
    for seen in jax.tree.leaves(_observed(x_train)):
        if not seen.all():
            place = np.argwhere(~seen)[0].tolist()
            where = f"column {place[0]}" if len(place) == 1 else f"place {place}"
            raise ValueError(f"x_train needs at least one observed value in every column, got none in {where}")
    if x_valid is None:
        return x_train, None
    x_valid = _rows(x_valid, "x_valid", model, missing=missing)
    wanted, got = (jax.tree.map(lambda leaf: leaf.shape[1:], x) for x in (x_train, x_valid))
    if wanted != got:
        raise ValueError(f"x_valid needs rows of shape {wanted}, as x_train has, got {got}")
    return x_train, x_valid


def _rows(rows: TrainingRows, name: str, model: Any, *, missing: bool, support: bool = True) -> TrainingRows:
    """Rows [n, *event of the model] that were checked; also for its likelihood's support, where it has to be."""
    if isinstance(rows, RowsOnDisk):
        for numbers, values in rows.chunks():
            file, first = rows.source.place(int(numbers[0]))
            _rows(values, f"{name} from {file}, row {first} on,", model, missing=missing, support=support)
        return rows
    rows = check_points(model, rows, name=name, missing=missing)
    rows = replace(rows, index=None) if isinstance(rows, Datum) else rows
    if support:
        model.refuse_outside(rows, missing=missing)
    return rows


def _first(rows: TrainingRows) -> Datum:
    """The first row, on the device."""
    first = np.zeros(1, int)
    return rows_at(host_datum(rows[first] if isinstance(rows, RowsOnDisk) else rows), first, first)


def _observed(rows: TrainingRows) -> Any:
    """Whether each feature was ever observed, of rows with missing values; else None."""
    if isinstance(rows, Datum):
        return jax.tree.map(lambda marks: marks.any(axis=0), rows.observed)
    if not _has_missing(rows):
        return None
    if isinstance(rows, RowsOnDisk):
        return np.any([~np.isnan(values).all(axis=0) for _, values in rows.chunks()], axis=0)
    return ~np.isnan(rows).all(axis=0)


def _has_missing(rows: TrainingRows | None) -> bool:
    if isinstance(rows, RowsOnDisk):
        return rows.missing > 0
    return isinstance(rows, np.ndarray) and rows.dtype.kind == "f" and bool(np.isnan(rows).any())


def _seed(key: PRNGKey) -> int:
    """The 64 bits of a key as one number, that of `jax.random.key(seed)` being the seed.

    >>> _seed(jax.random.key(7))
    7
    """
    words = np.asarray(jax.random.key_data(key))
    if words.shape != (2,):
        raise ValueError(
            f"key must be one key of 64 bits, such as jax.random.key(0), got data of shape {words.shape}: "
            "jax.random.key(0, impl='threefry2x32') makes one whatever the default is"
        )
    return int(words[0]) << 32 | int(words[1])


def _patience(patience: int | None, x_valid: TrainingRows | None, validate_every: int) -> int | None:
    if patience is not None and x_valid is None:
        raise ValueError(f"patience={patience} needs validation data: give x_valid")
    if x_valid is not None and validate_every < 1:
        raise ValueError(f"validate_every must be at least 1, got {validate_every}")
    return patience


def _keeper(
    start: State, plan: Plan, x_train: TrainingRows, x_valid: TrainingRows | None, folder: str | Path | None
) -> Keeper:
    """The keeper of the fit, which is identified by all that its bits depend on, but for its end."""
    names = ("batch", "piece", "binarize", "missing", "validate_every")
    about = {"x_train": digest(x_train), "x_valid": digest(x_valid), "key": f"{plan.seed:016x}"}
    about |= {name: getattr(plan, name) for name in names}
    last = plan.epochs * steps_per_epoch(len(x_train), plan.batch)
    return Keeper(start, folder=None if folder is None else Path(folder), about=about, last=last)
