"""Measure a trained run: log p(x) with its errors, by the method asked for, and how far to trust it."""

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from iwax import writable
from iwax.experiments import cost, measurements
from iwax.experiments.arithmetic import arithmetic, in_words
from iwax.experiments.environment import versions
from iwax.experiments.folder import existing
from iwax.experiments.methods import METHODS, Found, Importance, Method
from iwax.experiments.methods.method import check_range, summed_up
from iwax.experiments.naming import display_name
from iwax.experiments.place import placed
from iwax.experiments.reporter import Reporter
from iwax.experiments.stored import open_run
from iwax.experiments.task import Task
from iwax.training.finite import large

__all__ = ["COMMON_SEED", "SHARED", "closing_line", "evaluate", "measured"]

COMMON_SEED = 0  # of the noise of every measurement, so that measurements pair up
SHARED = (  # names that every summary has, null where the method does not know
    *("k", "elbo", "elbo_standard_error", "ess_median", "pareto_k_over_0_7", "active_units", "active_units_threshold"),
)


def evaluate(
    run: str | Path,
    *,
    method: str | Method = "importance",
    split: str | None = None,
    k: int | None = None,
    chains: int | None = None,
    temperatures: int | None = None,
    leapfrog: int | None = None,
    start: str | None = None,
    order: int | None = None,
    repeats: int | None = None,
    limit: int | None = None,
    seed: int | None = None,
    checkpoint: str | None = None,
    data_path: str | Path | None = None,
    fallback: bool = False,
    reporter: Reporter,
) -> dict[str, Any]:
    """Estimate log p(x) of a split of a run's data, or of data simulated from it; None takes what is configured.

    `method` is a value, as ``methods.Annealed(chains=8)``, or the name of one with its settings beside it:
    `importance` takes k samples a row; `annealed` so many chains, temperatures and leapfrog steps, that `start` at the
    prior or the posterior q(z|x); `bidirectional` the same in both directions, on `limit` simulated rows; `jackknife`
    the estimate of an `order` from k draws, averaged over so many `repeats` (an estimate, no bound). `seed` is that of
    the noise, 0 where it is None whatever the seed of the run: runs measured with the same noise can be
    compared pair by pair.
    Per-datum values go to the run's evaluation/ folder, one .npz and one .json a measurement. Rows keep their
    numbers under `limit`, so that two measurements can be compared row by row. The data are those of `data_path`, or
    looked for, and a damaged checkpoint refused or, with ``fallback``, passed over, as `open_run` does. Returns the
    summary: `log_evidence`, `standard_error`, `elbo` ... in nats, and `data_sha256`, that of the data. Raises
    ValueError for an unknown method, an option that it does not take, a wrong value of one, or data that have changed
    since the run was trained; FileNotFoundError where they are nowhere.
    """
    given = {"split": split, "k": k, "chains": chains, "temperatures": temperatures, "leapfrog": leapfrog}
    given |= {"start": start, "order": order, "repeats": repeats}
    folder = existing(Path(run))
    writable.check(folder.evaluation / "new", what="measurement")
    settings = folder.config().evaluation
    method = _value(method, {name: value for name, value in given.items() if value is not None}, k=settings.k)
    limit, seed = settings.limit if limit is None else limit, COMMON_SEED if seed is None else seed
    check_range("seed", seed, 0, 2**32 - 1)
    if limit is not None:
        check_range("limit", limit, 1, 10**9)
    trained = open_run(run, checkpoint=checkpoint or settings.checkpoint, data_path=data_path, fallback=fallback)
    split = "simulated" if method.simulates else split or settings.split
    task = Task(trained, trained.dataset(), split, limit, seed, reporter)
    if task.dataset.missing and not method.takes_holes:
        holes = f"{task.dataset.name} has {task.dataset.missing:,} missing cells"
        raise ValueError(f"method {method.name} needs whole rows, {holes}; use importance")
    with placed(device=trained.config.device, precision=trained.config.precision):
        return _measure(method, task)


def _value(method: str | Method, given: Mapping[str, Any], *, k: int) -> Method:
    """The method as a value, with the settings ``given``; ValueError for one that it does not take."""
    if isinstance(method, str) and method not in METHODS:
        *others, last = METHODS
        raise ValueError(f"method must be {', '.join(others)} or {last}, got {method!r}")
    kind = METHODS[method] if isinstance(method, str) else type(method)
    taken = kind.takes() if isinstance(method, str) else kind.takes(settings=False)
    for name, value in given.items():
        if name not in taken:
            users = " and ".join(other for other, each in METHODS.items() if name in each.takes())
            raise ValueError(
                f"{name} is not used by the method {kind.name}, which takes {', '.join(taken)}; got {name}={value}, "
                f"an option of {users}"
            )
    if isinstance(method, Method):
        return method
    configured = {"k": k} if kind is Importance else {}
    return kind(**configured | {name: value for name, value in given.items() if name != "split"})


def _measure(method: Method, task: Task) -> dict[str, Any]:
    for words in large(task.trained.model):
        task.reporter.warning(
            f"{task.trained.checkpoint.name}: {words}, beside which smaller numbers have no digits left: log p(x) is "
            "that of the model as it is stored, which is damaged or was not trained sensibly, unless the data are as "
            "large"
        )
    task.reporter.begun("evaluation")
    n = method.rows(task)
    if (seconds := cost.forecast(task.trained, n * method.draws)) > cost.WORTH_SAYING:
        task.reporter.note(f"measuring {method.formatted(method.work, n=n)}: about {cost.in_words(seconds)}")
    summary, found = measured(method, task)
    for warning in found.warnings:
        task.reporter.warning(warning)
    name = f"{method.formatted(method.stem, split=task.split)}-n{summary['n']}-seed{task.seed}-step{task.trained.step}"
    measurements.write(task.trained.path, name, {**summary, **found.stored}, found.columns)
    return summary


def measured(method: Method, task: Task) -> tuple[dict[str, Any], Found]:
    """The rows of a task measured by a method: the summary of what was found, and what was found."""
    trained, begun = task.trained, time.perf_counter()
    found = method.measure(task)
    sums = summed_up(found.columns) | found.about
    observed = math.prod(trained.shape) * (1 - sums.get("missing", 0.0))  # values in a row, on average
    summary = {
        "dataset": task.dataset.name,
        "data_sha256": trained.about.sha256,
        "shape": list(trained.shape),
        "method": method.name,
        "split": task.split,
        **dict.fromkeys(("n", "k", "log_evidence", "standard_error", "monte_carlo_error", *SHARED)),
        **method.settings(),
        **sums,
        "warnings": found.warnings,
        "bits_per_dim": -sums["log_evidence"] / (observed * math.log(2)),
        "precision": in_words(arithmetic()),
        "seconds": time.perf_counter() - begun,
        "preset": trained.config.preset,
        "name": display_name(trained.config),
        "start": trained.config.start,
        "seed": trained.config.seed,
        "evaluation_seed": task.seed,
        "checkpoint": trained.checkpoint.name,
        "versions": versions(),
    }
    return summary, found


def closing_line(summary: Mapping[str, Any]) -> str:
    """The result in one line: log p(x) with its error, how it was measured, in what precision, how far to trust it.

    What one row or few samples do not tell is unknown: an error, or the share of large Pareto k. A run that is not what
    its preset's name says, or that started at the weights of another, is named at the end.
    """
    head, *details = METHODS[summary["method"]].line(summary)
    precision, name, start = (summary.get(each) for each in ("precision", "name", "start"))
    name = None if name == summary.get("preset") else name
    details += [precision, f"{summary['seconds']:.0f} s", name, start and f"started at {start}"]
    return f"{head} ({'; '.join(filter(None, details))})"
