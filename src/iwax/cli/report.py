"""`iwax report`: what a run has learned and whether to believe it, as one page."""

from pathlib import Path
from typing import Annotated

import typer

from iwax.cli.arguments import DataPath, Fallback, argument, option
from iwax.cli.later import later
from iwax.cli.output import Force, check
from iwax.cli.terminal import Terminal

with later():
    from iwax import report as pages

__all__ = ["report"]

NAME = "report.html"

Runs = Annotated[list[Path], argument("RUN [RUN ...]", "One run, or several on the same data.")]
Page = Annotated[Path | None, option("-o --output", "FILE.html", "Where it goes (RUN/report.html).")]


def report(
    context: typer.Context,
    runs: Runs,
    output: Page = None,
    data_path: DataPath = None,
    fallback: Fallback = False,
    force: Force = False,
) -> None:
    """Write one HTML file that shows what was learned and whether to believe the number; it loads nothing else.

    Numbers are those of the run's evaluation/ folder; pictures are drawn now. Where the decoder is a dense network, the
    page has it inside and decodes in the browser. Several runs stand side by side with paired differences.

    Example: iwax report RUN -o report.html
    """
    terminal: Terminal = context.obj
    path = output or (runs[0] / NAME if len(runs) == 1 else Path(NAME))
    in_run = output is None and len(runs) == 1
    if not in_run or (runs[0].is_dir() and not path.is_symlink()):  # else the run is what is wrong, and refused as such
        check(path, force=force, endings=(".html", ".htm"))
    pages.write(
        runs, path, data_path=data_path, fallback=fallback, overwrite=True, note=terminal.say, warn=terminal.warn
    )
    terminal.say(f"wrote       {path}")
    terminal.document({"report": str(path), "bytes": path.stat().st_size, "runs": [str(run) for run in runs]})
