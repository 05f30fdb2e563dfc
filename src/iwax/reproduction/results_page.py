"""The page of results: a Markdown table for each published table, made from the files of trained rows."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

from iwax.reproduction.results import Result, read
from iwax.storage import durable

__all__ = [
    "BEGIN",
    "BEGIN_EVALUATORS",
    "END",
    "END_EVALUATORS",
    "columns_of",
    "epochs",
    "evaluators_markdown",
    "markdown",
    "plans",
    "plus_minus",
    "signs",
    "units",
    "update_table",
]

BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"
BEGIN_EVALUATORS, END_EVALUATORS = "<!-- evaluators:begin -->", "<!-- evaluators:end -->"
COLUMNS: tuple[str, ...] = (
    "row", "recipe", "epochs", "seed", "obtained log p(x)", "gain over baseline", "ELBO", "published",
    "active units", "units published", "k", "images", "minutes",
)  # fmt: skip
ALIKE = {"recipe": "{} recipe", "seed": "seed {}", "k": "k = {}", "images": "{} images"}  # stated once where all agree


def markdown(results: list[Result]) -> str:
    """The results of one evaluator, a heading and a table for each published table, and below what the signs mean."""
    results = [result for result in results if not result.evaluators]
    if not results:
        return ""
    tables = groupby(sorted(results, key=lambda result: result.table), key=lambda result: result.table)
    lines = [line for name, rows in tables for line in (*_section(name, list(rows)), "")]
    return "\n".join([*lines, *map(_escaped, signs(results))]) + "\n"


def signs(results: list[Result]) -> list[str]:
    """What the numbers and signs of the columns mean."""
    lines = ["log p(x) in nats, over the test images, +/- its standard error over them; minutes of training."]
    if any(result.cut for result in results):
        lines += ["*: training was cut by a bound on its time, at the epoch given of those planned."]
    if any(result.published.other_data for result in results):
        lines += ["†: other data (rebuilt) than the published number's: shown next to it for calibration only."]
    return lines


def columns_of(results: list[Result]) -> dict[str, tuple[str, ...]]:
    """The columns that are not empty, by name, with a cell for each result."""
    columns = zip(COLUMNS, zip(*map(_cells, results), strict=True), strict=True)
    return {name: cells for name, cells in columns if any(cells)}


def _section(name: str, results: list[Result]) -> list[str]:
    """One published table: heading, source, and its rows without columns that are empty or the same throughout."""
    columns = columns_of(results)
    alike = [words.format(columns[column][0]) for column, words in ALIKE.items() if len(set(columns[column])) == 1]
    shown = {name: cells for name, cells in columns.items() if name not in ALIKE or len(set(cells)) > 1}
    caption = f"{_sources(results)}. Here: {', '.join(alike)}." if alike else f"{_sources(results)}."
    baselines = sorted({result.against.row for result in results if result.against})
    if baselines:
        caption += f" Gain over baseline: log p(x) less that of {', '.join(baselines)}, image by image."
    return [f"### {name}", "", caption, "", *_table(tuple(shown), zip(*shown.values(), strict=True))]


def evaluators_markdown(results: list[Result]) -> str:
    """The results of several evaluators as a Markdown table: obtained, the difference to AIS, and published."""
    results = [result for result in results if result.evaluators]
    if not results:
        return ""
    names = list(dict.fromkeys(each.name for result in results for each in result.evaluators))
    lines = _table(
        ("row", "epochs", "seed", "nats", *names), [line for r in results for line in _three_lines(r, names)]
    )
    lines += ["", f"Published numbers: {_sources(results)}."]
    lines += [f"{of_plan}: {plan}." for of_plan, plan in plans(results)]
    images = " or ".join(dict.fromkeys(f"{result.n:,}" for result in results))
    lines += [
        f"Nats, means over {images} test images, +/- the standard error over them; minus AIS: of the differences image "
        "by image. The published numbers are of another net and recipe, and of all 10,000."
    ]
    return "\n".join(lines) + "\n"


def plans(results: list[Result]) -> list[tuple[str, str]]:
    """The names of evaluators, and the plan that they share."""
    found: dict[str, list[str]] = {}
    for each in (each for result in results for each in result.evaluators):
        found.setdefault(each.plan, []).append(each.name)
    return [(", ".join(dict.fromkeys(names)), plan) for plan, names in found.items()]


def update_table(page: Path, folder: Path) -> bool:
    """Put the tables of a folder's results between their markers of a page; whether anything changed.

    Raises ValueError where the page has no markers for a table that there is.
    """
    text, results = page.read_text(encoding="utf-8"), read(folder)
    new = _between(text, BEGIN, END, markdown(results), page)
    evaluators = evaluators_markdown(results)
    if evaluators or BEGIN_EVALUATORS in text:
        new = _between(new, BEGIN_EVALUATORS, END_EVALUATORS, evaluators, page)
    if new == text:
        return False
    durable.replace(page, new.encode())
    return True


def _between(text: str, begin: str, end: str, table: str, page: Path) -> str:
    head, found_begin, rest = text.partition(begin)
    _, found_end, tail = rest.partition(end)
    if not found_begin or not found_end:
        raise ValueError(f"{page} must hold the lines {begin} and {end}, between which the table goes")
    return f"{head}{begin}\n{table}{end}{tail}"


def units(counts: list[int]) -> str:
    """Active units as they are printed, a number for each layer.

    >>> units([26, 7])
    '26+7'
    """
    return "+".join(str(count) for count in counts)


def plus_minus(value: float | None, error: float | None, *, digits: int = 2) -> str:
    """A number and its error as they are printed; nothing where there is none.

    >>> plus_minus(-95.3, 0.05)
    '-95.30 +/- 0.05'
    """
    return "" if value is None or error is None else f"{value:.{digits}f} +/- {error:.{digits}f}"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    head, *body = (_escaped("| " + " | ".join(cells) + " |") for cells in (columns, *rows))
    return [head, "|" + "---|" * len(columns), *body]


def _escaped(text: str) -> str:
    return text.replace("*", "\\*")


def _sources(results: list[Result]) -> str:
    return "; ".join(sorted({result.published.source for result in results}))


def epochs(result: Result) -> str:
    """The epochs of training as they are printed, with a star where it was cut."""
    return f"{result.epochs}/{result.epochs_planned}*" if result.cut else str(result.epochs)


def _three_lines(result: Result, names: list[str]) -> list[list[str]]:
    found = {each.name: each for each in result.evaluators}
    each = [found.get(name) for name in names]
    printed = [e and e.published for e in each]
    return [
        [result.row, epochs(result), str(result.seed), "obtained"]
        + [plus_minus(e.mean, e.standard_error) if e else "" for e in each],
        ["", "", "", "minus AIS"] + [plus_minus(e.difference, e.difference_error) if e else "" for e in each],
        ["", "", "", "published"] + [plus_minus(p.value, p.error) if p else "" for p in printed],
    ]


def _cells(result: Result) -> list[str]:
    mark, published = " †" if result.published.other_data else "", result.published.log_evidence
    gain = result.against and result.against.log_evidence
    return [
        result.row,
        result.recipe,
        epochs(result),
        str(result.seed),
        plus_minus(result.log_evidence, result.standard_error),
        plus_minus(gain.value, gain.error) if gain else "",
        f"{result.elbo:.2f}",
        "" if published is None else f"{published:.2f}{mark}",
        units(result.active_units),
        units(result.published.active_units) + mark if result.published.active_units else "",
        f"{result.k:,}",
        f"{result.n:,}",
        f"{result.seconds / 60:.1f}",
    ]
