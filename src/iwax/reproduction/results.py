"""Results as files: one JSON document for each trained row."""

import json
from pathlib import Path

from pydantic import ValidationError

from iwax.reproduction.published import Frozen, PublishedValue
from iwax.storage import durable

__all__ = ["Against", "Evaluator", "Published", "Result", "file_name", "find", "read", "write"]


class Published(Frozen):
    """What the publication prints for a row; None and an empty list where it does not."""

    log_evidence: float | None
    active_units: list[int]
    where: str
    source: str
    certainty: str
    other_data: bool


class Evaluator(Frozen):
    """What one evaluator of log p(x) says of a row, nats, as means over the same test rows as the others'.

    `standard_error` is over the rows, `monte_carlo_error` over the draws; `difference` is that to annealed importance
    sampling, row by row, with an error that holds the noise of both. `seconds` are of the pass that measured it, which
    evaluators of the same draws share.
    """

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


class Against(Frozen):
    """The gain of a row over the table's baseline, nats, image by image: in log p(x) and in the ELBO."""

    row: str
    log_evidence: PublishedValue
    elbo: PublishedValue


class Result(Frozen):
    """A trained and measured row: enough to make it again, and the number next to the published one.

    Measured on the first `n` test rows where a `limit` asked for that, on all of them without. Where several evaluators
    stand side by side, `log_evidence` is that of the k given.
    """

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
    evaluators: list[Evaluator] = []  # noqa: RUF012
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
