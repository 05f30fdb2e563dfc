"""`iwax reproduce`: published tables, row by row, obtained next to published."""

from pathlib import Path
from typing import Annotated

import typer

from iwax import writable
from iwax.cli.arguments import argument, option
from iwax.cli.later import later
from iwax.cli.terminal import Terminal

with later():
    from iwax.cli import published as printed
    from iwax.reproduction import published, results_page
    from iwax.reproduction import results as written

__all__ = ["reproduce"]

Table = Annotated[str | None, argument("TABLE", "A published table. Default: list all.", names="tables")]
Rows = Annotated[str | None, option("--rows", "PATTERN", "Which rows, e.g. 'mnist-1-*'. Default: list them.")]
Recipe = Annotated[str, option("--recipe", "quick|paper", "Minutes per row, or the published schedule.")]
Epochs = Annotated[int | None, option("--epochs", "N", "Instead of the recipe's.")]
Minutes = Annotated[
    float | None, option("--minutes", "N", "Stop training a row after N minutes; it is measured all the same.")
]
Limit = Annotated[int | None, option("--limit", "N", "Measure on the first N test rows. Default: all.")]
Seeds = Annotated[int, option("--seeds", "N", "Train every row with seeds 0 to N-1.")]
Output = Annotated[Path, option("--output", "DIR", "Where the runs live.")]
Results = Annotated[Path, option("--results", "DIR", "Where the results go.")]
TableInto = Annotated[Path | None, option("--table-into", "PAGE", "Write the table of all results into this page.")]


def reproduce(
    context: typer.Context,
    table: Table = None,
    rows: Rows = None,
    recipe: Recipe = "quick",
    epochs: Epochs = None,
    minutes: Minutes = None,
    limit: Limit = None,
    seeds: Seeds = 1,
    output: Output = Path("runs"),
    results: Results = Path("results"),
    table_into: TableInto = None,
) -> None:
    """Train and measure the rows of a published table, and print what was obtained next to what was published.

    A row that has been trained in DIR is not trained again; one that was stopped is continued. Each finished row
    becomes a file in the folder of results, from which --table-into makes the tables of a page.

    Example: iwax reproduce burda2016 --rows 'mnist-1-*' --recipe quick
    """
    _check(table, rows, table_into, (output, results))
    known = None if table is None else published.read_table(table)
    terminal: Terminal = context.obj
    if table_into is not None:
        _renew(terminal, table_into, results)
    elif known is None:
        printed.tables(terminal, [published.read_table(name) for name in published.table_names()])
    elif rows is None:
        printed.rows(terminal, known)
    elif isinstance(known, published.ErrorTable):
        _refuse(
            known.name, {"--recipe": recipe != "quick", "--minutes": minutes is not None, "--limit": limit is not None}
        )
        printed.test_errors(terminal, known, rows, epochs=epochs, seeds=seeds, output=output, results=results)
    else:
        how = {"recipe": recipe, "epochs": epochs, "minutes": minutes, "limit": limit}
        request = printed.Request(known, **how, output=output, results=results)
        printed.evidence(terminal, request, published.select_rows(known, rows), seeds=seeds)


def _renew(terminal: Terminal, page: Path, results: Path) -> None:
    """Write the table of all results into a page."""
    changed = results_page.update_table(page, results)
    terminal.say(f"{page}: {'new table' if changed else 'unchanged'}, {len(written.read(results))} results")
    terminal.document({"page": str(page), "changed": changed})


def _refuse(table: str, given: dict[str, bool]) -> None:
    refused = [name for name, is_given in given.items() if is_given]
    if refused:
        raise ValueError(f"{table} has rows that are trained to their end on all data: leave {', '.join(refused)} out")


def _check(table: str | None, rows: str | None, table_into: Path | None, folders: tuple[Path, Path]) -> None:
    if table_into is not None and (table or rows):
        raise ValueError("--table-into makes a table of the results that are there: it needs neither TABLE nor --rows")
    if table_into is not None and table_into.is_symlink():
        raise ValueError(f"--table-into {table_into}: this is a link to {table_into.readlink()}; name the page itself")
    if rows is not None and table is None:
        raise ValueError(f"--rows needs a TABLE, such as burda2016, got {rows!r} alone; iwax reproduce lists them all")
    for folder in folders if rows is not None else ():
        writable.check(folder / "new", what="output folder")
