"""A summary of a table: one line for each column."""

import unicodedata

import numpy as np

from iwax.data.columns import Column
from iwax.data.dataset import Dataset
from iwax.data.on_disk import RowsOnDisk, spread

SEEN = 100_000  # rows of a split on disk
SHOWN = 40  # columns with a line of their own
WIDEST = 24  # letters of a name or of all levels of a line that are shown
LEVELS = 60


def listing(dataset: Dataset) -> list[str]:
    """Name, kind, missing cells and range or levels of every column of a table, over all of its rows, in line.

    Of each split on disk 100,000 rows are taken, in even steps, and the last line says so. For a wide table, the first
    columns, and how many more there are of which kind. For other data, no line.

    >>> rows = np.array([[3.0, 0], [0, np.nan], [9, 1]], np.float32)
    >>> from iwax.data.dataset import Split
    >>> columns = (Column("visits", "count"), Column("smoker", "binary", ("no", "yes")))
    >>> print(*listing(Dataset("t", "", (2,), "table", False, Split(rows), None, Split(rows[:1]), columns)), sep="\\n")
    column  kind    missing  values
    visits  count         0  0 .. 9, mean 3.75
    smoker  binary        1  no 67 %, yes 33 %
    """
    columns = dataset.columns or ()
    if not columns:
        return []
    values = np.concatenate([_seen(split.values) for split in dataset.splits().values()])
    shown = columns[:SHOWN] if len(columns) > SHOWN + 1 else columns
    lines_of = [("column", "kind", "missing", "values")]
    for i, column in enumerate(shown):
        cells = values[:, i]
        lines_of.append((_cut(column.name, WIDEST), column.kind, f"{np.isnan(cells).sum():,}", _values(column, cells)))
    wide = [max(_width(row[j]) for row in lines_of) for j in range(3)]
    lines = []
    for name, kind, missing, text in lines_of:
        lines.append(f"{name}{' ' * (wide[0] - _width(name))}  {kind:<{wide[1]}}  {missing:>{wide[2]}}  {text}")
    if len(shown) < len(columns):
        rest = [column.kind for column in columns[len(shown) :]]
        kinds = ", ".join(f"{rest.count(kind)} {kind}" for kind in dict.fromkeys(rest))
        missing = int(np.isnan(values[:, len(shown) :]).sum())
        lines.append(f"and {len(rest):,} more: {kinds}; {missing:,} of their cells missing")
    if len(values) < (rows := sum(map(len, dataset.splits().values()))):
        lines.append(f"as {len(values):,} of the {rows:,} rows show")
    return lines


def _seen(values: np.ndarray | RowsOnDisk) -> np.ndarray:
    """The rows, or some of them where they are on disk."""
    return values.take(spread(len(values), SEEN)) if isinstance(values, RowsOnDisk) else values


def _values(column: Column, cells: np.ndarray) -> str:
    """The range of numbers and their mean, or the levels: two with their shares, more by how frequent they are."""
    seen = cells[~np.isnan(cells)].astype(np.float64)
    if not len(seen):
        return "none"
    if not column.levels:
        return f"{seen.min():.6g} .. {seen.max():.6g}, mean {seen.mean():.4g}"
    counts = np.bincount(seen.astype(int), minlength=len(column.levels))
    named = [_cut(level, WIDEST) for level in column.levels]
    if len(named) <= 2:
        return ", ".join(f"{level} {100 * count / len(seen):.0f} %" for level, count in zip(named, counts, strict=True))
    text = f"{len(named):,} levels: "
    for i, place in enumerate(np.argsort(-counts, kind="stable")):
        if i and len(text) + len(named[place]) > LEVELS:
            return f"{text} ..."
        text += f"{', ' * bool(i)}{named[place]}"
    return text


def _cut(text: str, most: int) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= most else plain[: most - 3] + "..."


def _width(text: str) -> int:
    """How many places of a terminal a text takes."""
    return sum(
        1 + (unicodedata.east_asian_width(letter) in "WF") - bool(unicodedata.combining(letter)) for letter in text
    )
