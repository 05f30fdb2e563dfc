"""How published tables, their rows and obtained results are printed."""

from iwax.cli.terminal import Terminal
from iwax.experiments.published import PublishedTable
from iwax.experiments.results import Result, units

__all__ = ["obtained", "rows", "tables"]

OTHER = "other data (rebuilt)"


def tables(terminal: Terminal, known: list[PublishedTable]) -> None:
    """The published tables there are."""
    terminal.table(
        ("table", "rows", "title", "source", "certainty"),
        [(t.name, len(t.all_rows()), t.title, t.source, f"{t.certainty}: {t.certainty_meaning}") for t in known],
    )
    terminal.document([table.model_dump(exclude={"rows"}) for table in known])


def rows(terminal: Terminal, table: PublishedTable) -> None:
    """The rows of a table with their published numbers."""
    terminal.table(
        ("row", "where", "published log p(x)", "active units", ""),
        [
            (r.name, r.where, f"{r.log_evidence:.2f}", units(r.active_units), OTHER if r.other_data else "")
            for r in table.all_rows()
        ],
        title=f"{table.name}: {table.source}",
    )
    for note in table.notes:
        terminal.say(note)
    terminal.document([row.model_dump() for row in table.all_rows()])


def obtained(terminal: Terminal, table: PublishedTable, results: list[Result]) -> None:
    """What was obtained, with its error, beside what was published."""
    terminal.table(
        ("row", "seed", "obtained", "published", "active", "published", "k", "epochs", "seconds", "protocol"),
        [_line(result) for result in results],
        title=f"{table.name}: log p(x) in nats; published numbers: {table.source}",
    )
    terminal.document([result.model_dump() for result in results])


def _line(result: Result) -> tuple[object, ...]:
    mark = f"  {OTHER}" if result.published.other_data else ""
    return (
        result.row,
        result.seed,
        f"{result.log_evidence:.2f} +/- {result.standard_error:.2f}",
        f"{result.published.log_evidence:.2f}{mark}",
        units(result.active_units),
        units(result.published.active_units),
        result.k,
        f"{result.epochs}/{result.epochs_planned} (cut)" if result.cut else result.epochs,
        f"{result.seconds:.0f}",
        f"{result.dataset}, {result.n:,} test images",
    )
