"""How published tables, their rows and obtained results are printed."""

from iwax.cli.terminal import Terminal
from iwax.experiments.bnn import ErrorTable
from iwax.experiments.published import PublishedRow, PublishedTable
from iwax.experiments.results import Result
from iwax.experiments.results_page import plus_minus, units

__all__ = ["obtained", "rows", "tables"]

OTHER = "other data (rebuilt)"


def tables(terminal: Terminal, known: list[PublishedTable], of_errors: ErrorTable) -> None:
    """The published tables there are: of log p(x), and of test errors."""
    counted = [*((each, len(each.all_rows())) for each in known), (of_errors, len(of_errors.rows))]
    terminal.table(
        ("table", "rows", "title", "source", "certainty"),
        [(t.name, count, t.title, t.source, f"{t.certainty}: {t.certainty_meaning}") for t, count in counted],
    )
    terminal.document([table.model_dump(exclude={"rows"}) for table, _ in counted])


def rows(terminal: Terminal, table: PublishedTable) -> None:
    """The rows of a table with their published numbers."""
    names = list(dict.fromkeys(name for row in table.rows for name in row.evaluators))
    terminal.table(
        ("row", "where", *(names or ("published log p(x)", "active units")), ""),
        [(r.name, r.where, *_published(r, names), OTHER if r.other_data else "") for r in table.all_rows()],
        title=f"{table.name}: {table.source}",
    )
    for note in table.notes:
        terminal.say(note)
    terminal.document([row.model_dump() for row in table.all_rows()])


def obtained(terminal: Terminal, table: PublishedTable, results: list[Result]) -> None:
    """What was obtained, with its error, beside what was published."""
    if table.evaluators is not None:
        _side_by_side(terminal, table, results)
    else:
        terminal.table(
            (
                "row",
                "seed",
                "obtained",
                "above",
                "ELBO",
                "published",
                "active",
                "published",
                "k",
                "epochs",
                "seconds",
                "protocol",
            ),
            [_line(result) for result in results],
            title=f"{table.name}: log p(x) in nats; published numbers: {table.source}",
        )
        if table.baseline is not None:
            terminal.say(f"above: log p(x) less that of {table.baseline}, image by image, where that row has been made")
    terminal.document([result.model_dump() for result in results])


def _side_by_side(terminal: Terminal, table: PublishedTable, results: list[Result]) -> None:
    """Every evaluator of every result, a line each."""
    terminal.table(
        (
            "row",
            "seed",
            "epochs",
            "evaluator",
            "obtained",
            "Monte Carlo",
            "minus AIS",
            "published",
            "images",
            "seconds",
        ),
        [line for result in results for line in _lines(result)],
        title=f"{table.name}: log p(x) in nats; published numbers: {table.source}",
    )
    for result in results[:1]:
        for plan in dict.fromkeys(each.plan for each in result.evaluators):
            terminal.say(f"{', '.join(each.name for each in result.evaluators if each.plan == plan)}: {plan}")
    for note in table.notes:
        terminal.say(note)


def _published(row: PublishedRow, names: list[str]) -> tuple[str, ...]:
    if not names:
        return (_two_digits(row.log_evidence), units(row.active_units))
    values = [row.evaluators.get(name) for name in names]
    return tuple(plus_minus(value.value, value.error) if value else "" for value in values)


def _lines(result: Result) -> list[tuple[object, ...]]:
    return [
        (
            result.row,
            result.seed,
            _epochs(result),
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


def _line(result: Result) -> tuple[object, ...]:
    mark = f"  {OTHER}" if result.published.other_data else ""
    return (
        result.row,
        result.seed,
        plus_minus(result.log_evidence, result.standard_error),
        plus_minus(result.against.log_evidence.value, result.against.log_evidence.error) if result.against else "",
        f"{result.elbo:.2f}",
        f"{_two_digits(result.published.log_evidence)}{mark}",
        units(result.active_units),
        units(result.published.active_units),
        result.k,
        _epochs(result),
        f"{result.seconds:.0f}",
        f"{result.dataset}, {result.n:,} test images",
    )


def _epochs(result: Result) -> str:
    return f"{result.epochs}/{result.epochs_planned} (cut)" if result.cut else str(result.epochs)


def _two_digits(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
