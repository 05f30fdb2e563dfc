"""Published tables on the terminal: which there are, their rows, and what was obtained next to what was published."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from iwax.cli.reporter import Reporter
from iwax.cli.terminal import Terminal
from iwax.report.figures.runs import draw
from iwax.reproduction import results_page
from iwax.reproduction.published import ErrorRow, ErrorTable, PublishedRow, PublishedTable, Row, select_rows
from iwax.reproduction.reproduce import Request, reproduce_errors, reproduce_row
from iwax.reproduction.results import Result
from iwax.reproduction.results_page import plus_minus, units

__all__ = ["Request", "evidence", "obtained", "rows", "tables", "test_errors"]

Document = TypeVar("Document")


def tables(terminal: Terminal, known: Sequence[PublishedTable | ErrorTable]) -> None:
    """The published tables there are."""
    terminal.table(
        ("table", "rows", "title", "source", "certainty"),
        [(t.name, len(t.all_rows()), t.title, t.source, f"{t.certainty}: {t.certainty_meaning}") for t in known],
    )
    terminal.document([table.model_dump(exclude={"rows"}) for table in known])


def rows(terminal: Terminal, table: PublishedTable | ErrorTable) -> None:
    """The rows of a table with their published numbers."""
    if isinstance(table, ErrorTable):
        columns = ["published test error, %"]
        lines = [(row.name, row.where, f"{row.error:.2f}") for row in table.rows]
    else:
        names = list(dict.fromkeys(name for row in table.rows for name in row.evaluators))
        columns = [*(names or ("published log p(x)", "active units")), ""]
        lines = [(row.name, row.where, *_published(row, names)) for row in table.all_rows()]
    terminal.table(("row", "where", *columns), lines, title=f"{table.name}: {table.source}")
    for note in table.notes:
        terminal.say(note)
    terminal.document([row.model_dump() for row in table.all_rows()])


def _published(row: PublishedRow, names: list[str]) -> tuple[str, ...]:
    mark = "other data (rebuilt)" if row.other_data else ""
    if not names:
        return ("" if row.log_evidence is None else f"{row.log_evidence:.2f}", units(row.active_units), mark)
    values = [row.evaluators.get(name) for name in names]
    return (*(plus_minus(value.value, value.error) if value else "" for value in values), mark)


def evidence(terminal: Terminal, request: Request, chosen: list[PublishedRow], *, seeds: int) -> None:
    """Train and measure rows of a table of log p(x), and print them all at the end."""

    def make(row: PublishedRow, seed: int, reporter: Reporter) -> tuple[Result, Path]:
        run, result, path = reproduce_row(row, request, seed=seed, reporter=reporter)
        draw(run)
        return result, path

    obtained(terminal, request.table, _made(terminal, chosen, seeds, make, f", {request.recipe} recipe"))


def test_errors(
    terminal: Terminal, table: ErrorTable, pattern: str, *, epochs: int | None, seeds: int, output: Path, results: Path
) -> None:
    """Train and measure rows of the table of test errors, and print them all at the end."""

    def make(row: ErrorRow, seed: int, reporter: Reporter) -> tuple[dict[str, Any], Path]:
        return reproduce_errors(table, row, epochs=epochs, seed=seed, output=output, results=results, reporter=reporter)

    found = _made(terminal, select_rows(table, pattern), seeds, make)
    terminal.table(
        ("row", "seed", "epochs", "10 draws", "mean weights", "published", "75 % removed", "seconds"),
        [_errors(result) for result in found],
        title="test error, %",
    )
    terminal.document(found)


def _made(
    terminal: Terminal,
    chosen: Sequence[Row],
    seeds: int,
    make: Callable[[Row, int, Reporter], tuple[Document, Path]],
    how: str = "",
) -> list[Document]:
    """Each result once: a row may give that of the row it starts from, which is asked for too."""
    if not 1 <= seeds <= 1000:
        raise ValueError(f"--seeds must be from 1 to 1000, got {seeds}")
    results: dict[Path, Document] = {}
    for row in chosen:
        for seed in range(seeds):
            terminal.say(f"{row.name}{how}, seed {seed}")
            with Reporter(terminal) as reporter:
                result, path = make(row, seed, reporter)
            terminal.say(f"wrote {path}")
            results[path] = result
    return list(results.values())


def obtained(terminal: Terminal, table: PublishedTable, results: list[Result]) -> None:
    """What was obtained, with its error, next to what was published; of several evaluators, a line for each."""
    if table.evaluators is None:
        found, notes = results_page.columns_of(results), results_page.signs(results)
        columns, lines = tuple(found), list(zip(*found.values(), strict=True))
    else:
        columns = ("row", "seed", "epochs", "evaluator", "obtained", "Monte Carlo", "minus AIS", "published", "images")
        columns, lines = (*columns, "seconds"), [line for result in results for line in _evaluators(result)]
        notes = [f"{names}: {plan}" for names, plan in results_page.plans(results[:1])] + table.notes
    title = f"{table.name}: log p(x) in nats; published numbers: {table.source}"
    terminal.table(columns, lines, title=title)
    for line in notes:
        terminal.say(line)
    terminal.document([result.model_dump() for result in results])


def _evaluators(result: Result) -> list[tuple[object, ...]]:
    return [
        (
            result.row,
            result.seed,
            results_page.epochs(result),
            each.name,
            plus_minus(each.mean, each.standard_error),
            f"{each.monte_carlo_error:.3f}",
            plus_minus(each.difference, each.difference_error, digits=3),
            plus_minus(each.published.value, each.published.error) if each.published else "",
            f"{result.n:,}",
            f"{each.seconds:.0f}",
        )
        for each in result.evaluators
    ]


def _errors(result: dict[str, Any]) -> tuple[object, ...]:
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
