"""Train, resume and evaluate by the path of a run folder."""

from pathlib import Path
from typing import Any

from iwax.runs.measure import value
from iwax.runs.methods import Method
from iwax.runs.reporter import Reporter
from iwax.runs.run import Run
from iwax.runs.training import Stop
from iwax.runs.training import resume as resume_run
from iwax.runs.training import train as train_run
from iwax.settings.config import Config

__all__ = ["evaluate", "resume", "train"]


def train(config: Config, output: Path | None = None, *, reporter: Reporter, stop: Stop | None = None) -> Path:
    """As `runs.training.train`; returns the folder of the run."""
    return train_run(config, output, reporter=reporter, stop=stop).path


def resume(run: Path, *, data_path: Path | None = None, reporter: Reporter, stop: Stop | None = None) -> Path:
    """As `runs.training.resume`; returns the folder of the run."""
    return resume_run(run, data_path=data_path, reporter=reporter, stop=stop).path


def evaluate(
    run: str | Path | Run,
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
    """Measure the run in a folder, as `Run.evaluate` does, by a method or by the name of one with its settings.

    `importance` takes k samples for each row; `annealed` takes `chains`, `temperatures`, `leapfrog` steps and a `start`
    at the prior or the posterior q(z|x); `bidirectional` the same in both directions; `jackknife` the `order` of the
    estimate from k draws and how often it is repeated and averaged (an estimate, no bound). The checkpoint is the
    configured one where it is None. Raises ValueError for an unknown method or a setting that it does not take.
    """
    opened = run if isinstance(run, Run) else Run(run, data_path=data_path, fallback=fallback)
    settings = opened.config.evaluation
    given = {"split": split, "k": k, "chains": chains, "temperatures": temperatures, "leapfrog": leapfrog}
    given |= {"start": start, "order": order, "repeats": repeats}
    chosen = value(method, {name: each for name, each in given.items() if each is not None}, k=settings.k)
    opened = opened.at(checkpoint or settings.checkpoint)
    return opened.evaluate(chosen, split=split, limit=limit, seed=seed, reporter=reporter)
