"""`iwax verify`: whether a run folder is as it was written."""

from collections import Counter

import typer

from iwax.cli.arguments import Run
from iwax.cli.failure import STORED
from iwax.cli.later import later
from iwax.cli.terminal import Terminal

with later():
    from iwax.runs import verify as verifying

__all__ = ["verify"]


def verify(context: typer.Context, run: Run) -> None:
    """Compare every file of a run folder with the SHA-256 that was written down with it; nothing else is done to it.

    A file is whole, damaged, missing, not sealed (its SHA-256 was not written down), or a link, which could lead
    anywhere.
    The exit code is 3 where one is damaged, missing or a link.

    Example: iwax verify RUN
    """
    terminal: Terminal = context.obj
    found = verifying.verify(run)
    terminal.table(("file", "state", ""), [(each.file, each.state, each.words) for each in found])
    counts = Counter(each.state for each in found)
    terminal.data(f"{run}: {', '.join(f'{count} {state}' for state, count in sorted(counts.items())) or 'no file'}")
    bad = any(each.state in verifying.BAD for each in found)
    terminal.document({"run": str(run), "whole": not bad, "files": [vars(each) for each in found]})
    if bad:
        raise typer.Exit(STORED)
