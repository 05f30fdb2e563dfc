"""Runs side by side: paired differences of log p(x) on the same rows, and the spread over seeds."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from iwax.evaluation.statistics import paired_difference
from iwax.runs import measurements, seeds
from iwax.runs.run import Run
from iwax.runs.seeds import Measured
from iwax.settings.naming import differing, display_name
from iwax.storage import checkpoint

__all__ = ["compare", "gain", "over_seeds"]

SHOWN = ("dataset", "preset", "seed", "checkpoint", "k", "n", "log_evidence", "standard_error", "elbo", "active_units")
NEEDED = (*SHOWN, "split", "evaluation_seed")
NUMBERS = ("log_evidence", "standard_error", "elbo")
COLUMNS = ("rows", "log_evidence", "elbo")
Setting = tuple[int, int, int, str]  # n, k, the seed of the importance samples, and which state: best, last, a step
Stored = tuple[Path, dict[str, Any]]


def compare(runs: Sequence[Path], *, split: str = "test") -> dict[str, Any]:
    """Summaries of two or more runs, each with its paired difference to the first, and seeds taken together.

    Of runs that differ by their seed alone there are mean and standard deviation under "seeds", and, where several
    settings have several seeds each, the differences of their means under "seed_differences".

    The measurements compared are of one split, on the same data binarised alike, the same rows, k and seed of the
    importance samples, and all of the best or all of the last states: the largest such measurement that all runs
    have, rather of the best. "differs" are a run's settings that are not the first's. Raises ValueError where there is
    none.
    """
    if len(runs) < 2:
        raise ValueError(f"two or more runs are needed to compare, got {len(runs)}")
    setting, chosen = _alike(runs, split)
    n, k, _, state = setting
    about = {"split": split, "n": n, "k": k, "checkpoint": state}
    groups = seeds.groups(chosen)
    over_seeds = {"seeds": [each.summary() for each in groups], "seed_differences": seeds.differences(groups)}
    return {**about, "runs": _entries(chosen), **over_seeds}


def gain(run: Path, baseline: Path) -> dict[str, tuple[float, float]]:
    """The gain of a run over a baseline on the test rows, paired: (mean, standard error) of log p(x) and the ELBO.

    Raises ValueError as `compare`.
    """
    _, (ours, theirs) = _alike([run, baseline], "test")
    return {
        "log_evidence": paired_difference(ours.log_evidence, theirs.log_evidence),
        "elbo": paired_difference(ours.elbo, theirs.elbo),
    }


def _alike(runs: Sequence[Path], split: str) -> tuple[Setting, list[Measured]]:
    """The measurements of all runs that can be paired up, and their setting."""
    opened = [Run(run) for run in runs]
    for other in opened[1:]:
        _refuse_other_data(opened[0], other)
    stored = [_stored(run, split) for run in opened]
    common = set.intersection(*(set(found) for found in stored))
    if not common:
        raise ValueError(_nothing_alike(runs, stored, split))
    setting = max(common, key=_preferred)
    chosen = [_read(run, *found[setting]) for run, found in zip(opened, stored, strict=True)]
    for other in chosen[1:]:
        _refuse_unlike(chosen[0], other)
    return setting, chosen


def over_seeds(compared: Mapping[str, Any], difference: Mapping[str, Any]) -> str:
    """In words, by how much the mean over the seeds of one group exceeds that of the first."""
    ours, first = compared["seeds"][difference["group"]], compared["seeds"][0]
    rows, name = difference["error_over_rows"], ours["name"]
    if name == first["name"]:
        name += f" ({', '.join(f'{key}={json.dumps(value)}' for key, value in difference['differs'].items())})"
    return (
        f"{name} less {first['name']}: {difference['difference']:+.3f} +/- {difference['error']:.3f} nats over "
        f"{len(ours['seeds'])} and {len(first['seeds'])} seeds"
        + ("" if math.isnan(rows) else f" (+/- {rows:.3f} over the {compared['n']:,} rows, paired)")
    )


def _stored(run: Run, split: str) -> dict[Setting, Stored]:
    """The measurements of a split by importance sampling, by setting."""
    found: dict[Setting, Stored] = {}
    states = _states(run.path)
    for path, summary in measurements.summaries(run.folder, NEEDED):
        if (summary.get("method", "importance"), summary["split"]) == ("importance", split):
            for state in states.get(summary["checkpoint"], (summary["checkpoint"],)):
                found[(summary["n"], summary["k"], summary["evaluation_seed"], state)] = path, summary
    return found


def _states(run: Path) -> dict[str, tuple[str, ...]]:
    """What the checkpoints of a run are now, by name: the best, the last, or, where nothing was validated, both."""
    folder = run / "checkpoints"
    steps = checkpoint.steps(folder)
    if not steps:
        return {}
    last = f"step-{steps[-1]}"
    best = checkpoint.search(folder, order="best")
    if best.path is not None and best.path.name != last:
        return {last: ("last",), best.path.name: ("best",)}
    return {last: ("last",) if best.skipped else ("best", "last")}


def _read(run: Run, path: Path, summary: dict[str, Any]) -> Measured:
    columns = measurements.read(run.folder, path, summary, COLUMNS).columns
    summary |= {name: math.nan for name in NUMBERS if summary[name] is None}  # for which JSON has no word
    return Measured(run.path, run.config, run.about.sha256, summary, *(columns[name] for name in COLUMNS))


def _refuse_other_data(first: Run, other: Run) -> None:
    """Before measurements are looked at: no measurement makes runs on different data comparable."""
    one, two = first.about, other.about
    if (one.name, one.sha256) != (two.name, two.sha256):
        raise ValueError(
            f"runs measured on the same data, split and binarised alike, are needed; got {first.path} on {one.name} "
            f"(SHA-256 {one.sha256[:12]}...) and {other.path} on {two.name} ({two.sha256[:12]}...)"
        )


def _refuse_unlike(first: Measured, other: Measured) -> None:
    if not np.array_equal(first.rows, other.rows):
        raise ValueError(f"measurements of the same rows are needed; those of {first.run} and {other.run} differ")


def _entries(chosen: list[Measured]) -> list[dict[str, Any]]:
    entries = []
    for measured in chosen:
        difference, error = paired_difference(measured.log_evidence, chosen[0].log_evidence)
        entry = {"run": str(measured.run), **{name: measured.summary[name] for name in SHOWN}}
        entry["name"] = display_name(measured.config)
        differs = differing(measured.config, chosen[0].config)
        entries.append(entry | {"difference": difference, "difference_error": error, "differs": differs})
    return entries


def _preferred(setting: Setting) -> tuple[Any, ...]:
    return setting[:3], setting[3] == "best", setting[3]


def _nothing_alike(runs: Sequence[Path], stored: list[dict[Setting, Stored]], split: str) -> str:
    """What the runs have, and the commands that measure as the first measured one is what is not."""
    have = "; ".join(f"{run} has {_words(found)}" for run, found in zip(runs, stored, strict=True))
    measured = next((found for found in stored if found), {})
    n, k, seed, state = max(measured, key=_preferred, default=(None, None, 0, "best"))
    options = f" --split {split}" + (f" --k {k} --limit {n}" if k else "")
    options += (f" --seed {seed}" if seed else "") + ("" if state == "best" else f" --checkpoint {state}")
    lacking = [run for run, found in zip(runs, stored, strict=True) if (n, k, seed, state) not in found]
    commands = "; ".join(f"iwax evaluate {run}{options}" for run in lacking)
    return (
        f"runs are compared on measurements of the same {split} rows, with the same k, seed and checkpoint: {have}. "
        f"Measure them alike: {commands}"
    )


def _words(found: dict[Setting, Stored]) -> str:
    each = [f"{n:,} rows at k = {k:,} (seed {seed}, {state})" for n, k, seed, state in sorted(found)]
    return " and ".join(each) or "none"
