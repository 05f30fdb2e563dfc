"""Measure a trained run: log p(x) with its errors, by the method asked for, and how far to trust it."""

import math
import time
from collections.abc import Mapping
from typing import Any

from iwax.runs import cost, measurements
from iwax.runs.arithmetic import arithmetic, in_words
from iwax.runs.environment import versions
from iwax.runs.methods import METHODS, Found, Importance, Method
from iwax.runs.methods.method import summed_up
from iwax.runs.task import Task
from iwax.settings.naming import display_name
from iwax.storage.sealed import Sealed
from iwax.training.finite import large

__all__ = ["COMMON_SEED", "SHARED", "closing_line", "measure", "measured", "value"]

COMMON_SEED = 0  # of the noise of every measurement, so that measurements pair up
SHARED = (  # names that every summary has, null where the method does not know
    *("k", "elbo", "elbo_standard_error", "ess_median", "pareto_k_over_0_7", "active_units", "active_units_threshold"),
)


def value(method: str | Method, given: Mapping[str, Any], *, k: int) -> Method:
    """The method as a value, with the settings ``given``; ValueError for one that it does not take, or no method."""
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


def measure(method: Method, task: Task) -> dict[str, Any]:
    """Measure a task by a method, store the measurement in the run folder, and return its summary.

    Raises ValueError where rows have missing cells and the method takes none.
    """
    if task.dataset.missing and not method.takes_holes:
        got = f"{task.dataset.name} has {task.dataset.missing:,} missing cells"
        raise ValueError(f"method {method.name} needs whole rows, {got}; use importance")
    for words in large(task.model):
        task.reporter.warning(
            f"{task.checkpoint}: {words}, beside which smaller numbers have no digits left: log p(x) is "
            "that of the model as it is stored, which is damaged or was not trained sensibly, unless the data are as "
            "large"
        )
    task.reporter.begun("evaluation")
    n = method.rows(task)
    if (seconds := cost.forecast(task.config, task.about.shape, n * method.draws)) > cost.WORTH_SAYING:
        task.reporter.note(f"measuring {method.formatted(method.work, n=n)}: about {cost.in_words(seconds)}")
    summary, found = measured(method, task)
    for warning in found.warnings:
        task.reporter.warning(warning)
    stem, step = method.formatted(method.stem, split=task.split), task.checkpoint.removeprefix("step-")
    name = f"{stem}-n{summary['n']}-seed{task.seed}-step{step}"
    measurements.write(Sealed(task.path), name, {**summary, **found.stored}, found.columns)
    return summary


def measured(method: Method, task: Task) -> tuple[dict[str, Any], Found]:
    """The rows of a task measured by a method: the summary of what was found, and what was found."""
    shape, config, begun = task.about.shape, task.config, time.perf_counter()
    found = method.measure(task)
    sums = summed_up(found.columns) | found.about
    observed = math.prod(shape) * (1 - sums.get("missing", 0.0))  # values in a row, on average
    summary = {
        "dataset": task.dataset.name,
        "data_sha256": task.about.sha256,
        "shape": list(shape),
        "method": method.name,
        "split": task.split,
        **dict.fromkeys(("n", "k", "log_evidence", "standard_error", "monte_carlo_error", *SHARED)),
        **method.settings(),
        **sums,
        "warnings": found.warnings,
        "bits_per_dim": -sums["log_evidence"] / (observed * math.log(2)),
        "precision": in_words(arithmetic()),
        "seconds": time.perf_counter() - begun,
        "preset": config.preset,
        "name": display_name(config),
        "start": config.start,
        "seed": config.seed,
        "evaluation_seed": task.seed,
        "checkpoint": task.checkpoint,
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
