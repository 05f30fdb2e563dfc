"""How `iwax reproduce` works through a table of test errors, and prints it."""

from pathlib import Path
from typing import Any

from iwax.cli.reporter import Reporter
from iwax.cli.terminal import Terminal
from iwax.experiments import bnn

__all__ = ["reproduce"]


def reproduce(
    terminal: Terminal,
    rows: str | None,
    refused: list[str],
    *,
    epochs: int | None,
    seeds: int,
    output: Path,
    results: Path,
) -> None:
    """Print the table or, with a pattern, work through its rows; ``refused`` are options that mean nothing here."""
    table = bnn.read_errors()
    if refused:
        raise ValueError(
            f"{table.name} has rows that are trained to their end on all data: leave {', '.join(refused)} out"
        )
    if rows is None:
        _rows(terminal, table)
    else:
        _work_through(terminal, table.select(rows), epochs=epochs, seeds=seeds, output=output, results=results)


def _rows(terminal: Terminal, table: bnn.ErrorTable) -> None:
    """The rows with their published errors."""
    terminal.table(
        ("row", "where", "published test error, %"),
        [(row.name, row.where, f"{row.error:.2f}") for row in table.rows],
        title=f"{table.name}: {table.source}",
    )
    for note in table.notes:
        terminal.say(note)
    terminal.document([row.model_dump() for row in table.rows])


def _work_through(
    terminal: Terminal,
    chosen: list[bnn.ErrorRow],
    *,
    epochs: int | None,
    seeds: int,
    output: Path,
    results: Path,
) -> None:
    """Train and measure the rows, and print what was obtained beside what was published."""
    if not 1 <= seeds <= 1000:
        raise ValueError(f"--seeds must be from 1 to 1000, got {seeds}")
    found: list[dict[str, Any]] = []
    for row in chosen:
        for seed in range(seeds):
            terminal.say(f"{row.name}, seed {seed}")
            with Reporter(terminal) as reporter:
                result, path = bnn.reproduce_errors(
                    row, epochs=epochs, seed=seed, output=output, results=results, reporter=reporter
                )
            terminal.say(f"wrote {path}")
            found.append(result)
    terminal.table(
        ("row", "seed", "epochs", "10 draws", "mean weights", "published", "75 % removed", "seconds"),
        [_line(result) for result in found],
        title="test error, %",
    )
    terminal.document(found)


def _line(result: dict[str, Any]) -> tuple[object, ...]:
    test, settings = result["errors"]["test"], result["settings"]
    drawn, pruned = test["drawn_weights"], {each["share"]: each["error"] for each in result["pruning"]}
    return (
        result["row"],
        settings["seed"],
        settings["epochs"],
        "" if drawn is None else f"{100 * drawn['error']:.2f}",
        f"{100 * test['mean_weights']['error']:.2f} +/- {100 * test['mean_weights']['standard_error']:.2f}",
        f"{result['published_error']:.2f}",
        f"{100 * pruned[0.75]:.2f}" if pruned else "",
        f"{result['seconds']:.0f}",
    )
