"""Results as files: one JSON document a trained row, and the tables of a page that are made from them."""

import json
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from iwax.experiments.published import PublishedValue
from iwax.training import durable

__all__ = [
    "BEGIN",
    "BEGIN_EVALUATORS",
    "END",
    "END_EVALUATORS",
    "Evaluator",
    "Published",
    "Result",
    "evaluators_markdown",
    "file_name",
    "find",
    "markdown",
    "plus_minus",
    "read",
    "units",
    "update_table",
    "write",
]

BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"
BEGIN_EVALUATORS, END_EVALUATORS = "<!-- evaluators:begin -->", "<!-- evaluators:end -->"
COLUMNS = (
    "row", "recipe", "epochs", "seed", "obtained log p(x)", "above the baseline", "ELBO", "published",
    "active units", "units published", "k", "images", "minutes",
)  # fmt: skip


class Published(BaseModel):
    """What the publication prints for a row; None and an empty list where it does not."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    log_evidence: float | None
    active_units: list[int]
    where: str
    source: str
    certainty: str
    other_data: bool


class Evaluator(BaseModel):
    """What one evaluator of log p(x) says of a row, nats, as means over the same test rows as the others'.

    `standard_error` is over the rows, `monte_carlo_error` over the draws; `difference` is that to annealed importance
    sampling, row by row, with an error that holds the noise of both. `seconds` are of the pass that measured it, which
    evaluators of the same draws share.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    k: int | None
    plan: str
    mean: float
    standard_error: float
    monte_carlo_error: float
    difference: float | None
    difference_error: float | None
    seconds: float
    warnings: list[str]
    published: PublishedValue | None


class Against(BaseModel):
    """By how much a row lies above the table's baseline, nats, image by image: in log p(x) and in the ELBO."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    row: str
    log_evidence: PublishedValue
    elbo: PublishedValue


class Result(BaseModel):
    """A trained and measured row: enough to make it again, and the number beside the published one.

    Measured on the first `n` test rows where a `limit` asked for that, on all of them without. Where several evaluators
    stand side by side, `log_evidence` is that of the k given.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: str
    row: str
    recipe: str
    seed: int
    command: str
    versions: dict[str, str]
    device: str
    dataset: str
    protocol: str
    n: int
    limit: int | None = None
    k: int
    epochs: int
    epochs_planned: int
    cut: bool
    seconds: float
    evaluation_seconds: float
    log_evidence: float
    standard_error: float
    elbo: float
    elbo_standard_error: float
    active_units: list[int]
    against: Against | None = None
    evaluators: list[Evaluator] = []
    published: Published

    @property
    def file_name(self) -> str:
        """``<table>-<row>-<recipe>-e<epochs planned>-seed<seed>.json``."""
        return file_name(self.table, self.row, self.recipe, self.epochs_planned, self.seed)


def write(result: Result, folder: Path) -> Path:
    """Write a result, whole or not at all, over an earlier one of the same row, recipe, epochs and seed."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / result.file_name
    document = result.model_dump(exclude_defaults=True)
    durable.replace(path, (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode())
    return path


def read(folder: Path) -> list[Result]:
    """All results of a folder by table, row, recipe, epochs and seed; ValueError names a file that is no result."""
    results = [_read_one(path) for path in folder.glob("*.json")]
    return sorted(results, key=lambda r: (r.table, r.row, r.recipe, r.epochs_planned, r.seed))


def find(folder: Path, table: str, row: str, recipe: str, epochs: int, seed: int) -> Result | None:
    """The result of a row that was written before, if there is one."""
    path = folder / file_name(table, row, recipe, epochs, seed)
    return _read_one(path) if path.is_file() else None


def file_name(table: str, row: str, recipe: str, epochs: int, seed: int) -> str:
    """The name of a result's file.

    >>> file_name("burda2016", "mnist-1-iwae-k5", "quick", 100, 0)
    'burda2016-mnist-1-iwae-k5-quick-e100-seed0.json'
    """
    return f"{table}-{row}-{recipe}-e{epochs}-seed{seed}.json"


def _read_one(path: Path) -> Result:
    try:
        return Result.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise ValueError(f"{path} is no result: {where}: {first['msg']}; make the row again") from error


def markdown(results: list[Result]) -> str:
    """The results of one evaluator as a Markdown table, with the sources and what the signs mean below it."""
    results = [result for result in results if not result.evaluators]
    if not results:
        return ""
    lines = [*_table(COLUMNS, [_cells(result) for result in results]), "", _sources(results)]
    lines += ["log p(x) in nats, over the test images, +/- its standard error over them; minutes of training."]
    if any(result.against for result in results):
        baselines = sorted({f"{r.against.row} ({r.table})" for r in results if r.against})
        lines += [f"Above the baseline: log p(x) less that of {', '.join(baselines)}, image by image."]
    if any(result.cut for result in results):
        lines += ["\\*: training was cut by a bound on its time, at the epoch given of those planned."]
    if any(result.published.other_data for result in results):
        lines += ["†: other data (rebuilt) than the published number's: beside it for calibration only."]
    return "\n".join(lines) + "\n"


def evaluators_markdown(results: list[Result]) -> str:
    """The results of several evaluators as a Markdown table: obtained, the difference to AIS, and published."""
    results = [result for result in results if result.evaluators]
    if not results:
        return ""
    names = list(dict.fromkeys(each.name for result in results for each in result.evaluators))
    lines = _table(
        ("row", "epochs", "seed", "nats", *names), [line for r in results for line in _three_lines(r, names)]
    )
    plans: dict[str, list[str]] = {}
    for each in (each for result in results for each in result.evaluators):
        plans.setdefault(each.plan, []).append(each.name)
    lines += ["", _sources(results)]
    lines += [f"{', '.join(dict.fromkeys(of_plan))}: {plan}." for plan, of_plan in plans.items()]
    images = " or ".join(dict.fromkeys(f"{result.n:,}" for result in results))
    lines += [
        f"Nats, means over {images} test images, +/- the standard error over them; minus AIS: of the differences image "
        "by image. The published numbers are of another net and recipe, and of all 10,000."
    ]
    return "\n".join(lines) + "\n"


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
    """Active units as they are printed, a number a layer.

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


def _table(columns: Sequence[str], rows: list[list[str]]) -> list[str]:
    head, *body = ("| " + " | ".join(cells) + " |" for cells in (columns, *rows))
    return [head, "|" + "---|" * len(columns), *body]


def _sources(results: list[Result]) -> str:
    sources = sorted({f"{result.table}: {result.published.source}" for result in results})
    return f"Published numbers: {'; '.join(sources)}."


def _pair(value: PublishedValue) -> tuple[float, float]:
    return value.value, value.error


def _epochs(result: Result) -> str:
    return f"{result.epochs}/{result.epochs_planned}\\*" if result.cut else str(result.epochs)


def _three_lines(result: Result, names: list[str]) -> list[list[str]]:
    found = {each.name: each for each in result.evaluators}
    each = [found.get(name) for name in names]
    printed = [e and e.published for e in each]
    return [
        [result.row, _epochs(result), str(result.seed), "obtained"]
        + [plus_minus(e.mean, e.standard_error) if e else "" for e in each],
        ["", "", "", "minus AIS"] + [plus_minus(e.difference, e.difference_error) if e else "" for e in each],
        ["", "", "", "published"] + [plus_minus(p.value, p.error) if p else "" for p in printed],
    ]


def _cells(result: Result) -> list[str]:
    mark, published = " †" if result.published.other_data else "", result.published.log_evidence
    return [
        result.row,
        result.recipe,
        _epochs(result),
        str(result.seed),
        plus_minus(result.log_evidence, result.standard_error),
        "" if result.against is None else plus_minus(*_pair(result.against.log_evidence)),
        f"{result.elbo:.2f}",
        "" if published is None else f"{published:.2f}{mark}",
        units(result.active_units),
        units(result.published.active_units) + mark,
        str(result.k),
        f"{result.n:,}",
        f"{result.seconds / 60:.1f}",
    ]
