"""What a method of measuring is given, and what it gives back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np

from iwax._typing import PRNGKey
from iwax.data import Dataset
from iwax.experiments import build, cost
from iwax.experiments.reporter import Reporter
from iwax.experiments.stored import Trained
from iwax.streams import Run

__all__ = ["Found", "Method", "Task", "counted_rows", "or_unknown"]


@dataclass(frozen=True)
class Task:
    """A run to be measured on rows of its data, with the options of the method, all of them known."""

    trained: Trained
    dataset: Dataset
    limit: int | None
    seed: int
    options: Mapping[str, Any]
    reporter: Reporter

    def rows(self) -> np.ndarray:
        """The rows of the split asked for, as the likelihood takes them, up to the limit."""
        split = self.options["split"]
        rows = build.values(self.trained.config, self.dataset, split, final=True)
        if self.limit is not None and self.limit > len(rows):
            self.reporter.note(
                f"{self.dataset.name} ({split}) has {len(rows):,} rows, fewer than the limit {self.limit:,}"
            )
        return rows[: self.limit]

    def key(self, stream: Run) -> PRNGKey:
        """The key of a random stream."""
        return jax.random.fold_in(jax.random.key(self.seed), stream)

    def announce(self, what: str, passes: int) -> None:
        """Say what so many passes through the decoder will cost, where that is long."""
        if (seconds := cost.forecast(self.trained, passes)) > cost.WORTH_SAYING:
            self.reporter.note(f"measuring {what}: about {cost.in_words(seconds)}")


class Found(NamedTuple):
    """What a method found: a summary, fields that are stored and not shown, columns a row, and a name for it."""

    summary: dict[str, Any]
    stored: dict[str, Any]
    columns: dict[str, np.ndarray]
    name: str


class Method(NamedTuple):
    """A way to estimate log p(x): its options with their defaults (None: as configured), how, and its last line."""

    options: Mapping[str, Any]
    measure: Callable[[Task], Found]
    line: Callable[[Mapping[str, Any]], str]


def counted_rows(summary: Mapping[str, Any]) -> str:
    """How many rows were measured, by the name that fits them.

    >>> counted_rows({"n": 3, "shape": [8, 8]}), counted_rows({"n": 3, "shape": [8]})
    ('3 images', '3 rows')
    """
    return f"{summary['n']} {'images' if len(summary['shape']) > 1 else 'rows'}"


def or_unknown(value: float, form: str) -> str:
    """A number in a format, or the word for there being none.

    >>> or_unknown(0.25, ".0%"), or_unknown(float("nan"), ".2f")
    ('25%', 'unknown')
    """
    return "unknown" if np.isnan(value) else format(value, form)
