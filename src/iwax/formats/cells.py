"""A table as named columns of cells: what every reader of tables gives."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from iwax.formats.columnar import Column

MOST_COLUMNS = 100_000  # each is looked at by itself: some tens of microseconds


@dataclass(frozen=True, eq=False)
class Cells:
    """Named columns of cells, None where one is missing, and the line (of text) or row on which each row begins.

    ``unnamed`` are the columns that the file gives no name, ``index`` those that it says are row numbers or labels.
    ``marks`` counts, for each column, the words (not empty cells) that were taken for missing without being named.

    >>> from iwax.formats.columnar import packed
    >>> table = Cells("t.csv", ("a", "b"), (packed(["1", None]), packed(["x", "y"])), (2, 3))
    >>> len(table), table.place(1, 0)
    (2, 't.csv:3:1')
    """

    source: str
    names: tuple[str, ...]
    columns: tuple[Column, ...]
    lines: Sequence[int]
    unnamed: Collection[str] = ()
    index: tuple[str, ...] = ()
    marks: tuple[Mapping[str, int], ...] = ()
    _numbers: dict[int, tuple[np.ndarray, set[str]]] = field(default_factory=dict, init=False, repr=False)
    _latest: dict[str, tuple[int, Any]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        check_names(self.names, self.source)
        if {len(column) for column in self.columns} != {len(self.lines)} or len(self.columns) != len(self.names):
            raise ValueError(f"{self.source}: needed {len(self.names)} columns of {len(self.lines)} cells; got others")

    def __len__(self) -> int:
        return len(self.lines)

    def place(self, row: int, column: int) -> str:
        """file:line:column of a cell, both counted from 1."""
        return f"{self.source}:{self.lines[row]}:{column + 1}"

    def numbers(self, column: int) -> tuple[np.ndarray, set[str]]:
        """`Column.numbers` of a column, read once; with words among them, only until those of another one are."""
        if column in self._numbers:
            return self._numbers[column]
        found = self._once("numbers", column, self.columns[column].numbers)
        return found if found[1] else self._numbers.setdefault(column, found)

    def texts(self, column: int) -> set[str]:
        """`Column.distinct` of a column, until those of another one are asked for."""
        return self._once("texts", column, self.columns[column].distinct)

    def are_codes(self, column: int) -> bool:
        """`Column.are_codes` of a column."""
        return self._once("codes", column, self.columns[column].are_codes)

    def _once(self, what: str, column: int, make: Callable[[], Any]) -> Any:
        """What is made of a column, remembered until it is made of another one."""
        if self._latest.get(what, (-1, None))[0] != column:
            self._latest[what] = column, make()
        return self._latest[what][1]

    def holds(self, column: int) -> bool:
        """Whether any cell of a column is not missing."""
        values, words = self.numbers(column)
        return bool(words) or not np.isnan(values).all()

    @cached_property
    def trailing(self) -> int:
        """The place after the last column that has a name or a value."""
        unnamed = set(self.unnamed)
        named = (i for i in range(len(self.names) - 1, -1, -1) if self.names[i] not in unnamed or self.holds(i))
        return next(named, -1) + 1


def check_width(columns: int, where: str) -> None:
    """Refuse a table of more columns than can be typed, one by one, in reasonable time.

    >>> check_width(300_000, "t.csv:1")
    Traceback (most recent call last):
        ...
    ValueError: t.csv:1: needed at most 100,000 columns in a table; got 300,000; save them as an array (.npy), which has
    no kinds of columns
    """
    if columns > MOST_COLUMNS:
        raise ValueError(
            f"{where}: needed at most {MOST_COLUMNS:,} columns in a table; got {columns:,}; save them as an array "
            "(.npy), which has no kinds of columns"
        )


def check_names(names: Sequence[str], where: str) -> None:
    """Refuse an empty name and one that stands twice: ValueError with its column.

    >>> check_names(["a", "a"], "t.csv:1")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    ValueError: t.csv:1:2: needed a name of its own for every column; got the name 'a' a second time; ...
    """
    before: set[str] = set()
    for i, name in enumerate(names):
        if not name or name in before:
            what = f"the name {name!r} a second time" if name else "an empty name"
            raise ValueError(
                f"{where}:{i + 1}: needed a name of its own for every column; got {what}; rename the column, or leave "
                "it out of the file"
            )
        before.add(name)
