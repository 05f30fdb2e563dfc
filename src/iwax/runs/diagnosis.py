"""Diagnose a trained run: where its bound falls short, what its latents hold, and how noisy its gradients are."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from iwax import data, evaluation, streams
from iwax._typing import PRNGKey
from iwax.evaluation.signal_to_noise import check_repeats
from iwax.evaluation.statistics import standard_error
from iwax.runs import cost
from iwax.runs.environment import environment
from iwax.runs.methods.importance import ACTIVE
from iwax.runs.reporter import Reporter
from iwax.runs.run import Run
from iwax.runs.signal import name_of, signal_curve, variants
from iwax.settings.naming import display_name
from iwax.settings.objective import Objective

__all__ = ["Effort", "diagnose"]

COMMON_SEED = 0  # of the noise, whatever the run's, so that runs can be compared


@dataclass(frozen=True)
class Effort:
    """How much is spent: rows and draws for each part of the diagnosis.

    ``limit`` rows get a q of their own, fitted in ``steps`` steps, and k draws for convergence and log p(x); latents
    are measured on ``latent_rows``, or ``limit`` if that is more; gradients on ``signal_rows``, ``repeats`` times a k.
    """

    limit: int = 100
    k: int = 5000
    steps: int = 500
    latent_rows: int = 1000
    signal_rows: int = 10
    signal_ks: tuple[int, ...] = (1, 4, 16, 64, 256)
    repeats: int = 100

    def products(self, curves: int) -> int:
        """Passes of one draw through the generative net, a backward pass counted as one."""
        a_row = self.k + 2 * self.gap_k + 5 * self.steps * 2
        return self.limit * a_row + curves * self.signal_rows * self.repeats * 3 * sum(self.signal_ks)

    @property
    def gap_k(self) -> int:
        """Draws of either proposal for the gap."""
        return max(1, self.k // 2)


def diagnose(
    run: Run,
    *,
    split: str | None = None,
    seed: int | None = None,
    effort: Effort,
    bounds: Sequence[str] = (),
    gradients: Sequence[str] = (),
    parameters: Mapping[str, Any] | None = None,
    reporter: Reporter,
) -> dict[str, Any]:
    """The inference gap, KL and activity of units, the aggregate posterior, convergence in k, and signal-to-noise.

    Every number has its error; what the model cannot serve is None, with the reason under "left_out". Gradients are
    those of the run's objective, or of every one of ``bounds`` with every one of ``gradients``. ``seed`` is that of the
    noise, 0 where it is None. Nothing is written.
    Raises ValueError for a name, a number or a split that there is not, and for rows with missing cells.
    """
    settings, seed = run.config, COMMON_SEED if seed is None else seed
    chosen = variants(settings.objective, bounds, gradients, parameters or {})
    _check(effort, seed)
    split, dataset = split or settings.evaluation.split, run.dataset()
    with run.placed():
        x = run.rows(split)
        _check_whole(x[: max(effort.limit, effort.latent_rows, effort.signal_rows)], dataset, split)
        seconds = cost.forecast(settings, run.shape, effort.products(len(chosen)))
        reporter.note(
            f"diagnosing {min(effort.limit, len(x))} rows with k={effort.k}, gradients {effort.repeats} times at "
            f"{len(effort.signal_ks)} k: about {cost.in_words(seconds)}, and a minute or more for compiling each part"
        )
        parts = _Parts(run, x, jax.random.key(seed), effort, reporter)
        found = {"environment": environment()} | parts.all(chosen)
    about = {"dataset": dataset.name, "split": split, "seed": seed, "checkpoint": run.checkpoint.name}
    origin = {
        "preset": settings.preset,
        "name": display_name(settings),
        "run_seed": settings.seed,
        "shape": list(run.shape),
    }
    return about | origin | found


def _check(effort: Effort, seed: int) -> None:
    if not 0 <= seed < 2**32:
        raise ValueError(f"seed: an integer from 0 to {2**32 - 1} was needed, got {seed}")
    if effort.limit < 1 or effort.k < 1:
        raise ValueError(f"limit and k: 1 or more were needed, got {effort.limit} and {effort.k}")
    check_repeats(effort.repeats)


def _check_whole(x: np.ndarray, dataset: data.Dataset, split: str) -> None:
    missing = np.argwhere(np.isnan(x)) if x.dtype.kind == "f" else np.empty((0, 2), int)
    if not len(missing):
        return
    row, column = missing[0]
    named = repr(dataset.columns[column].name) if dataset.columns else str(column + 1)
    raise ValueError(
        f"a diagnosis needs rows without missing cells; of {dataset.name}, {len(np.unique(missing[:, 0])):,} of "
        f"{len(x):,} {split} rows have some, the first in {split} row {row + 1}, column {named} (counted from 1). Log "
        "p(x) of such rows is measured by iwax evaluate; to diagnose, name a split without any by --split, or train "
        "and diagnose on a file of whole rows"
    )


@dataclass(frozen=True)
class _Parts:
    """The parts of a diagnosis, each a dictionary for JSON."""

    run: Run
    x: np.ndarray
    root: PRNGKey
    effort: Effort
    reporter: Reporter

    def all(self, chosen: list[Objective]) -> dict[str, Any]:
        """Every part with its seconds and those that went into compiling; None, and why, where it cannot be served."""
        parts: dict[str, Callable[[], Any]] = {
            "gap": self.gap,
            "convergence": self.convergence,
            "units": self.units,
            "aggregate": self.aggregate,
            "signal_to_noise": lambda: self.signal(chosen),
        }
        found: dict[str, Any] = {}
        left_out, seconds, compiling = {}, {}, {}
        for name, part in parts.items():
            self.reporter.note(f"measuring  {name.replace('_', ' ')}")
            with cost.Stopwatch() as watch:
                try:
                    found[name] = part()
                except TypeError as error:
                    found[name], left_out[name] = None, str(error)
                    self.reporter.warning(f"{name.replace('_', ' ')} left out: {error}")
            seconds[name], compiling[name] = watch.seconds, watch.compiling
            self.reporter.note(f"            {watch.seconds:.0f} s, of which {watch.compiling:.0f} s compiling")
            for words in (found[name] or {}).get("warnings", []):
                self.reporter.warning(words)
        total, compiled = sum(seconds.values()), sum(compiling.values())
        self.reporter.note(f"diagnosed in {total:.0f} s, of which {compiled:.0f} s compiling")
        return found | {"left_out": left_out, "seconds": seconds, "seconds_compiling": compiling}

    def _key(self, stream: streams.Run) -> PRNGKey:
        return jax.random.fold_in(self.root, stream)

    def gap(self) -> dict[str, Any]:
        """The inference gap in two."""
        found = evaluation.inference_gap(
            self.run.model,
            self.x[: self.effort.limit],
            k=self.effort.gap_k,
            steps=self.effort.steps,
            key=self._key(streams.Run.GAP),
            progress=self.reporter.evaluation,
        )
        rows = {name: getattr(found, name).tolist() for name in found.summary()}
        about = {"rows": int(found.rows.size), "k": found.k, "steps": found.steps, "family": found.family}
        return about | found.summary() | {"per_row": rows, "warnings": found.warnings()}

    def convergence(self) -> dict[str, Any]:
        """The expected bound at k = 1, 2, 5, 10, ..."""
        x = self.x[: self.effort.limit]
        options = {"key": self._key(streams.Run.CONVERGENCE), "progress": self.reporter.evaluation}
        found = evaluation.convergence_in_k(self.run.model, x, k=self.effort.k, **options)
        names = ("groups", "standard_error", "monte_carlo_error", "gain", "gain_error")
        lists = {name: getattr(found, name).tolist() for name in names}
        return {"rows": len(x), "k": found.ks.tolist(), "bound": found.mean.tolist()} | lists

    def _latent_rows(self) -> np.ndarray:
        return self.x[: max(self.effort.latent_rows, self.effort.limit)]

    def units(self) -> dict[str, Any]:
        """KL and activity of every unit of every layer, from the data up."""
        x, key = self._latent_rows(), self._key(streams.Run.UNITS)
        missing = bool(np.isnan(x).any())
        activity = evaluation.unit_activity(self.run.model, x, key=key, missing=missing)
        divergence = evaluation.kl_by_row(self.run.model, x, key=key, missing=missing)
        errors = [standard_error(kl, axis=0) for kl in divergence]
        layers = [
            {"kl": kl.mean(axis=0).tolist(), "error": error.tolist(), "activity": active.tolist()}
            for kl, error, active in zip(divergence, errors, activity, strict=True)
        ]  # of a layer that is no product over units, one KL for the layer as a whole
        active = evaluation.active_units(activity, threshold=ACTIVE)
        return {"rows": len(x), "active_units": active, "active_units_threshold": ACTIVE, "layers": layers}

    def aggregate(self) -> dict[str, Any]:
        """Mutual information and the distance of q(z) from the prior."""
        x = self._latent_rows()
        options = {"key": self._key(streams.Run.AGGREGATE), "progress": self.reporter.evaluation}
        found = evaluation.aggregate_posterior(self.run.model, x, **options)
        return {"rows": len(x), "limit": found.limit} | found.summary() | {"warnings": found.warnings()}

    def signal(self, chosen: list[Objective]) -> dict[str, Any]:
        """Signal-to-noise of the gradients against k, a curve per objective."""
        x, effort = self.x[: self.effort.signal_rows], self.effort
        options = {"ks": effort.signal_ks, "repeats": effort.repeats, "key": self._key(streams.Run.SIGNAL)}
        options["rows"] = self.run.about.rows["train"]
        curves = [self._curve(each, x, options) for each in chosen]
        return {"rows": len(x), "repeats": effort.repeats, "curves": curves}

    def _curve(self, objective: Objective, x: np.ndarray, options: dict[str, Any]) -> dict[str, Any]:
        """One objective's curve; every k is a program of its own, and reported when it is done."""

        def report(done: int, total: int) -> None:
            self.reporter.note(f"            {name_of(objective)}: {done} of {total} k")

        return signal_curve(self.run.model, x, objective, reporter=self.reporter, progress=report, **options)
