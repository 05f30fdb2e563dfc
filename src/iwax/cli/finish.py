"""How a training ends: measured, pictured, and with a last line that says how good the model is."""

from collections.abc import Callable
from pathlib import Path

import typer

from iwax import runs
from iwax.cli.failure import NUMERICAL
from iwax.cli.reporter import Reporter
from iwax.cli.terminal import Terminal
from iwax.report.figures.runs import draw
from iwax.runs.run import Run
from iwax.storage import checkpoint
from iwax.training import NumericalStop

__all__ = ["finish", "train_and_finish"]


def train_and_finish(terminal: Terminal, train: Callable[[Reporter], Run], *, data_path: Path | None = None) -> None:
    """Train, then `finish`. Where a number that is not finite stops the training, its best checkpoint is measured.

    The warning says why it stopped, and so does the exit code, 4. Raises NumericalStop where nothing was learned.
    """
    try:
        with Reporter(terminal) as reporter:
            run = train(reporter)
    except NumericalStop as stop:
        if stop.run is None or not any(checkpoint.steps(stop.run / "checkpoints")):
            raise
        terminal.warn(f"{stop}; measured is the best checkpoint that there is")
        finish(Run(stop.run, data_path=data_path), terminal, stopped=str(stop))
        raise typer.Exit(NUMERICAL) from stop
    finish(run, terminal)


def finish(run: Run, terminal: Terminal, *, stopped: str | None = None) -> None:
    """Measure a trained run, draw its pictures, say where everything is; the last line is the result.

    The result is shown before the pictures are drawn too. ``stopped`` is why the training ended early.
    """
    with Reporter(terminal) as reporter:
        report = run.at(run.config.evaluation.checkpoint).evaluate(reporter=reporter)
    found = f"AUC = {report['auc']:.4g}" if "auc" in report else f"log p(x) = {report['log_evidence']:.4g}"
    terminal.say(f"measured    {found}; drawing pictures")
    for path in draw(run):
        terminal.say(f"picture     {path}")
    terminal.say(f"run folder  {run.path}")
    for line in what_next(run):
        terminal.say(line)
    terminal.data(runs.closing_line(report))
    terminal.document({**report, "run": str(run.path)} | ({} if stopped is None else {"stopped": stopped}))


def what_next(run: Run) -> list[str]:
    """The lines of commands that a trained run invites, each with what it gives."""
    if run.about.graph is not None:
        return _listed(
            {
                f"links {run.path} --top 50": "pairs that are likely linked, though the graph does not say so",
                f"embed {run.path} -o nodes.csv": "where its nodes lie in the latent space",
            }
        )
    ending = "csv" if run.about.columns else "png"
    commands = {f"report {run.path}": "a page of what was learned, for any browser"}
    if run.config.model.mask:  # cells of the data are missing
        commands[f"impute {run.path} FILE -o filled.{ending}"] = "its missing cells filled in"
    commands |= {
        f"sample {run.path} -n 100 -o more.{ending}": "new ones, drawn from the model",
        f"score {run.path} FILE": "log p(x) of your own rows",
        f"compare {run.path} RUN": "next to another run on the same data",
    }
    return _listed(commands)


def _listed(commands: dict[str, str]) -> list[str]:
    wide = max(map(len, commands))
    heads = ["what next", *[""] * (len(commands) - 1)]
    return [
        f"{head:<12}iwax {command:<{wide}}  {gives}"
        for head, (command, gives) in zip(heads, commands.items(), strict=True)
    ]
