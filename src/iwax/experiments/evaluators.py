"""Several evaluators of log p(x) side by side on the same rows; each pass is kept in the run folder once it is made.

A kept pass is found again by all that its numbers depend on: the weights, the data, the plan, the versions and the
device. Whatever of these changes, it is measured anew.
"""

import hashlib
import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from iwax import evaluation
from iwax._typing import PRNGKey
from iwax.data.formats.npy import read_npz
from iwax.experiments import build, cost
from iwax.experiments.comparison import paired_difference
from iwax.experiments.environment import environment, versions
from iwax.experiments.folder import RunFolder
from iwax.experiments.measure import COMMON_SEED
from iwax.experiments.place import placed
from iwax.experiments.published import PublishedValue, SideBySide
from iwax.experiments.reporter import Reporter
from iwax.experiments.results import Evaluator
from iwax.experiments.stored import Trained, open_run
from iwax.model import LatentVariableModel
from iwax.streams import Run
from iwax.training import manifest, strict_json
from iwax.training.checkpoint import CorruptCheckpointError

__all__ = ["Measured", "measure_side_by_side", "plans"]

SPLIT, TRUTH = "test", "AIS"

Progress = Callable[[int, int], None]
Columns = tuple[np.ndarray, np.ndarray, list[str]]  # values and their Monte-Carlo errors [evaluators, n], and warnings


@dataclass(frozen=True)
class Measured:
    """What stands side by side, and what the draws of `log_evidence` say of the ELBO: `elbo` and its error, nats.

    `seconds` are of all passes, whenever they were made.
    """

    n: int
    evaluators: list[Evaluator]
    log_evidence: Evaluator
    elbo: float
    elbo_standard_error: float
    seconds: float


class _Pass(NamedTuple):
    """Evaluators of the same draws: their names, k and plan in words; all that decides their noise; and the work."""

    name: str
    evaluators: list[str]
    k: int | None
    words: str
    settings: dict[str, Any]
    draws: int  # of the generative net, a row
    measure: Callable[[LatentVariableModel, np.ndarray, PRNGKey, Progress], Columns]


class _Kept(NamedTuple):
    """A pass that was made."""

    values: np.ndarray
    errors: np.ndarray
    warnings: list[str]
    seconds: float


def measure_side_by_side(
    run: Path, plan: SideBySide, *, k: int, published: dict[str, PublishedValue], reporter: Reporter
) -> Measured:
    """Every evaluator of the plan, and the IWAE bound at k, on the first test rows; of the last state of a run.

    The differences are to annealed importance sampling, row by row. What an earlier call has measured is read from the
    run's evaluation/ folder. Raises ValueError where the latents are discrete.
    """
    trained = open_run(run, checkpoint="last")
    dataset = trained.dataset()
    passes, kept = _passes(plan, k), {}
    with placed(device=trained.config.device, precision=trained.config.precision):
        x = build.values(trained.config, dataset, SPLIT, final=True)[: plan.rows]
        about = _about(trained, trained.about.sha256, len(x))
        for each in passes:
            kept[each.name] = _once(trained, each, x, about, reporter)
            for warning in kept[each.name].warnings:
                reporter.warning(f"{', '.join(each.evaluators[:1])}: {warning}")
    truth = kept["annealed"].values[0]
    evaluators = [
        _evaluator(each, name, kept[each.name], number, None if name == TRUTH else truth, published.get(name))
        for each in passes
        for number, name in enumerate(each.evaluators)
    ]
    elbo = kept["importance"].values[1]
    (largest,) = (each for each in evaluators if each.name == _name_of_bound(k))
    seconds = sum(each.seconds for each in kept.values())
    return Measured(len(x), evaluators, largest, float(elbo.mean()), _standard_error(elbo), seconds)


def plans(plan: SideBySide, *, k: int) -> list[tuple[str, int | None, str]]:
    """Name, k and plan in words of every evaluator, in order: by them a result says how it was measured."""
    return [(name, each.k, each.words) for each in _passes(plan, k) for name in each.evaluators]


def _passes(plan: SideBySide, k: int) -> list[_Pass]:
    few = {"k": plan.k, "repeats": plan.repeats, "orders": plan.orders}
    chains = {name: getattr(plan, name) for name in ("chains", "temperatures", "leapfrog", "start")}
    warm_up = max(50, plan.temperatures // 10)
    start = "q(z|x)" if plan.start == "posterior" else "the prior"
    words = (
        f"{plan.chains} chains from {start}, {plan.temperatures} temperatures, {plan.leapfrog} leapfrog steps at each"
    )
    return [
        _Pass(
            "jackknife",
            ["ELBO", "IWAE", *(f"JVI-{order}" for order in plan.orders)],
            plan.k,
            f"k = {plan.k}, means of the same {plan.repeats} sets of draws",
            few,
            2 * plan.k * plan.repeats,
            lambda model, x, key, progress: _few_draws(model, x, key, progress, plan),
        ),
        _Pass(
            "importance",
            [_name_of_bound(k)],
            k,
            f"the IWAE bound at k = {k}",
            {"k": k},
            k,
            lambda model, x, key, progress: _many_draws(model, x, key, progress, k),
        ),
        _Pass(
            "annealed",
            [TRUTH],
            None,
            f"annealed importance sampling, {words}",
            chains,
            2 * plan.chains * (plan.temperatures + warm_up) * plan.leapfrog,  # a gradient in z is two products
            lambda model, x, key, progress: _annealed(model, x, key, progress, plan),
        ),
    ]


def _name_of_bound(k: int) -> str:
    return f"L_{k}"


def _few_draws(
    model: LatentVariableModel, x: np.ndarray, key: PRNGKey, progress: Progress, plan: SideBySide
) -> Columns:
    """ELBO, IWAE and jackknife; the noise is a function of (key, row, draw), so both calls have the same draws."""
    key = jax.random.fold_in(key, Run.COMPARED_JACKKNIFE)
    found = evaluation.jackknife_evidence(
        model, x, k=plan.k, orders=[0, *plan.orders], repeats=plan.repeats, key=key, progress=progress
    )
    same = evaluation.log_evidence(model, x, k=plan.k * plan.repeats, key=key, chunk=plan.k)
    return np.vstack([same.elbo, found.estimate]), np.vstack([same.elbo_error, found.error]), []


def _many_draws(model: LatentVariableModel, x: np.ndarray, key: PRNGKey, progress: Progress, k: int) -> Columns:
    """The IWAE bound at k with the draws of `iwax evaluate`, and below it the ELBO of the same draws."""
    found = evaluation.log_evidence(model, x, k=k, key=jax.random.fold_in(key, Run.EVIDENCE), progress=progress)
    values, errors = (found.log_evidence, found.elbo), (found.monte_carlo_error, found.elbo_error)
    return np.stack(values), np.stack(errors), found.warnings()


def _annealed(model: LatentVariableModel, x: np.ndarray, key: PRNGKey, progress: Progress, plan: SideBySide) -> Columns:
    found = evaluation.annealed_evidence(
        model,
        x,
        chains=plan.chains,
        temperatures=plan.temperatures,
        leapfrog=plan.leapfrog,
        start=plan.start,
        key=jax.random.fold_in(key, Run.COMPARED_ANNEALING),
        progress=progress,
    )
    return found.log_evidence[None], found.monte_carlo_error[None], found.warnings()


def _about(trained: Trained, digest: str, n: int) -> dict[str, Any]:
    """All that the numbers of a pass depend on, its own settings aside."""
    return {
        "split": SPLIT,
        "n": n,
        "seed": COMMON_SEED,
        "data": digest,
        "weights": manifest.read(trained.checkpoint)["files"]["model.safetensors"]["sha256"],
        "precision": trained.config.precision,
        "device": environment([])["device"],
        "versions": versions(),
    }


def _once(trained: Trained, each: _Pass, x: np.ndarray, about: dict[str, Any], reporter: Reporter) -> _Kept:
    """The pass as it was kept, or made now and kept."""
    identity = strict_json.canonical({"pass": each.name, **each.settings, **about})
    name = f"side-by-side-{each.name}-{hashlib.sha256(identity).hexdigest()[:16]}.npz"
    folder, path = RunFolder(trained.path), trained.path / "evaluation" / name
    if folder.files.kind(f"evaluation/{name}") is not None:
        try:
            kept = _read(folder.read(f"evaluation/{name}"), name, identity)
        except (OSError, ValueError, KeyError, CorruptCheckpointError) as error:
            reporter.warning(f"{path} is damaged and measured again: {error}")
        else:
            reporter.note(f"{', '.join(each.evaluators)}: measured before, {path}")
            return kept
    seconds = cost.forecast(trained, len(x) * each.draws)
    reporter.note(f"{', '.join(each.evaluators)} of {len(x)} rows ({each.words}): about {cost.in_words(seconds)}")
    begun = time.perf_counter()
    values, errors, warnings = each.measure(trained.model, x, jax.random.key(COMMON_SEED), reporter.evaluation)
    kept = _Kept(values, errors, warnings, time.perf_counter() - begun)
    folder.write({f"evaluation/{name}": _packed(kept, identity)})
    return kept


def _packed(kept: _Kept, identity: bytes) -> bytes:
    stream = io.BytesIO()
    words = strict_json.canonical({"warnings": kept.warnings, "seconds": kept.seconds})
    np.savez(
        stream,
        values=kept.values,
        errors=kept.errors,
        identity=np.frombuffer(identity, np.uint8),
        about=np.frombuffer(words, np.uint8),
    )
    return stream.getvalue()


def _read(data: bytes, name: str, identity: bytes) -> _Kept:
    """A kept pass; ValueError or KeyError where it is not whole, or is another one."""
    arrays = read_npz(data, name=name)
    if arrays["identity"].tobytes() != identity:
        raise ValueError("a measurement of these weights, data and settings was needed, got another")
    about = strict_json.parse(arrays["about"].tobytes())
    return _Kept(arrays["values"], arrays["errors"], list(about["warnings"]), float(about["seconds"]))


def _evaluator(
    each: _Pass, name: str, kept: _Kept, number: int, truth: np.ndarray | None, published: PublishedValue | None
) -> Evaluator:
    values, errors = kept.values[number], kept.errors[number]
    difference, difference_error = (None, None) if truth is None else paired_difference(values, truth)
    return Evaluator(
        name=name,
        k=each.k,
        plan=each.words,
        mean=float(values.mean()),
        standard_error=_standard_error(values),
        monte_carlo_error=float(np.sqrt(np.sum(errors**2)) / errors.size),
        difference=difference,
        difference_error=difference_error,
        seconds=round(kept.seconds, 1),
        warnings=kept.warnings,
        published=published,
    )


def _standard_error(values: np.ndarray) -> float:
    return float(values.std(ddof=1) / np.sqrt(values.size))
