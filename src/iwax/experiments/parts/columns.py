"""Tables of columns of different kinds: how the encoder reads them, their likelihoods, and where these start."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from iwax import likelihoods, nn
from iwax.data import Column
from iwax.likelihoods import ColumnKind

__all__ = ["TableStart", "coding", "kinds", "output_bias", "table_start"]

_LIKELIHOODS = {
    "continuous": "gaussian",
    "positive": "lognormal",
    "count": "negative_binomial",
    "binary": "bernoulli",
}
_READINGS = {"continuous": "linear", "positive": "log", "count": "log1p", "binary": "linear"}
_LEAST = 1e-3  # the least share of a class, and the least mean count, that a model starts at: no log of 0


class TableStart(NamedTuple):
    """What the training rows say of each column: ``loc`` and ``scale`` of x as the likelihood takes it, and of x as
    the encoder reads it, and the numbers at which its likelihood starts."""

    columns: tuple[Column, ...]
    loc: Float[np.ndarray, " columns"]
    scale: Float[np.ndarray, " columns"]
    read_loc: Float[np.ndarray, " columns"]
    read_scale: Float[np.ndarray, " columns"]
    outputs: tuple[tuple[float, ...], ...]


def table_start(columns: Sequence[Column], rows: Float[np.ndarray, "rows columns"] | None) -> TableStart:
    """From the observed cells of the training rows; without rows, numbers that stand for what will be read in.

    Raises ValueError, naming the column, where all its cells are alike: nothing can be learned of it.

    >>> start = table_start([Column("a", "continuous")], np.array([[1.0], [3.0], [np.nan]]))
    >>> start.loc.tolist(), start.scale.tolist()
    ([2.0], [1.0])
    """
    found = [_column(c, None if rows is None else rows[:, j].astype(np.float64)) for j, c in enumerate(columns)]
    units = np.array([each[:4] for each in found])
    loc, scale, read_loc, read_scale = units.T
    return TableStart(tuple(columns), loc, scale, read_loc, read_scale, tuple(each[4] for each in found))


def _column(column: Column, cells: np.ndarray | None) -> tuple[float, float, float, float, tuple[float, ...]]:
    classes = len(column.levels)
    if cells is None:
        return 0.0, 1.0, 0.0, 1.0, (0.0,) * (classes if column.kind == "categorical" else 1 + (column.kind != "binary"))
    seen = cells[~np.isnan(cells)]
    if seen.size == 0 or (seen == seen[0]).all():
        got = "no observed value" if seen.size == 0 else f"{seen[0]:g} in every row"
        raise ValueError(
            f"column {column.name!r}: needed different values in the training rows, got {got}; leave the column out "
            f"(--kind {column.name}=drop)"
        )
    if column.kind == "continuous":
        loc, scale = seen.mean(), seen.std()
        return loc, scale, loc, scale, (0.0, 0.0)
    if column.kind == "positive":
        logs = np.log(seen)
        return 0.0, float(np.exp(logs.mean())), logs.mean(), logs.std(), (0.0, float(np.log(logs.std())))
    if column.kind == "count":
        logs, mean = np.log1p(seen), max(seen.mean(), _LEAST)
        excess = max(seen.var() - mean, _LEAST * mean)
        return 0.0, 1.0, logs.mean(), logs.std(), (float(np.log(mean)), float(np.log(mean**2 / excess)))
    if column.kind == "binary":
        share = float(np.clip(seen.mean(), _LEAST, 1 - _LEAST))
        return 0.0, 1.0, share, float(np.sqrt(share * (1 - share))), (float(np.log(share / (1 - share))),)
    shares = np.maximum(np.bincount(seen.astype(int), minlength=classes) / seen.size, _LEAST)
    return 0.0, 1.0, 0.0, 1.0, tuple(np.log(shares).tolist())


def kinds(columns: Sequence[Column]) -> list[ColumnKind]:
    """The likelihood of every column, as `likelihoods.Columns` names it.

    >>> kinds([Column("a", "positive"), Column("b", "categorical", ("x", "y", "z"))])
    ['lognormal', ('categorical', 3)]
    """
    return [
        ("categorical", len(column.levels)) if column.kind == "categorical" else _LIKELIHOODS[column.kind]
        for column in columns
    ]


def output_bias(start: TableStart, likelihood: likelihoods.Columns) -> np.ndarray:
    """The outputs at which every column has its own distribution over the training rows, in the network's order."""
    blocks: list[Any] = []
    for group in likelihood.columns:
        blocks += np.array([start.outputs[column] for column in group]).T.tolist()
    return np.concatenate([np.asarray(block, float) for block in blocks])


def coding(start: TableStart, *, mask: bool) -> nn.Coding:
    """How the encoder reads a row."""
    readings = [
        ("classes", len(column.levels)) if column.kind == "categorical" else _READINGS[column.kind]
        for column in start.columns
    ]
    return nn.Coding(start.read_loc, start.read_scale, readings, mask=mask)  # pyright: ignore[reportArgumentType]
