"""`iwax diagnose`: where a trained model falls short, and how noisy its gradients are."""

from pathlib import Path
from typing import Annotated

import typer

from iwax import writable
from iwax.cli.arguments import Checkpoint, DataPath, Fallback, Run, Seed, option
from iwax.cli.later import later
from iwax.cli.output import Force
from iwax.cli.terminal import Terminal

with later():
    from iwax.cli import findings
    from iwax.cli import reporter as progress
    from iwax.runs import diagnosis, signal
    from iwax.runs import run as runs

__all__ = ["diagnose"]

PICTURES = ("convergence.png", "kl_per_unit.png", "signal_to_noise.png", "posterior_shape.png")
DOCUMENT = "diagnosis.json"


Split = Annotated[str | None, option("--split", "test|valid|train", "Which rows.")]
Limit = Annotated[int, option("--limit", "N", "Rows of the gap and of convergence.")]
Samples = Annotated[int, option("--k", "N", "Importance samples per row.")]
Bounds = Annotated[
    list[str] | None, option("--bound", "NAME", "Bound whose gradient is measured; repeatable.", names="bounds")
]
Gradients = Annotated[list[str] | None, option("--gradient", "NAME", "Its estimator; repeatable.", names="gradients")]
Sets = Annotated[list[str] | None, option("--set", "KEY=VALUE", "Of a bound: objective.m=5, ...", names="settings")]
Repeats = Annotated[int, option("--repeats", "N", "Gradients at each k: 40, 50, 60 ...")]
Folder = Annotated[Path | None, option("-o --output", "DIR", "For all files (RUN/diagnosis).")]


def diagnose(
    context: typer.Context,
    run: Run,
    split: Split = None,
    limit: Limit = 100,
    k: Samples = 5000,
    bound: Bounds = None,
    gradient: Gradients = None,
    sets: Sets = None,
    repeats: Repeats = 100,
    seed: Seed = 0,
    checkpoint: Checkpoint = "best",
    fallback: Fallback = False,
    data_path: DataPath = None,
    output: Folder = None,
    force: Force = False,
) -> None:
    """Measure the inference gap in two, KL of the latent units, mutual information, convergence in k, gradient noise.

    Gradients are those of the run's bound and estimator, or of every --bound with every --gradient. Pictures and all
    numbers, each with its error, go to RUN/diagnosis.

    Example: iwax diagnose RUN --bound iwae --gradient doubly_reparameterized
    """
    folder = _free(run, output, force=force)
    terminal: Terminal = context.obj
    effort = diagnosis.Effort(limit=limit, k=k, repeats=repeats)
    wanted = {"bounds": bound or (), "gradients": gradient or (), "parameters": signal.parameters_of(sets or [])}
    opened = runs.Run(run, checkpoint=checkpoint, data_path=data_path, fallback=fallback)
    with progress.Reporter(terminal) as reporter:
        found = diagnosis.diagnose(opened, split=split, seed=seed, effort=effort, reporter=reporter, **wanted)
    findings.show(terminal, found)
    for path in findings.write(folder, found, opened, document=DOCUMENT):
        terminal.say(f"wrote       {path}")
    terminal.document(found)


def _free(run: Path, output: Path | None, *, force: bool) -> Path:
    """The folder, if nothing of an earlier diagnosis would be lost in it: before anything is computed."""
    folder = output or run / "diagnosis"
    if output is None and folder.is_symlink():
        return folder  # refused where the run is opened
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"-o {folder}: a folder was needed, got a file")
    writable.check(folder / "new", what="output folder")
    there = [name for name in (DOCUMENT, *PICTURES) if (folder / name).exists()]
    if there and not force:
        raise FileExistsError(f"{folder / there[0]} exists already; name another folder with -o, or overwrite: --force")
    return folder
