"""How a training ends: measured, pictured, and with a last line that says how good the model is."""

from pathlib import Path

from iwax import experiments
from iwax.cli.pictures import draw
from iwax.cli.reporter import Reporter
from iwax.cli.terminal import Terminal
from iwax.experiments.folder import existing

__all__ = ["finish"]


def finish(run: Path, terminal: Terminal, *, data_path: Path | None = None) -> None:
    """Measure a trained run, draw its pictures, say where everything is; the last line is the result."""
    with Reporter(terminal) as reporter:
        report = experiments.evaluate(run, data_path=data_path, reporter=reporter)
    for path in draw(run, data_path=data_path):
        terminal.say(f"picture     {path}")
    terminal.say(f"run folder  {run}")
    folder = existing(run)
    ending = "csv" if folder.environment().data.columns else "png"
    terminal.say(f"what next   iwax report {run}            a page of what was learned, for any browser")
    if folder.config().model.mask:  # the data have holes
        terminal.say(f"            iwax impute {run} FILE -o filled.{ending}        its missing cells filled in")
    terminal.say(f"            iwax sample {run} -n 100 -o more.{ending}")
    terminal.say(f"            iwax score {run} FILE        log p(x) of your own rows")
    terminal.say(f"            iwax compare {run} RUN       beside another run on the same data")
    terminal.data(experiments.closing_line(report))
    terminal.document({**report, "run": str(run)})
