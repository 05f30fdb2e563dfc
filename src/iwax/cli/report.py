"""`iwax report`: what a run has learned and whether to believe it, as one page."""

from pathlib import Path
from typing import Annotated

import typer

from iwax.cli.arguments import DataPath, Fallback, argument, option
from iwax.cli.later import later
from iwax.cli.output import Force, check
from iwax.cli.terminal import Terminal

with later():
    from iwax.report.page import compose
    from iwax.runs import folder
    from iwax.storage import durable, sealed

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
    if not in_run or (runs[0].is_dir() and not path.is_symlink()):  # else the run is what is wrong, and is refused
        check(path, force=force, endings=(".html", ".htm"))

    for run in runs:
        if sealed.Sealed(run).files.kind(folder.LOCK):
            terminal.warn(f"{run} is at work, or was stopped: write the report again, with --force, when it is done")
    notices = {"note": terminal.say, "warn": terminal.warn}
    document = compose.compose(runs, data_path=data_path, fallback=fallback, **notices).encode()
    if len(document) > compose.LARGEST:
        terminal.warn(f"{path} has {len(document):,} bytes, more than the {compose.LARGEST:,} that a mail can take")
    if path == runs[0] / NAME:  # in the run folder itself, which says what its files are
        sealed.Sealed(runs[0]).write({NAME: document})
    else:
        durable.replace(path, document)
    terminal.say(f"wrote       {path}")
    terminal.document({"report": str(path), "bytes": len(document), "runs": [str(run) for run in runs]})
