"""Results as files: one JSON document a trained row, and the table of the README that is made from them."""

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from iwax.training import durable

__all__ = [
    "BEGIN",
    "END",
    "Published",
    "Result",
    "file_name",
    "find",
    "markdown",
    "read",
    "units",
    "update_table",
    "write",
]

BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"
COLUMNS = (
    "row", "recipe", "epochs", "seed", "obtained log p(x)", "published", "active units", "published",
    "k", "images", "minutes",
)  # fmt: skip


class Published(BaseModel):
    """What the publication prints for a row."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    log_evidence: float
    active_units: list[int]
    where: str
    source: str
    certainty: str
    other_data: bool


class Result(BaseModel):
    """A trained and measured row: enough to make it again, and the number beside the published one."""

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
    published: Published

    @property
    def file_name(self) -> str:
        """``<table>-<row>-<recipe>-e<epochs planned>-seed<seed>.json``."""
        return file_name(self.table, self.row, self.recipe, self.epochs_planned, self.seed)


def write(result: Result, folder: Path) -> Path:
    """Write a result, whole or not at all, over an earlier one of the same row, recipe, epochs and seed."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / result.file_name
    durable.replace(path, (json.dumps(result.model_dump(), indent=2, ensure_ascii=False) + "\n").encode())
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
    """The results as a Markdown table, with the sources and what the signs mean below it."""
    if not results:
        return ""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    lines += ["| " + " | ".join(_cells(result)) + " |" for result in results]
    sources = sorted({f"{result.table}: {result.published.source}" for result in results})
    lines += ["", f"Published numbers: {'; '.join(sources)}."]
    lines += ["log p(x) in nats, over the test images, +/- its standard error over them; minutes of training."]
    if any(result.cut for result in results):
        lines += ["\\*: training was cut by a bound on its time, at the epoch given of those planned."]
    if any(result.published.other_data for result in results):
        lines += ["†: other data (rebuilt) than the published number's: beside it for calibration only."]
    return "\n".join(lines) + "\n"


def update_table(page: Path, folder: Path) -> bool:
    """Put the table of a folder's results between the two markers of a page; whether anything changed.

    Raises ValueError where the page has no markers.
    """
    text = page.read_text(encoding="utf-8")
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} must hold the lines {BEGIN} and {END}, between which the table goes")
    new = f"{head}{BEGIN}\n{markdown(read(folder))}{END}{tail}"
    if new == text:
        return False
    durable.replace(page, new.encode())
    return True


def units(counts: list[int]) -> str:
    """Active units as they are printed, a number a layer.

    >>> units([26, 7])
    '26+7'
    """
    return "+".join(str(count) for count in counts)


def _cells(result: Result) -> list[str]:
    epochs = f"{result.epochs}/{result.epochs_planned}\\*" if result.cut else str(result.epochs)
    mark = " †" if result.published.other_data else ""
    return [
        result.row,
        result.recipe,
        epochs,
        str(result.seed),
        f"{result.log_evidence:.2f} +/- {result.standard_error:.2f}",
        f"{result.published.log_evidence:.2f}{mark}",
        units(result.active_units),
        units(result.published.active_units) + mark,
        str(result.k),
        f"{result.n:,}",
        f"{result.seconds / 60:.1f}",
    ]
