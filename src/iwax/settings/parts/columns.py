"""Tables: the family of each column, where its likelihood starts, and how the encoder reads it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from iwax import families, nn
from iwax.data import Column
from iwax.families import Start
from iwax.likelihoods import ColumnKind, columns_of

__all__ = ["TableStart", "feature_encoding", "in_units", "kinds", "output_bias", "table_start"]

_FAMILIES = {
    "continuous": "gaussian",
    "positive": "lognormal",
    "nonnegative": "zero_inflated_lognormal",
    "count": "negative_binomial",
    "integer": "integer_logistic",
    "nonnegative_integer": "nonnegative_integer_logistic",
    "binary": "bernoulli",
}


class TableStart(NamedTuple):
    """The ``families`` of the columns, and what the training rows say of each: ``loc`` and ``scale`` of x as the
    likelihood takes it, and where the column starts."""

    families: families.Columns
    loc: Float[np.ndarray, " columns"]
    scale: Float[np.ndarray, " columns"]
    starts: tuple[Start, ...]


def table_start(
    columns: Sequence[Column],
    rows: Float[np.ndarray, "rows columns"] | None,
    *,
    floor: float,
    source: str = "the table",
) -> TableStart:
    """From the observed cells of the training rows; without rows, numbers that stand for what will be read in.

    ``floor`` is that of the likelihood's scales. Raises ValueError, naming ``source`` and the column, where all its
    cells are alike: nothing can be learned of it.

    >>> start = table_start([Column("a", "continuous")], np.array([[1.0], [3.0], [np.nan]]), floor=0.0)
    >>> start.loc.tolist(), start.scale.tolist()
    ([2.0], [1.0])
    """
    found = columns_of(kinds(columns), floor=floor)
    of_column = _by_column(found)
    starts = tuple(
        Start((0.0,) * family.outputs_per_feature)
        if rows is None
        else family.column(_seen(column, rows[:, j].astype(np.float64), source))
        for j, (column, family) in enumerate(zip(columns, of_column, strict=True))
    )
    loc, scale = np.array([each.units for each in starts]).T
    return TableStart(found, loc, scale, starts)


def in_units(start: TableStart) -> families.Columns:
    """The families, recreated; whole numbers have the training rows' mean and spread as units."""
    return start.families.in_units(*_read(start))


def _read(start: TableStart) -> tuple[np.ndarray, np.ndarray]:
    loc, scale = np.array([each.read for each in start.starts]).T
    return loc, scale


def _by_column(found: families.Columns) -> list[families.Family]:
    pairs = zip(found.columns, found.groups, strict=True)
    family = {column: group for columns, group in pairs for column in columns}
    return [family[column] for column in range(len(family))]


def _seen(column: Column, cells: np.ndarray, source: str) -> np.ndarray:
    seen = cells[~np.isnan(cells)]
    if seen.size == 0 or (seen == seen[0]).all():
        got = "no observed value" if seen.size == 0 else f"{seen[0]:g} in every row"
        raise ValueError(
            f"{source}: column {column.name!r} needed different values in the training rows, got {got}; leave it out "
            f"(--kind {column.name}=drop)"
        )
    return seen


def kinds(columns: Sequence[Column]) -> list[ColumnKind]:
    """The likelihood of every column, as `likelihoods.Columns` names it.

    >>> kinds([Column("a", "positive"), Column("b", "categorical", ("x", "y", "z"))])
    ['lognormal', ('categorical', 3)]
    """
    return [
        ("categorical", len(column.levels)) if column.kind == "categorical" else _FAMILIES[column.kind]
        for column in columns
    ]


def output_bias(start: TableStart) -> np.ndarray:
    """The outputs at which every column has its own distribution over the training rows, in the network's order."""
    blocks = [np.array([start.starts[column].outputs for column in group]).T for group in start.families.columns]
    return np.concatenate([block.ravel() for block in blocks])


def feature_encoding(start: TableStart, *, mask: bool) -> nn.FeatureEncoding:
    """What the encoder reads of a row."""
    return nn.FeatureEncoding(*_read(start), [family.encoding for family in _by_column(start.families)], mask=mask)
