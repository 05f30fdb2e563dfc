"""A way to estimate log p(x), as a value: what every one of them says of itself, and what is asked of it."""

import string
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import jax
import numpy as np

from iwax._typing import PRNGKey
from iwax.evaluation.statistics import error_of_mean, standard_error
from iwax.runs.reporter import Reporter
from iwax.streams import Run as Stream

if TYPE_CHECKING:
    from iwax.runs.run import Run

__all__ = ["Method", "Outcome", "Task", "check_range", "or_unknown", "summed_up", "whole"]

SPANS = (("years", 525_600), ("days", 1_440), ("hours", 60), ("minutes", 1))  # in minutes
SUMS: tuple[tuple[str, str, Callable[[np.ndarray], Any]], ...] = (  # names of a summary, and of what column they are
    ("log_evidence", "log_evidence", np.mean),
    ("standard_error", "log_evidence", standard_error),
    ("monte_carlo_error", "monte_carlo_error", error_of_mean),
    ("elbo", "elbo", np.mean),
    ("elbo_standard_error", "elbo", standard_error),
    ("ess_median", "ess", np.median),
    ("acceptance", "acceptance", np.mean),
)


@dataclass(frozen=True)
class Task:
    """A run to be measured on the rows of a split up to a limit, with the noise of a seed.

    ``streams`` maps a random stream to the one that takes its place. Raises ValueError for a wrong seed or limit.
    """

    run: "Run"
    split: str
    limit: int | None
    seed: int
    reporter: Reporter
    streams: Mapping[Stream, Stream] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_range("seed", self.seed, 0, 2**32 - 1)
        if self.limit is not None:
            check_range("limit", self.limit, 1, 10**9)

    @cached_property
    def x(self) -> np.ndarray:
        """The rows of the split [n, D], as the likelihood takes them, up to the limit."""
        rows = self.run.rows(self.split, first=self.limit)
        if self.limit is not None and self.limit > len(rows):
            name = f"{self.run.dataset().name} ({self.split})"
            self.reporter.note(f"{name} has {len(rows):,} rows, fewer than the limit {self.limit:,}")
        return rows

    def key(self, stream: Stream) -> PRNGKey:
        """The key of a random stream."""
        return jax.random.fold_in(jax.random.key(self.seed), self.streams.get(stream, stream))


class Outcome(NamedTuple):
    """What a method gives: a value per row in each column, warnings, entries of the summary, and what is also stored.

    The ``stored`` entries stand in the file of the summary only.
    """

    columns: dict[str, np.ndarray]
    warnings: list[str]
    about: dict[str, Any] = {}  # noqa: RUF012
    stored: dict[str, Any] = {}  # noqa: RUF012


@dataclass(frozen=True)
class Method(ABC):
    """A way to estimate log p(x) with its settings. Raises ValueError for a number out of its range.

    Texts are filled in with the settings: ``stem`` is the name of a stored measurement (and of its ``split``), less
    rows, seed and step; ``plan`` and ``work`` (on ``n`` rows) say how it is done. ``head`` and ``details`` make a
    line of a summary; a number whose form ends in ``?`` is "unknown" where it is NaN.
    """

    name: ClassVar[str]
    stem: ClassVar[str]
    plan: ClassVar[str]
    work: ClassVar[str]
    head: ClassVar[str] = "{split} log p(x) = {log_evidence:.2f} +/- {standard_error:.2f?} nats"
    details: ClassVar[tuple[str, ...]]
    simulates: ClassVar[bool] = False  # measures rows that are drawn from the model, and not a split of its data
    takes_missing: ClassVar[bool] = False  # measures rows with missing cells

    def __post_init__(self) -> None:
        for each in fields(self):
            if "range" in each.metadata:
                check_range(each.name, vars(self)[each.name], *each.metadata["range"])

    @classmethod
    def takes(cls, *, settings: bool = True) -> list[str]:
        """The options of the method by name, with its settings."""
        return [*(["split"] * (not cls.simulates)), *(each.name for each in fields(cls) if settings)]

    @property
    @abstractmethod
    def draws(self) -> int:
        """What one row costs: how often a draw goes through the generative net."""

    @abstractmethod
    def measure(self, task: Task) -> Outcome:
        """log p(x) of the rows of a task."""

    def rows(self, task: Task) -> int:
        """How many rows of a task are measured."""
        return len(task.x)

    def formatted(self, text: str, *, n: int = 0, split: str = "") -> str:
        """One of the texts with the settings filled in."""
        return text.format(**self.settings(), n=n, split=split)

    def settings(self) -> dict[str, Any]:
        """The settings by the names under which a summary has them."""
        return asdict(self)

    @classmethod
    def words(cls, summary: Mapping[str, Any]) -> dict[str, Any]:
        """Words of the line that are no numbers of a summary."""
        return {}

    @classmethod
    def line(cls, summary: Mapping[str, Any]) -> list[str]:
        """The number with its error; how it was measured; and how far to trust it."""
        summary = {name: np.nan if value is None else value for name, value in summary.items()}  # as JSON has NaN
        rows = f"{summary['n']} {'images' if len(summary['shape']) > 1 else 'rows'}"
        return [_Line().format(each, **summary, rows=rows, **cls.words(summary)) for each in (cls.head, *cls.details)]


class _Line(string.Formatter):
    def format_field(self, value: Any, format_spec: str) -> str:
        return or_unknown(value, format_spec[:-1]) if format_spec.endswith("?") else format(value, format_spec)


def or_unknown(value: float, form: str) -> str:
    """A number in a format, or the word for there being none.

    >>> or_unknown(0.25, ".0%"), or_unknown(float("nan"), ".2f")
    ('25%', 'unknown')
    """
    return "unknown" if np.isnan(value) else format(value, form)


def whole(default: int, least: int, largest: int) -> Any:
    """A setting that is a whole number in a range."""
    return field(default=default, metadata={"range": (least, largest)})


def check_range(name: str, value: Any, least: int, largest: int) -> None:
    """ValueError, naming it, for what is no whole number from ``least`` to ``largest``."""
    number = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not number or not least <= value <= largest:
        cost = f"; {_cost(int(value))}" if number and name == "k" and value > largest else ""
        raise ValueError(f"{name}: an integer from {least} to {largest} was needed, got {value}{cost}")


def _cost(k: int) -> str:
    """How long k draws take: about a second per million draws and row, of a small network on two processor cores.

    >>> _cost(1_000_000_000)
    '1,000,000,000 draws take about 17 minutes per row on two processor cores, of a network of a few hundred units'
    """
    minutes = k / 60e6
    span = next((f"{minutes / size:,.0f} {unit}" for unit, size in SPANS if minutes >= 2 * size), "a minute")
    return f"{k:,} draws take about {span} per row on two processor cores, of a network of a few hundred units"


def summed_up(columns: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """What columns [n] say as a whole; of those whose name ends in _upper, under names that do.

    >>> summed_up({"rows": np.arange(2), "log_evidence_upper": np.array([-1.0, -2.0])})
    {'n': 2, 'log_evidence_upper': -1.5, 'standard_error_upper': 0.5}
    """
    found: dict[str, Any] = {"n": int(columns["rows"].size)}
    for end in ("", "_upper"):
        there = ((name, columns.get(f"{column}{end}"), of) for name, column, of in SUMS)
        found |= {f"{name}{end}": float(of(values)) for name, values, of in there if values is not None}
    return found
