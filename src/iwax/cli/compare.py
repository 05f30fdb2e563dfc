"""`iwax compare`: runs side by side, and their differences pair by pair on the same data."""

from pathlib import Path
from typing import Annotated, Any

import typer

from iwax.cli.arguments import argument, option
from iwax.cli.later import later
from iwax.cli.output import Force, check
from iwax.cli.terminal import Terminal

with later():
    from iwax.report.figures import differences
    from iwax.runs import comparison
    from iwax.runs.methods import method as methods

__all__ = ["compare"]


def compare(
    context: typer.Context,
    runs: Annotated[list[Path], argument("RUN RUN ...", "Two or more evaluated runs.")],
    split: Annotated[str, option("--split", "NAME", "The evaluated split to compare.")] = "test",
    output: Annotated[
        Path | None, option("-o --output", "FILE.png", "Draw the differences, with their errors; .svg too.")
    ] = None,
    force: Force = False,
) -> None:
    """Compare evaluated runs on the same data: log p(x), paired differences with their errors, spread over seeds.

    A paired difference is (this run - the first run), the mean over rows of the difference in log p(x), with its
    standard error; its error is far smaller than that of either run where the runs find the same rows hard. Below the
    table stand the settings in which a run differs from the first. Of settings that were run with several seeds each,
    the means are compared too: their difference with its error over seeds, and over rows.

    Example: iwax compare runs/a runs/b -o differences.png
    """
    check(output, force=force, endings=(".png", ".svg"))

    terminal: Terminal = context.obj
    result = comparison.compare(runs, split=split)
    terminal.table(
        ("run", "preset", "seed", "log p(x)", "ELBO", "active", "difference to the first"),
        [
            (
                entry["run"],
                entry["name"],
                entry["seed"],
                f"{entry['log_evidence']:.2f} +/- {methods.or_unknown(entry['standard_error'], '.2f')}",
                f"{entry['elbo']:.2f}",
                "+".join(map(str, entry["active_units"])),
                ""
                if i == 0
                else f"{entry['difference']:+.3f} +/- {methods.or_unknown(entry['difference_error'], '.3f')}",
            )
            for i, entry in enumerate(result["runs"])
        ],
    )
    _say_more(terminal, result)
    if output is not None:
        terminal.say(f"wrote       {differences.differences(result).write(output)}")
    terminal.document(result | ({} if output is None else {"file": str(output)}))


def _say_more(terminal: Terminal, result: dict[str, Any]) -> None:
    """In which settings runs differ from the first, and what runs of several seeds say together."""
    for entry in result["runs"][1:]:
        changes = [f"{name}={'null' if value is None else value}" for name, value in entry["differs"].items()]
        if changes:
            terminal.data(f"{entry['run']}: {', '.join(changes)}")
    for group in result["seeds"]:
        terminal.data(
            f"{group['name']} on {group['dataset']}, seeds {', '.join(map(str, group['seeds']))}: "
            f"mean {group['mean']:.2f}, sd {group['sd']:.2f} nats"
        )
    for difference in result["seed_differences"]:
        terminal.data(comparison.over_seeds(result, difference))
