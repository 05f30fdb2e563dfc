"""Several evaluators of log p(x) side by side on the same rows; each pass is saved in the run folder once it is made.

A saved pass is found again by all that its numbers depend on: the weights, the data, the plan, the versions and the
device. Whatever of these changes, it is measured again.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from iwax.evaluation.statistics import mean_with_errors, paired_difference
from iwax.formats.npy import read_npz
from iwax.reproduction.published import PublishedValue, SideBySide
from iwax.reproduction.results import Evaluator
from iwax.runs import cost, measurements
from iwax.runs.environment import environment, versions
from iwax.runs.measure import COMMON_SEED, measured
from iwax.runs.measurements import Measurement
from iwax.runs.methods import Annealed, Importance, Jackknife, Method, Task
from iwax.runs.methods.method import summed_up
from iwax.runs.reporter import Reporter
from iwax.runs.run import Run
from iwax.storage import manifest, strict_json
from iwax.storage.checkpoint import CorruptCheckpointError
from iwax.storage.sealed import Sealed
from iwax.streams import Run as Streams

__all__ = ["measure_side_by_side", "plans"]

STREAMS = {Streams.JACKKNIFE: Streams.COMPARED_JACKKNIFE, Streams.ANNEALING: Streams.COMPARED_ANNEALING}
SPLIT, TRUTH = "test", "AIS"


class _Pass(NamedTuple):
    """A method whose draws serve several evaluators: the column of each, by its name, and the settings by which it is
    found again.
    """

    method: Method
    evaluators: dict[str, str]
    settings: dict[str, Any]

    @property
    def k(self) -> int | None:
        """The draws that are pooled."""
        return self.settings.get("k")

    @property
    def columns(self) -> dict[str, str]:
        """The columns of values that are read back, each with that of its errors; of many draws the ELBO too."""
        names = [*self.evaluators.values(), *(["elbo"] if isinstance(self.method, Importance) else [])]
        return {name: "monte_carlo_error" if name == "log_evidence" else f"{name}_error" for name in names}

    @property
    def plan(self) -> str:
        """The method in words."""
        return self.method.formatted(self.method.plan)


def measure_side_by_side(
    run: Run, plan: SideBySide, *, k: int, published: Mapping[str, PublishedValue], reporter: Reporter
) -> dict[str, Any]:
    """Every evaluator of the plan, and the IWAE bound at k, on the first test rows of a run.

    The differences are to annealed importance sampling, row by row. What an earlier call has measured is read from the
    run's evaluation/ folder. Returns the fields of a `Result`: log p(x) and the ELBO are those of the k draws, seconds
    those of all measurements, whenever they were made. Raises ValueError where the latents are discrete.
    """
    task = Task(run, SPLIT, plan.rows, COMMON_SEED, reporter, STREAMS)
    with run.placed():
        about = _about(task)
        found = [(each, _once(each, task, about)) for each in _passes(plan, k)]
    truth = next(stored.columns[each.evaluators[TRUTH]] for each, stored in found if TRUTH in each.evaluators)
    evaluators = [
        _evaluator(each, name, stored, None if name == TRUTH else truth, published.get(name))
        for each, stored in found
        for name in each.evaluators
    ]
    names = ("n", "log_evidence", "standard_error", "elbo", "elbo_standard_error")
    (bound,) = (summed_up(stored.columns) for each, stored in found if isinstance(each.method, Importance))
    seconds = sum(stored.summary["seconds"] for _, stored in found)
    about = {"versions": versions(), "k": k, "evaluation_seconds": seconds, "evaluators": evaluators}
    return about | {name: bound[name] for name in names}


def plans(plan: SideBySide, *, k: int) -> list[tuple[str, int | None, str]]:
    """Name, k and plan in words of every evaluator, in order: by them a result says how it was measured."""
    return [(name, each.k, each.plan) for each in _passes(plan, k) for name in each.evaluators]


def _passes(plan: SideBySide, k: int) -> list[_Pass]:
    few = Jackknife(plan.k, max(plan.orders, default=0), plan.repeats)
    columns = {"ELBO": "elbo", "IWAE": "order_0", **{f"JVI-{order}": f"order_{order}" for order in plan.orders}}
    many, chains = Importance(k), Annealed(plan.chains, plan.temperatures, plan.leapfrog, plan.start)
    return [
        _Pass(few, columns, {"k": plan.k, "repeats": plan.repeats, "orders": plan.orders}),
        _Pass(many, {f"L_{k}": "log_evidence"}, asdict(many)),
        _Pass(chains, {TRUTH: "log_evidence"}, asdict(chains)),
    ]


def _about(task: Task) -> dict[str, Any]:
    """All that the numbers of a pass depend on, its own settings aside."""
    return {
        "split": SPLIT,
        "n": len(task.x),
        "seed": COMMON_SEED,
        "data": task.run.about.sha256,
        "weights": manifest.read(task.run.checkpoint)["files"]["model.safetensors"]["sha256"],
        "precision": task.run.config.precision,
        "device": environment([])["device"],
        "versions": versions(),
    }


def _once(each: _Pass, task: Task, about: Mapping[str, Any]) -> Measurement:
    """The pass as it was saved, or made and saved now."""
    identity = {"pass": each.method.name, **each.settings, **about}
    digest = hashlib.sha256(strict_json.canonical(identity)).hexdigest()[:16]
    folder, reporter, name = task.run.folder, task.reporter, f"side-by-side-{each.method.name}-{digest}"
    path, names = folder.path / "evaluation" / f"{name}.npz", ", ".join(each.evaluators)
    stored = None
    if folder.files.kind(f"evaluation/{path.name}") is not None:
        try:
            stored = _read(folder, path, each, identity)
        except (OSError, ValueError, KeyError, CorruptCheckpointError) as error:
            reporter.warning(f"{path} is damaged and measured again: {error}")
        else:
            reporter.note(f"{names}: measured before, {path}")
    if stored is None:
        n = each.method.rows(task)
        seconds = cost.in_words(cost.forecast(task.run.config, task.run.shape, n * each.method.draws))
        reporter.note(f"{names} of {n} rows ({each.plan}): about {seconds}")
        summary, found = measured(each.method, task)
        stored = Measurement(path, summary | found.stored | {"identity": identity}, found.columns)
        measurements.write(folder, name, stored.summary, stored.columns)
    for warning in stored.summary["warnings"]:
        reporter.warning(f"{', '.join(list(each.evaluators)[:1])}: {warning}")
    return stored


def _read(folder: Sealed, path: Path, each: _Pass, identity: Mapping[str, Any]) -> Measurement:
    """A saved pass; ValueError, KeyError or CorruptCheckpointError where it is not whole, or is another one."""
    summaries = measurements.summaries(folder, ("n", "identity", "seconds", "warnings"), prefix=f"{path.stem}.")
    if summaries:
        ((_, summary),) = summaries
        found, names = summary["identity"], ("rows", *each.columns, *each.columns.values())
        stored = measurements.read(folder, path, summary, names)
    else:  # of a version that stored values and errors [evaluators, n], with their description, in one file
        arrays = read_npz(folder.read(f"evaluation/{path.name}"), name=path.name)
        found, summary = (strict_json.parse(arrays[name].tobytes()) for name in ("identity", "about"))
        values, errors = (
            dict(zip(names, arrays[kind], strict=True))
            for names, kind in ((each.columns, "values"), (each.columns.values(), "errors"))
        )
        stored = Measurement(path, summary, {"rows": np.arange(arrays["values"].shape[1]), **values, **errors})
    if found != identity:
        raise ValueError("a measurement of these weights, data and settings was needed, got another")
    return stored


def _evaluator(
    each: _Pass, name: str, stored: Measurement, truth: np.ndarray | None, published: PublishedValue | None
) -> Evaluator:
    column = each.evaluators[name]
    values = stored.columns[column]
    difference, difference_error = (None, None) if truth is None else paired_difference(values, truth)
    return Evaluator(
        name=name,
        k=each.k,
        plan=each.plan,
        **mean_with_errors(values, stored.columns[each.columns[column]]),
        difference=difference,
        difference_error=difference_error,
        seconds=round(stored.summary["seconds"], 1),
        warnings=stored.summary["warnings"],
        published=published,
    )
