"""Tables of columns of different kinds: how the encoder reads them, their likelihoods, and where these start."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from iwax import likelihoods, nn
from iwax.data import Column
from iwax.likelihoods import ColumnKind
from iwax.numerics import output_of_scale

__all__ = ["TableStart", "coding", "kinds", "likelihood", "output_bias", "table_start"]

_LIKELIHOODS = {
    "continuous": "gaussian",
    "positive": "lognormal",
    "nonnegative": "zero_inflated_lognormal",
    "count": "negative_binomial",
    "integer": "integer_logistic",
    "nonnegative_integer": "nonnegative_integer_logistic",
    "binary": "bernoulli",
}
_OUTPUTS = {"binary": 1, "nonnegative": 3}  # numbers that the network gives of a column; two of other numbers
_READINGS = {
    "continuous": "linear",
    "positive": "log",
    "nonnegative": "log_or_zero",
    "count": "log1p",
    "integer": "linear",
    "nonnegative_integer": "linear",
    "binary": "linear",
}
_LEAST = 1e-3  # the least share of a class, mean count and spread that a model starts at: no log of 0
_LOGISTIC = 3**0.5 / np.pi  # the scale of a logistic variable of standard deviation 1


class TableStart(NamedTuple):
    """What the training rows say of each column: ``loc`` and ``scale`` of x as the likelihood takes it, and of x as
    the encoder reads it, and the numbers at which its likelihood starts."""

    columns: tuple[Column, ...]
    loc: Float[np.ndarray, " columns"]
    scale: Float[np.ndarray, " columns"]
    read_loc: Float[np.ndarray, " columns"]
    read_scale: Float[np.ndarray, " columns"]
    outputs: tuple[tuple[float, ...], ...]


class _Start(NamedTuple):
    """The same of one column."""

    loc: float
    scale: float
    read_loc: float
    read_scale: float
    outputs: tuple[float, ...]


def table_start(
    columns: Sequence[Column],
    rows: Float[np.ndarray, "rows columns"] | None,
    *,
    floor: float = 0.0,
    source: str = "the table",
) -> TableStart:
    """From the observed cells of the training rows; without rows, numbers that stand for what will be read in.

    ``floor`` is that of the likelihood's scales. Raises ValueError, naming ``source`` and the column, where all its
    cells are alike: nothing can be learned of it.

    >>> start = table_start([Column("a", "continuous")], np.array([[1.0], [3.0], [np.nan]]))
    >>> start.loc.tolist(), start.scale.tolist()
    ([2.0], [1.0])
    """
    cells = (None if rows is None else rows[:, j].astype(np.float64) for j in range(len(columns)))
    found = [_column(column, each, floor, source) for column, each in zip(columns, cells, strict=True)]
    loc, scale, read_loc, read_scale = np.array([each[:4] for each in found]).T
    return TableStart(tuple(columns), loc, scale, read_loc, read_scale, tuple(each.outputs for each in found))


def _column(column: Column, cells: np.ndarray | None, floor: float, source: str) -> _Start:
    if cells is None:
        size = len(column.levels) if column.kind == "categorical" else _OUTPUTS.get(column.kind, 2)
        return _Start(0.0, 1.0, 0.0, 1.0, (0.0,) * size)
    seen = cells[~np.isnan(cells)]
    if seen.size == 0 or (seen == seen[0]).all():
        got = "no observed value" if seen.size == 0 else f"{seen[0]:g} in every row"
        raise ValueError(
            f"{source}: column {column.name!r} needed different values in the training rows, got {got}; leave it out "
            f"(--kind {column.name}=drop)"
        )
    return _of_levels(column, seen) if column.levels else _of_numbers(column, seen, floor)


def _of_levels(column: Column, seen: np.ndarray) -> _Start:
    if column.kind == "binary":
        share = _share(seen)
        return _Start(0.0, 1.0, share, float(np.sqrt(share * (1 - share))), (_logit(share),))
    shares = np.maximum(np.bincount(seen.astype(int), minlength=len(column.levels)) / seen.size, _LEAST)
    return _Start(0.0, 1.0, 0.0, 1.0, tuple(np.log(shares).tolist()))


def _of_numbers(column: Column, seen: np.ndarray, floor: float) -> _Start:
    if column.kind == "count":
        logs, mean = np.log1p(seen), max(seen.mean(), _LEAST)
        excess = max(seen.var() - mean, _LEAST * mean)
        return _Start(0.0, 1.0, logs.mean(), logs.std(), (float(np.log(mean)), float(np.log(mean**2 / excess))))
    if column.kind in ("positive", "nonnegative"):
        logs = np.log(seen[seen > 0])
        centre, spread = float(logs.mean()), max(float(logs.std()), _LEAST)
        scale = _output(spread, floor)
        if column.kind == "positive":
            return _Start(0.0, float(np.exp(centre)), centre, spread, (0.0, scale))
        return _Start(0.0, 1.0, centre, spread, (centre, scale, _logit(_share(seen == 0))))
    loc, scale = float(seen.mean()), float(seen.std())
    if column.whole:  # the likelihood has them as its own units, for what is shifted and scaled is whole no more
        return _Start(0.0, 1.0, loc, scale, (0.0, _output(_LOGISTIC, floor)))
    return _Start(loc, scale, loc, scale, (0.0, _output(1.0, floor)))


def _share(marks: np.ndarray) -> float:
    return float(np.clip(marks.mean(), _LEAST, 1 - _LEAST))


def _logit(share: float) -> float:
    return float(np.log(share / (1 - share)))


def _output(scale: float, floor: float) -> float:
    """What the network gives at first of a scale: it, or, where it is no further than that above the floor, twice that.

    >>> round(_output(1.0, 0.0), 6), _output(1e-4, 1e-3) == _output(2e-3, 1e-3)
    (0.0, True)
    """
    return output_of_scale(max(float(scale), 2 * floor), floor)


def kinds(columns: Sequence[Column]) -> list[ColumnKind]:
    """The likelihood of every column, as `likelihoods.Columns` names it.

    >>> kinds([Column("a", "positive"), Column("b", "categorical", ("x", "y", "z"))])
    ['lognormal', ('categorical', 3)]
    """
    return [
        ("categorical", len(column.levels)) if column.kind == "categorical" else _LIKELIHOODS[column.kind]
        for column in columns
    ]


def likelihood(start: TableStart, *, floor: float) -> likelihoods.Columns:
    """p(x|z) of every column, without its network; whole numbers have the training rows' mean and spread as units."""
    blank = likelihoods.Columns.of_kinds(None, kinds(start.columns), floor=floor)
    groups = tuple(
        likelihoods.IntegerLogistic(
            None,
            centre=start.read_loc[list(columns)],
            unit=start.read_scale[list(columns)],
            lower=group.lower,
            floor=floor,
        )
        if isinstance(group, likelihoods.IntegerLogistic)
        else group
        for columns, group in zip(blank.columns, blank.groups, strict=True)
    )
    return likelihoods.Columns(None, blank.columns, groups)


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
