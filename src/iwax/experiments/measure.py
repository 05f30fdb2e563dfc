"""Measure a trained run: log p(x) with its errors, by the method asked for, and how far to trust it."""

import io
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from iwax import writable
from iwax.experiments.annealing import ANNEALED, BIDIRECTIONAL
from iwax.experiments.arithmetic import arithmetic, in_words
from iwax.experiments.config import LARGEST_K
from iwax.experiments.environment import versions
from iwax.experiments.folder import RunFolder, existing
from iwax.experiments.importance import IMPORTANCE
from iwax.experiments.jackknife import JACKKNIFE
from iwax.experiments.naming import display_name
from iwax.experiments.place import placed
from iwax.experiments.reporter import Reporter
from iwax.experiments.stored import Trained, open_run
from iwax.experiments.task import Found, Method, Task
from iwax.training import strict_json
from iwax.training.finite import large

__all__ = ["COMMON_SEED", "METHODS", "closing_line", "evaluate"]

METHODS: dict[str, Method] = {
    "importance": IMPORTANCE,
    "annealed": ANNEALED,
    "bidirectional": BIDIRECTIONAL,
    "jackknife": JACKKNIFE,
}
COMMON_SEED = 0  # of the noise of every measurement, so that measurements pair up
SPANS = (("years", 525_600), ("days", 1_440), ("hours", 60), ("minutes", 1))  # in minutes
RANGES = {
    "k": (1, LARGEST_K),
    "chains": (1, 10**6),
    "temperatures": (1, 10**7),
    "leapfrog": (1, 10**5),
    "order": (0, 8),
    "repeats": (1, 10**6),
    "limit": (1, 10**9),
    "seed": (0, 2**32 - 1),
}


def evaluate(
    run: str | Path,
    *,
    method: str = "importance",
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
    options = _options(method, given | {"start": start, "order": order, "repeats": repeats})
    folder = existing(Path(run))
    writable.check(folder.evaluation / "new", what="measurement")
    settings = folder.config().evaluation
    configured = {"split": settings.split, "k": settings.k}
    options = {name: configured[name] if value is None else value for name, value in options.items()}
    limit = settings.limit if limit is None else limit
    seed = COMMON_SEED if seed is None else seed
    _check_ranges(options | {"limit": limit, "seed": seed})
    state = checkpoint or settings.checkpoint
    trained = open_run(run, checkpoint=state, data_path=data_path, fallback=fallback)
    dataset = trained.dataset()
    if dataset.missing and method != "importance":
        raise ValueError(
            f"method {method} needs whole rows, {dataset.name} has {dataset.missing:,} missing cells; use importance"
        )
    with placed(device=trained.config.device, precision=trained.config.precision):
        return _measure(method, Task(trained, dataset, limit, seed, options, reporter))


def _options(method: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a method, its defaults where none is given; ValueError for one that it does not take."""
    if method not in METHODS:
        *others, last = METHODS
        raise ValueError(f"method must be {', '.join(others)} or {last}, got {method!r}")
    taken = METHODS[method].options
    for name, value in given.items():
        if value is not None and name not in taken:
            users = " and ".join(other for other, each in METHODS.items() if name in each.options)
            raise ValueError(
                f"{name} is not used by the method {method}, which takes {', '.join(taken)}; got {name}={value}, "
                f"an option of {users}"
            )
    return {name: default if given[name] is None else given[name] for name, default in taken.items()}


def _check_ranges(options: Mapping[str, Any]) -> None:
    for name, value in options.items():
        least, largest = RANGES.get(name, (-math.inf, math.inf))
        if name in RANGES and value is not None and not least <= value <= largest:
            cost = f"; {_cost(value)}" if name == "k" and value > largest else ""
            raise ValueError(f"{name}: an integer from {least} to {largest} was needed, got {value}{cost}")


def _cost(k: int) -> str:
    """How long so many draws take: about a second a million and row, of a small network on two processor cores.

    >>> _cost(1_000_000_000)
    '1,000,000,000 draws take about 17 minutes a row on two processor cores, of a network of a few hundred units'
    """
    minutes = k / 60e6
    span = next((f"{minutes / size:,.0f} {unit}" for unit, size in SPANS if minutes >= 2 * size), "a minute")
    return f"{k:,} draws take about {span} a row on two processor cores, of a network of a few hundred units"


def _measure(method: str, task: Task) -> dict[str, Any]:
    trained, begun = task.trained, time.perf_counter()
    for words in large(trained.model):
        task.reporter.warning(
            f"{trained.checkpoint.name}: {words}, beside which smaller numbers have no digits left: log p(x) is that "
            "of the model as it is stored, which is damaged or was not trained sensibly, unless the data are as large"
        )
    task.reporter.begun("evaluation")
    found = METHODS[method].measure(task)
    observed = math.prod(trained.shape) * (1 - found.summary.get("missing", 0.0))  # values in a row, on average
    summary = {
        "dataset": task.dataset.name,
        "data_sha256": trained.about.sha256,
        "shape": list(trained.shape),
        "method": method,
        "split": task.options.get("split"),
        **found.summary,
        "bits_per_dim": -found.summary["log_evidence"] / (observed * math.log(2)),
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
    for warning in found.summary["warnings"]:
        task.reporter.warning(warning)
    _save(trained, found, {**summary, **found.stored})
    return summary


def _save(trained: Trained, found: Found, summary: dict[str, Any]) -> None:
    """The per-datum values and the summary, each whole or not at all; the same measurement again replaces them."""
    name = f"evaluation/{found.name}-n{summary['n']}-seed{summary['evaluation_seed']}-step{trained.step}"
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=False, **found.columns)
    contents = {f"{name}.npz": stream.getvalue(), f"{name}.json": strict_json.canonical(_finite(summary))}
    RunFolder(trained.path).write(contents)


def _finite(value: Any) -> Any:
    """The same value with NaN and infinities as None, for which JSON has a word."""
    if isinstance(value, dict):
        return {name: _finite(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def closing_line(summary: Mapping[str, Any]) -> str:
    """The result in one line: log p(x) with its error, how it was measured, in what precision, how far to trust it.

    What one row or few samples do not tell is unknown: an error, or the share of large Pareto k. A run that is not what
    its preset's name says, or that started at the weights of another, is named at the end.
    """
    line, name, start = METHODS[summary["method"]].line(summary), summary.get("name"), summary.get("start")
    if precision := summary.get("precision"):
        *most, seconds = line.split("; ")
        line = "; ".join([*most, precision, seconds])
    named = [*([name] if name != summary.get("preset") and name else []), *([f"started at {start}"] if start else [])]
    return f"{line[:-1]}; {'; '.join(named)})" if named else line
