"""A row of a published table, trained, measured as the publication measured it, and written down."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from iwax import bnn, evaluation
from iwax.model import LatentVariableModel
from iwax.reproduction.evaluators import measure_side_by_side, plans
from iwax.reproduction.published import ErrorRow, ErrorTable, PublishedRow, PublishedTable, PublishedValue, select_rows
from iwax.reproduction.results import Against, Published, Result, find, write
from iwax.runs.comparison import gain
from iwax.runs.environment import environment
from iwax.runs.methods import Importance
from iwax.runs.reporter import Reporter
from iwax.runs.run import Run
from iwax.runs.sources import from_sources
from iwax.runs.training import resume, train
from iwax.settings import build
from iwax.settings.config import Config
from iwax.settings.presets import burda_name
from iwax.storage import checkpoint, durable
from iwax.storage.sealed import TIMING, Sealed
from iwax.training import steps_per_epoch

__all__ = [
    "ACTIVITY_ROWS",
    "Request",
    "configuration",
    "published_activity",
    "reproduce_errors",
    "reproduce_row",
    "run_folder",
]

ACTIVITY_ROWS = 500  # of the training images, as Burda, Grosse and Salakhutdinov counted
ACTIVITY_SEED = 0
LONGEST_MINUTES = 1e6

# Burda's second experiment: the other objective from a trained model, 3^7 epochs at the last rate of the stages.
SECOND = {
    "paper": {"training.schedule": "constant", "training.learning_rate": 1e-4, "training.epochs": 2187},
    "quick": {"training.schedule": "constant", "training.learning_rate": 1e-4, "training.epochs": 67},
}


@dataclass(frozen=True)
class Request:
    """What is asked of the rows of a table. Raises ValueError on a recipe, epochs or minutes that cannot be."""

    table: PublishedTable
    recipe: str = "quick"
    epochs: int | None = None
    minutes: float | None = None
    limit: int | None = None
    output: Path = Path("runs")
    results: Path = Path("results")

    def __post_init__(self) -> None:
        if self.recipe not in SECOND:
            raise ValueError(f"recipe: needs one of {', '.join(sorted(SECOND))}, got {self.recipe!r}")
        if self.epochs is not None and self.epochs < 1:
            raise ValueError(f"epochs: needs to be 1 or more, got {self.epochs}")
        if self.limit is not None and self.limit < 2:
            raise ValueError(f"limit: needs to be 2 test rows or more, got {self.limit}")
        if self.limit is not None and self.table.evaluators is not None:
            raise ValueError(
                f"limit: {self.table.name} is measured on the {self.table.evaluators.rows} test rows that it names, "
                f"got {self.limit}"
            )
        if self.minutes is not None and not 0 <= self.minutes <= LONGEST_MINUTES:
            raise ValueError(f"minutes: needs to be from 0 to {LONGEST_MINUTES:g}, got {self.minutes}")

    def command(self, row: PublishedRow, *, seed: int) -> str:
        """The words that make this row's result again."""
        words = f"iwax reproduce {self.table.name} --rows {row.name} --recipe {self.recipe}"
        words += f" --epochs {self.epochs}" if self.epochs is not None else ""
        words += f" --minutes {self.minutes:g}" if self.minutes is not None else ""
        words += f" --limit {self.limit}" if self.limit is not None else ""
        return f"{words} --seeds {seed + 1}"


def configuration(row: PublishedRow, request: Request, *, seed: int) -> Config:
    """The run that stands for a row: the table's nets (or Burda's), the row's data, bound and k, the recipe's schedule.

    >>> from iwax.reproduction.published import read_table
    >>> request = Request(read_table("burda2016"), recipe="paper")
    >>> (row,) = select_rows(request.table, "mnist-1-vae-k5")
    >>> configuration(row, request, seed=0).training.epochs
    3280
    """
    table = request.table
    preset = row.preset or table.preset or burda_name("vae" if row.bound == "elbo" else "iwae", row.layers, row.k)
    flags: dict[str, object] = {"seed": seed, "evaluation.k": table.evaluation_k}
    flags |= {"objective.bound": row.bound, "objective.k": row.k, **table.settings, **row.settings}
    if table.evaluators is not None:
        flags["evaluation.limit"] = table.evaluators.rows
    if request.limit is not None:
        flags["evaluation.limit"] = request.limit
    if row.start is not None:
        (first,) = select_rows(request.table, row.start)
        flags |= SECOND[request.recipe] | {"start": str(run_folder(first, request, seed=seed))}
    if request.epochs is not None:
        flags["training.epochs"] = request.epochs
    return from_sources(preset=preset, recipe=request.recipe, data=row.data, flags=flags)


def run_folder(row: PublishedRow, request: Request, *, seed: int) -> Path:
    """Where the run of a row lives: the recipe's own number of epochs needs no mention."""
    epochs = f"-e{request.epochs}" if request.epochs is not None else ""
    return request.output / f"{row.name}-{request.recipe}{epochs}-seed{seed}"


def reproduce_row(row: PublishedRow, request: Request, *, seed: int, reporter: Reporter) -> tuple[Run, Result, Path]:
    """Train (or go on with) a row, measure it, write its result; the run, the result and its file.

    A finished run is not trained again. Where a row starts at another's weights and that other one is cut, it is the
    other one that is returned: nothing is trained from half of a start. Raises what `run.train` and `evaluate` raise.
    """
    config = configuration(row, request, seed=seed)
    if row.start is not None:
        (first,) = select_rows(request.table, row.start)
        begun = reproduce_row(first, request, seed=seed, reporter=reporter)
        if begun[1].cut:
            reporter.note(
                f"{row.name}: not trained, as {first.name}, where it starts, is at {begun[1].epochs} of "
                f"{begun[1].epochs_planned} epochs; the same command again, or without --minutes, goes on with it"
            )
            return begun
    folder = run_folder(row, request, seed=seed)
    before = _newest(folder)
    run = _train(folder, config, minutes=request.minutes, reporter=reporter).at("last")
    earlier = find(request.results, request.table.name, row.name, request.recipe, config.training.epochs, seed)
    trained_so = earlier is not None and before == _newest(folder) and earlier.epochs == _epochs(run)
    if earlier is not None and trained_so and _measured_so(earlier, request):
        reporter.note(f"{row.name}: trained and measured before, {request.results / earlier.file_name}")
        return run, earlier, request.results / earlier.file_name
    result = _result(row, request, run, _measure(run, row, request, reporter), seed=seed)
    return run, result, write(result, request.results)


def _measured_so(result: Result, request: Request) -> bool:
    """Whether a result was measured as is asked for now."""
    table = request.table
    if table.evaluators is None:
        return not result.evaluators and result.limit == request.limit
    wanted = plans(table.evaluators, k=table.evaluation_k)
    return wanted == [(each.name, each.k, each.plan) for each in result.evaluators]


def _measure(run: Run, row: PublishedRow, request: Request, reporter: Reporter) -> dict[str, Any]:
    """The fields of a result that measuring gives."""
    table, k, started = request.table, request.table.evaluation_k, time.monotonic()
    if table.evaluators is None:
        names = ("versions", "n", "k", "log_evidence", "standard_error", "elbo", "elbo_standard_error")
        report = run.evaluate(Importance(k), split="test", limit=request.limit, seed=0, reporter=reporter)
        return {name: report[name] for name in names} | {"evaluation_seconds": time.monotonic() - started}
    return measure_side_by_side(run, table.evaluators, k=k, published=row.evaluators, reporter=reporter)


def _train(folder: Path, config: Config, *, minutes: float | None, reporter: Reporter) -> Run:
    """Go on until the run is finished or its time is up; the run."""
    end = None if minutes is None else time.monotonic() + 60.0 * minutes
    stop = None if end is None else lambda: time.monotonic() >= end
    if Sealed(folder).files.kind("config.json") is None:
        return train(config, folder, reporter=reporter, stop=stop)
    there = Run(folder).config
    if _identity(there) != _identity(config):
        raise ValueError(
            f"run {folder}: a run of this row, with these settings, was needed to go on with; got another; "
            "name another folder with --output"
        )
    return resume(folder, reporter=reporter, stop=stop)


def _identity(config: Config) -> dict[str, object]:
    """What makes two runs of a row the same one, whichever way the folder of runs is written."""
    model = config.model.model_copy(update={"likelihood": None})  # filled in from the data when the run begins
    return {
        "data": build.canonical_name(config.data.name),
        "model": model,
        "likelihood": str(config.model.likelihood).partition(" ")[2],  # its settings, if others than the usual ones
        "objective": config.objective,
        "training": config.training,
        "seed": config.seed,
        "start": None if config.start is None else Path(config.start).name,
    }


def _newest(folder: Path) -> int | None:
    """The step of a run's newest checkpoint; None where there is no run."""
    steps = checkpoint.steps(folder / "checkpoints")
    return steps[-1] if steps else None


def _epochs(run: Run) -> int:
    """Whole epochs that a run has made."""
    return (_newest(run.path) or 0) // steps_per_epoch(run.about.rows["train"], run.config.training.batch)


def _result(row: PublishedRow, request: Request, run: Run, measured: dict[str, Any], *, seed: int) -> Result:
    dataset, place = run.dataset(), environment()["device"]
    epochs = _epochs(run)
    active = published_activity(run.model, run.rows("train"))
    return Result(
        limit=request.limit,
        table=request.table.name,
        row=row.name,
        recipe=request.recipe,
        seed=seed,
        command=request.command(row, seed=seed),
        device=f"{place['platform']} {place['kind']}, {place['cpus']} processors",
        dataset=dataset.name,
        protocol=dataset.protocol,
        epochs=epochs,
        epochs_planned=run.config.training.epochs,
        cut=epochs < run.config.training.epochs,
        seconds=sum(entry["seconds"] or 0.0 for entry in run.folder.rows(TIMING)),
        active_units=active,
        against=_against(row, request, run.path, seed=seed),
        published=Published(
            log_evidence=row.log_evidence,
            active_units=row.active_units,
            where=row.where,
            source=request.table.source,
            certainty=request.table.certainty,
            other_data=row.other_data,
        ),
        **measured,
    )


def _against(row: PublishedRow, request: Request, folder: Path, *, seed: int) -> Against | None:
    """What the row gains over its baseline; None for the baseline itself, and where that has not been made."""
    name = row.baseline or request.table.baseline
    if name is None or name == row.name:
        return None
    (first,) = select_rows(request.table, name)
    baseline = run_folder(first, request, seed=seed)
    if row.data != first.data or not Sealed(baseline).files.names("evaluation"):
        return None
    found = gain(folder, baseline)
    log_evidence, elbo = (PublishedValue(value=v, error=e) for v, e in (found["log_evidence"], found["elbo"]))
    return Against(row=first.name, log_evidence=log_evidence, elbo=elbo)


def published_activity(model: LatentVariableModel, training: np.ndarray) -> list[int]:
    """Active units as the paper counts them: Var_x(E_q(u|x)[u]) > 0.01 over the first 500 training images [n, D].

    The images are binary, drawn once; a second layer is seen from one sample of the first.
    """
    key = jax.random.key(ACTIVITY_SEED)
    return evaluation.active_units(evaluation.unit_activity(model, training[:ACTIVITY_ROWS], key=key, draws=1))


def reproduce_errors(
    table: ErrorTable, row: ErrorRow, *, epochs: int | None, seed: int, output: Path, results: Path, reporter: Reporter
) -> tuple[dict[str, Any], Path]:
    """Train and measure a row of test errors, unless it has been, and write its result; the result and its file."""
    given = {**row.settings, "seed": seed} | ({} if epochs is None else {"epochs": epochs})
    settings = bnn.Settings.of(given)
    name = f"{table.name}-{row.name}-e{settings.epochs}-seed{seed}"
    folder = output / name
    if (folder / bnn.DOCUMENT).is_file():
        found = json.loads((folder / bnn.DOCUMENT).read_text())
        if bnn.Settings.of(found["settings"]) != settings:
            raise ValueError(f"{folder}: a run of row {row.name} was needed, got another; name another with --output")
        reporter.note(f"{row.name}: trained and measured before, {folder}")
    else:
        found = bnn.run(settings, folder, reporter=reporter)
    result = {"row": row.name, "published_error": row.error, **found}
    path = results / table.name / f"{row.name}-e{settings.epochs}-seed{seed}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    durable.replace(path, (json.dumps(result, indent=1) + "\n").encode())
    return result, path
