"""Working through the rows of a published table, one after another."""

from pathlib import Path

from iwax.cli import rows as printed
from iwax.cli.pictures import draw
from iwax.cli.reporter import Reporter
from iwax.cli.terminal import Terminal
from iwax.experiments.published import PublishedRow
from iwax.experiments.reproduce import Request, reproduce_row
from iwax.experiments.results import Result

__all__ = ["Request", "work_through"]


def work_through(terminal: Terminal, request: Request, chosen: list[PublishedRow], *, seeds: int) -> None:
    """Train and measure the rows, say of each that it is done, and print all of them at the end."""
    if not 1 <= seeds <= 1000:
        raise ValueError(f"--seeds must be from 1 to 1000, got {seeds}")
    results: dict[Path, Result] = {}  # by file: a row may give that of the row it starts from, which is asked for too
    for row in chosen:
        for seed in range(seeds):
            terminal.say(f"{row.name}, {request.recipe} recipe, seed {seed}")
            with Reporter(terminal) as reporter:
                run, result, path = reproduce_row(row, request, seed=seed, reporter=reporter)
            draw(run)
            terminal.say(f"wrote {path}")
            results[path] = result
    printed.obtained(terminal, request.table, list(results.values()))
