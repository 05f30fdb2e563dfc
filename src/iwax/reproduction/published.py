"""Published numbers as data: the tables, their rows, and the stand-ins for data that cannot be had."""

import difflib
import json
from collections.abc import Sequence
from fnmatch import fnmatchcase
from importlib.resources import files
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "ErrorRow",
    "ErrorTable",
    "Frozen",
    "PublishedRow",
    "PublishedTable",
    "PublishedValue",
    "SideBySide",
    "Table",
    "read_table",
    "select_rows",
    "table_names",
]

REBUILT = {"omniglot": "omniglot-rebuilt"}  # published data: what stands in for it, labelled as other data

Setting = int | float | str | list[int]  # of a configuration, by its dotted key
AtLeastTwo = Annotated[int, Field(ge=2)]  # one of them would leave an error unknown


class Frozen(BaseModel):
    """Values of a document: no other names are admitted, and none is changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PublishedValue(Frozen):
    """A number as it is printed, nats, with the error printed next to it."""

    value: float
    error: float


class PublishedRow(Frozen):
    """One row of a table: what was trained on what, and what was printed (nats, and active units of each layer).

    `preset` is the row's own, where it is not the table's. Where several evaluators of log p(x) were printed they stand
    in `evaluators` by name, and `log_evidence` is None. `baseline` is the row it is compared with, where it is not the
    table's.
    """

    name: str
    where: str
    data: str
    layers: int
    bound: Literal["elbo", "iwae", "jackknife"]
    k: int
    log_evidence: float | None = None
    active_units: list[int] = []
    evaluators: dict[str, PublishedValue] = {}
    preset: str | None = None
    settings: dict[str, Setting] = {}
    start: str | None = None
    baseline: str | None = None
    other_data: bool = False


class SideBySide(Frozen):
    """How several evaluators measure a row's model, all on the first `rows` test rows.

    ELBO, IWAE and the jackknife of each order of the same `repeats` sets of `k` draws; the IWAE bound at the k of the
    table; annealed importance sampling from `start`, along the sigmoidal ladder.
    """

    rows: AtLeastTwo
    k: AtLeastTwo
    repeats: AtLeastTwo
    orders: list[int]
    chains: AtLeastTwo
    temperatures: int
    leapfrog: int
    start: Literal["prior", "posterior"]


class ErrorRow(Frozen):
    """A classifier: what was trained, where it stands in the paper, and the test error printed there, in per cent."""

    name: str
    where: str
    error: float
    settings: dict[str, Any]


Row = TypeVar("Row", PublishedRow, ErrorRow)


class Table(Frozen, Generic[Row]):
    """A publication's table with its source and how far its numbers can be relied on."""

    name: str
    title: str
    source: str
    certainty: Literal["S", "R", "2", "V", "M", "M-"]
    certainty_meaning: str
    protocol: str
    notes: list[str]
    rows: list[Row]

    def all_rows(self) -> list[Row]:
        """The rows as printed."""
        return self.rows


class ErrorTable(Table[ErrorRow]):
    """A table of test errors."""


class PublishedTable(Table[PublishedRow]):
    """A table of log p(x).

    `preset` and `settings` are what all rows train with, where they are not Burda's nets. `baseline` is the row that
    the others are compared with, image by image, where they are models of one kind.
    """

    evaluation_k: int
    evaluators: SideBySide | None = None
    preset: str | None = None
    settings: dict[str, Setting] = {}
    baseline: str | None = None
    active_units: str

    def all_rows(self) -> list[PublishedRow]:
        """The rows as printed, then those that train on rebuilt data and are shown next to the printed number."""
        return [*self.rows, *(_rebuilt(row) for row in self.rows if row.data in REBUILT)]


def table_names() -> list[str]:
    """The names of the tables.

    >>> table_names()
    ['bayes-by-backprop', 'burda2016', 'iwaeu', 'jvi', 'mem-vae', 'tomczak-flows', 'vampprior']
    """
    folder = files("iwax.reproduction") / "tables"
    return sorted(entry.name.removesuffix(".json") for entry in folder.iterdir() if entry.name.endswith(".json"))


def read_table(name: str) -> PublishedTable | ErrorTable:
    """The table of that name; ValueError, with the nearest names, where there is none.

    >>> table = read_table("burda2016")
    >>> [row.log_evidence for row in table.rows if row.name == "mnist-1-iwae-k5"]
    [-85.54]
    """
    if name not in table_names():
        raise ValueError(f"no published table is called {name!r}; {_nearest(name, table_names())}")
    text = (files("iwax.reproduction") / "tables" / f"{name}.json").read_text(encoding="utf-8")
    found = json.loads(text)
    return (PublishedTable if "evaluation_k" in found else ErrorTable).model_validate(found)


def select_rows(table: Table[Row], pattern: str) -> list[Row]:
    """The rows whose name fits the pattern (``*`` and ``?`` as in file names), in the order of the table.

    >>> [row.name for row in select_rows(read_table("burda2016"), "mnist-1-iwae-k?")]
    ['mnist-1-iwae-k5']
    """
    rows = [row for row in table.all_rows() if fnmatchcase(row.name, pattern)]
    if not rows:
        names = [row.name for row in table.all_rows()]
        raise ValueError(f"no row of {table.name} fits {pattern!r}; {_nearest(pattern, names)}")
    return rows


def _rebuilt(row: PublishedRow) -> PublishedRow:
    stand_in = REBUILT[row.data]
    start = row.start.replace(row.data, stand_in, 1) if row.start else None
    return row.model_copy(
        update={
            "name": row.name.replace(row.data, stand_in, 1),
            "data": stand_in,
            "start": start,
            "other_data": True,
        }
    )


def _nearest(wanted: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(wanted, names, n=4, cutoff=0.4)
    return f"nearest: {', '.join(near)}" if near else f"there are: {', '.join(names)}"
