"""The published table of test errors, and its rows trained and written down."""

import json
from fnmatch import fnmatchcase
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from iwax.bnn.run import DOCUMENT, run
from iwax.bnn.settings import Settings
from iwax.runs.reporter import Reporter
from iwax.storage import durable

__all__ = ["NAME", "ErrorRow", "ErrorTable", "read_errors", "reproduce_errors"]

NAME = "bayes-by-backprop"


class ErrorRow(BaseModel):
    """A row: what was trained, where it stands in the paper, and the test error printed there, in per cent."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    where: str
    error: float
    settings: dict[str, Any]


class ErrorTable(BaseModel):
    """The table with its source and how far its numbers can be relied on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    title: str
    source: str
    certainty: str
    certainty_meaning: str
    protocol: str
    notes: list[str]
    rows: list[ErrorRow]

    def select(self, pattern: str) -> list[ErrorRow]:
        """The rows whose names match, `*` standing for anything. Raises ValueError where none does.

        >>> [row.name for row in read_errors().select("mixture-4*")]
        ['mixture-400']
        """
        chosen = [row for row in self.rows if fnmatchcase(row.name, pattern)]
        if not chosen:
            raise ValueError(f"--rows {pattern}: no row matches; the rows: {', '.join(row.name for row in self.rows)}")
        return chosen


def read_errors() -> ErrorTable:
    """The published table.

    >>> len(read_errors().rows)
    12
    """
    return ErrorTable.model_validate_json((files("iwax.bnn") / f"{NAME}.json").read_text())


def reproduce_errors(
    row: ErrorRow, *, epochs: int | None, seed: int, output: Path, results: Path, reporter: Reporter
) -> tuple[dict[str, Any], Path]:
    """Train and measure a row, unless it has been, and write its result; the result and its file."""
    given = {**row.settings, "seed": seed} | ({} if epochs is None else {"epochs": epochs})
    settings = Settings.of(given)
    name = f"{NAME}-{row.name}-e{settings.epochs}-seed{seed}"
    folder = output / name
    if (folder / DOCUMENT).is_file():
        found = json.loads((folder / DOCUMENT).read_text())
        if Settings.of(found["settings"]) != settings:
            raise ValueError(f"{folder}: a run of row {row.name} was needed, got another; name another with --output")
        reporter.note(f"{row.name}: trained and measured before, {folder}")
    else:
        found = run(settings, folder, reporter=reporter)
    result = {"row": row.name, "published_error": row.error, **found}
    path = results / NAME / f"{row.name}-e{settings.epochs}-seed{seed}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    durable.replace(path, (json.dumps(result, indent=1) + "\n").encode())
    return result, path
