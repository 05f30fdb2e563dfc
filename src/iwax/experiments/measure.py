"""Measure a trained run: log p(x) on a split with its errors, and how far to trust it."""

import io
import math
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

from iwax import evaluation
from iwax.data import Dataset
from iwax.experiments import build, cost
from iwax.experiments.config import LARGEST_K
from iwax.experiments.environment import versions
from iwax.experiments.folder import existing
from iwax.experiments.place import placed
from iwax.experiments.reporter import Reporter
from iwax.experiments.stored import Trained, open_run
from iwax.training import durable, strict_json

__all__ = ["closing_line", "evaluate"]

EVIDENCE, ACTIVITY, DIVERGENCE = 2000, 2001, 2002  # purposes of random numbers, beside those of training
COMMON_SEED = 0  # of the importance samples of every run, so that measurements pair up
ACTIVE = 0.01  # Var_x E_q[u] above which a unit counts as active (Burda, Grosse, Salakhutdinov 2016)


def evaluate(
    run: str | Path,
    *,
    split: str | None = None,
    k: int | None = None,
    limit: int | None = None,
    seed: int | None = None,
    checkpoint: str | None = None,
    reporter: Reporter,
) -> dict[str, Any]:
    """Estimate log p(x) of a split of a run's data by importance sampling; None takes what its configuration says.

    `seed` is that of the importance samples, 0 where it is None whatever the seed of the run: runs measured with the
    same noise can be compared pair by pair.
    Per-datum values go to the run's evaluation/ folder, one .npz and one .json a measurement. Rows keep their
    numbers under `limit`, so that two measurements can be compared row by row. Returns the summary: `log_evidence`,
    `standard_error`, `elbo` ... in nats. Raises ValueError for a wrong split, k, limit or seed.
    """
    folder = existing(Path(run))
    settings = folder.config().evaluation
    split = settings.split if split is None else split
    k, limit = settings.k if k is None else k, settings.limit if limit is None else limit
    seed = COMMON_SEED if seed is None else seed
    ranges = (("k", k, 1, LARGEST_K), ("limit", limit, 1, 10**9), ("seed", seed, 0, 2**32 - 1))
    for name, value, least, largest in ranges:
        if value is not None and not least <= value <= largest:
            raise ValueError(f"{name}: an integer from {least} to {largest} was needed, got {value}")
    trained = open_run(run, checkpoint=checkpoint or settings.checkpoint)
    dataset = trained.dataset()
    if dataset.digest() != trained.about.sha256:
        reporter.warning(f"{dataset.name} is not what the run was trained on: its SHA-256 has changed")
    with placed(device=trained.config.device, precision=trained.config.precision):
        return _measure(trained, dataset, split=split, k=k, limit=limit, seed=seed, reporter=reporter)


def _measure(
    trained: Trained, dataset: Dataset, *, split: str, k: int, limit: int | None, seed: int, reporter: Reporter
) -> dict[str, Any]:
    x = build.values(trained.config, dataset, split, final=True)[:limit]
    if (seconds := cost.forecast(trained, len(x) * k)) > cost.WORTH_SAYING:
        reporter.note(f"measuring {len(x)} rows with k={k}: about {cost.in_words(seconds)}")
    key, model, begun = jax.random.key(seed), trained.model, time.perf_counter()
    found = evaluation.log_evidence(model, x, k=k, key=jax.random.fold_in(key, EVIDENCE), progress=reporter.evaluation)
    activity = evaluation.unit_activity(model, x, key=jax.random.fold_in(key, ACTIVITY))
    divergence = evaluation.kl_per_unit(model, x, key=jax.random.fold_in(key, DIVERGENCE))
    summary = _summary(trained, dataset, found) | {
        "split": split,
        "active_units": evaluation.active_units(activity, threshold=ACTIVE),
        "active_units_threshold": ACTIVE,
        "units": [len(layer) for layer in activity],
        "seconds": time.perf_counter() - begun,
        "preset": trained.config.preset,
        "seed": trained.config.seed,
        "evaluation_seed": seed,
        "checkpoint": trained.checkpoint.name,
        "versions": versions(),
        "warnings": found.warnings(),
    }
    for warning in found.warnings():
        reporter.warning(warning)
    units = {"activity": [layer.tolist() for layer in activity], "kl": [layer.tolist() for layer in divergence]}
    _save(trained, found, {**summary, "unit_activity": units["activity"], "kl_per_unit": units["kl"]})
    return summary


def _summary(trained: Trained, dataset: Dataset, found: evaluation.Evidence) -> dict[str, Any]:
    """What the estimate alone says, under the names of `iwax evaluate --json`."""
    return {
        "dataset": dataset.name,
        "shape": list(trained.shape),
        "n": int(found.rows.size),
        "k": found.k,
        "method": "importance",
        "log_evidence": found.mean,
        "standard_error": found.standard_error,
        "elbo": found.elbo_mean,
        "elbo_standard_error": found.elbo_standard_error,
        "bits_per_dim": -found.mean / (math.prod(trained.shape) * math.log(2)),
        "ess_median": found.ess_median,
        "pareto_k_over_0_7": found.pareto_k_over(0.7),
    }


def _save(trained: Trained, found: evaluation.Evidence, summary: dict[str, Any]) -> None:
    """The per-datum values and the summary, each whole or not at all; the same measurement again replaces them."""
    folder = trained.path / "evaluation"
    folder.mkdir(exist_ok=True)
    name = f"{summary['split']}-k{found.k}-n{found.rows.size}-seed{summary['evaluation_seed']}-step{trained.step}"
    stream = io.BytesIO()
    columns = ("log_evidence", "monte_carlo_error", "elbo", "elbo_error", "ess", "pareto_k")
    np.savez(stream, rows=found.rows, **{column: getattr(found, column) for column in columns})
    durable.replace(folder / f"{name}.npz", stream.getvalue())
    durable.replace(folder / f"{name}.json", strict_json.canonical(_finite(summary)))


def _finite(value: Any) -> Any:
    """The same value with NaN and infinities as None, for which JSON has a word."""
    if isinstance(value, dict):
        return {name: _finite(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def closing_line(summary: dict[str, Any]) -> str:
    """The result in one line: log p(x) with its error, how it was measured, and how far to trust it.

    What one row or few samples do not tell is unknown: an error, or the share of large Pareto k.
    """
    units, active = summary["units"], summary["active_units"]
    counted = f"{active[0]}/{units[0]}" if len(units) == 1 else "+".join(map(str, active))
    rows = "images" if len(summary["shape"]) > 1 else "rows"
    error = _or_unknown(summary["standard_error"], ".2f")
    share = _or_unknown(summary["pareto_k_over_0_7"], ".0%").replace("%", " %")
    return (
        f"{summary['split']} log p(x) = {summary['log_evidence']:.2f} +/- {error} nats "
        f"(k={summary['k']}, {summary['dataset']}, {summary['n']} {rows}; ELBO {summary['elbo']:.1f}; "
        f"ESS median {summary['ess_median']:.0f}; Pareto k > 0.7: {share}; "
        f"active units {counted}; {summary['seconds']:.0f} s)"
    )


def _or_unknown(value: float, form: str) -> str:
    """A number in a format, or the word for there being none.

    >>> _or_unknown(0.25, ".0%"), _or_unknown(math.nan, ".2f")
    ('25%', 'unknown')
    """
    return "unknown" if math.isnan(value) else format(value, form)
