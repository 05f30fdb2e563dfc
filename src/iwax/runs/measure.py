"""Measure a trained run: log p(x) with its errors, by the method asked for, and how far to trust it."""

import math
import time
from collections.abc import Mapping
from typing import Any

from iwax.runs import cost, measurements
from iwax.runs.environment import arithmetic, in_words, versions
from iwax.runs.methods import METHODS, Method, Outcome, Task
from iwax.runs.methods.method import summed_up
from iwax.settings.naming import display_name
from iwax.training.finite import large

__all__ = ["COMMON_SEED", "SHARED", "closing_line", "measure", "measured"]

COMMON_SEED = 0  # of the noise of every measurement, so that measurements pair up
SHARED = (  # names that every summary has, null where the method does not know
    *("k", "elbo", "elbo_standard_error", "ess_median", "pareto_k_over_0_7", "active_units", "active_units_threshold"),
)


def measure(method: Method, task: Task) -> dict[str, Any]:
    """Measure a task by a method, store the measurement in the run folder, and return its summary.

    Raises ValueError if rows have missing cells and the method takes none.
    """
    run, reporter, dataset = task.run, task.reporter, task.run.dataset()
    if dataset.missing and not method.takes_missing:
        got = f"{dataset.name} has {dataset.missing:,} missing cells"
        raise ValueError(f"method {method.name} needs whole rows, {got}; use importance")
    for words in large(run.model):
        reporter.warning(
            f"{run.checkpoint.name}: {words}, next to which smaller numbers have no digits left: log p(x) is "
            "that of the model as it is stored, which is damaged or was not trained sensibly, unless the data are as "
            "large"
        )
    reporter.begun("evaluation")
    n = method.rows(task)
    if (seconds := cost.forecast(run.config, run.shape, n * method.draws)) > cost.WORTH_SAYING:
        reporter.note(f"measuring {method.formatted(method.work, n=n)}: about {cost.in_words(seconds)}")
    summary, outcome = measured(method, task)
    for warning in outcome.warnings:
        reporter.warning(warning)
    stem = method.formatted(method.stem, split=task.split)
    name = f"{stem}-n{summary['n']}-seed{task.seed}-step{run.step}"
    measurements.write(run.folder, name, {**summary, **outcome.stored}, outcome.columns)
    return summary


def measured(method: Method, task: Task) -> tuple[dict[str, Any], Outcome]:
    """The rows of a task measured by a method: the summary, and what the method gave."""
    run, config, about, begun = task.run, task.run.config, task.run.about, time.perf_counter()
    outcome = method.measure(task)
    sums = summed_up(outcome.columns) | outcome.about
    observed = math.prod(about.shape) * (1 - sums.get("missing", 0.0))  # values per row, on average
    summary = {
        "dataset": run.dataset().name,
        "data_sha256": about.sha256,
        "shape": list(about.shape),
        "method": method.name,
        "split": task.split,
        **dict.fromkeys(("n", "k", "log_evidence", "standard_error", "monte_carlo_error", *SHARED)),
        **method.settings(),
        **sums,
        "warnings": outcome.warnings,
        "bits_per_dim": -sums["log_evidence"] / (observed * math.log(2)),
        "precision": in_words(arithmetic()),
        "training_products": (run.environment.arithmetic or {}).get("training"),
        "seconds": time.perf_counter() - begun,
        "preset": config.preset,
        "name": display_name(config),
        "start": config.start,
        "seed": config.seed,
        "evaluation_seed": task.seed,
        "checkpoint": run.checkpoint.name,
        "versions": versions(),
    }
    return summary, outcome


def closing_line(summary: Mapping[str, Any]) -> str:
    """The result in one line: log p(x) with its error, how it was measured, in what precision, how far to trust it.

    What one row or few samples do not show is unknown: an error, or the share of large Pareto k. A run that is not what
    its preset's name says, or that started at the weights of another, is named at the end.
    """
    head, *details = METHODS[summary["method"]].line(summary)
    precision, name, start = (summary.get(each) for each in ("precision", "name", "start"))
    name = None if name == summary.get("preset") else name
    products = summary.get("training_products")
    details += [
        precision,
        products and f"trained with products in {products}",
        f"{summary['seconds']:.0f} s",
        name,
        start and f"started at {start}",
    ]
    return f"{head} ({'; '.join(filter(None, details))})"
