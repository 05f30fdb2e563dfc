"""`iwax reproduce`: published tables, row by row, obtained beside published."""

from pathlib import Path
from typing import Annotated

import typer

from iwax import writable
from iwax.cli.terminal import Terminal

__all__ = ["reproduce"]


Table = Annotated[str | None, typer.Argument(metavar="TABLE", help="A published table; all are listed without.")]
Rows = Annotated[
    str | None, typer.Option("--rows", metavar="PATTERN", help="Which rows, e.g. 'mnist-1-*'; listed without.")
]
Recipe = Annotated[
    str, typer.Option("--recipe", metavar="quick|paper", help="Minutes a row, or the published schedule.")
]
Epochs = Annotated[int | None, typer.Option("--epochs", metavar="N", help="Instead of the recipe's.")]
Minutes = Annotated[
    float | None,
    typer.Option("--minutes", metavar="N", help="Stop training a row after so long; it is measured all the same."),
]
Limit = Annotated[
    int | None, typer.Option("--limit", metavar="N", help="Measure on the first N test rows; on all of them without.")
]
Seeds = Annotated[int, typer.Option("--seeds", metavar="N", help="Train every row with seeds 0 to N-1.")]
Output = Annotated[Path, typer.Option("--output", metavar="DIR", help="Where the runs live.")]
Results = Annotated[Path, typer.Option("--results", metavar="DIR", help="Where the results go.")]
TableInto = Annotated[
    Path | None, typer.Option("--table-into", metavar="PAGE", help="Write the table of all results into this page.")
]


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
    """Train and measure the rows of a published table, and print what was obtained beside what was published.

    A row that has been trained in DIR is not trained again; one that was stopped is continued. Each finished row
    becomes a file in the folder of results, from which --table-into makes the tables of a page.
    """
    _check(table, rows, table_into, (output, results))

    from iwax.cli import errors_table
    from iwax.cli import rows as printed
    from iwax.experiments import bnn, published

    terminal: Terminal = context.obj
    if table_into is not None:
        _renew(terminal, table_into, results)
    elif table is None:
        printed.tables(terminal, [published.read_table(name) for name in published.table_names()], bnn.read_errors())
    elif table == bnn.NAME:
        others = {"--recipe": recipe != "quick", "--minutes": minutes, "--limit": limit}
        given = [name for name, value in others.items() if value is not None and value is not False]
        errors_table.reproduce(terminal, rows, given, epochs=epochs, seeds=seeds, output=output, results=results)
    elif rows is None:
        printed.rows(terminal, published.read_table(table))
    else:
        from iwax.cli.reproduction import Request, work_through

        chosen = published.read_table(table)
        how = {"recipe": recipe, "epochs": epochs, "minutes": minutes, "limit": limit}
        request = Request(chosen, **how, output=output, results=results)
        work_through(terminal, request, published.select_rows(chosen, rows), seeds=seeds)


def _renew(terminal: Terminal, page: Path, results: Path) -> None:
    """Write the table of all results into a page."""
    from iwax.experiments import results_page
    from iwax.experiments.results import read

    changed = results_page.update_table(page, results)
    terminal.say(f"{page}: {'new table' if changed else 'unchanged'}, {len(read(results))} results")
    terminal.document({"page": str(page), "changed": changed})


def _check(table: str | None, rows: str | None, table_into: Path | None, folders: tuple[Path, Path]) -> None:
    if table_into is not None and (table or rows):
        raise ValueError("--table-into makes a table of the results that are there: it needs neither TABLE nor --rows")
    if table_into is not None and table_into.is_symlink():
        raise ValueError(f"--table-into {table_into}: this is a link to {table_into.readlink()}; name the page itself")
    if rows is not None and table is None:
        raise ValueError(f"--rows needs a TABLE, such as burda2016, got {rows!r} alone; iwax reproduce lists them all")
    for folder in folders if rows is not None else ():
        writable.check(folder / "new", what="output folder")
