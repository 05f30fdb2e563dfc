"""Tables: the values of every column, of data and of draws, side by side."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from iwax.data import Column
from iwax.report.figures.canvas import (
    LINES,
    MUTED,
    Picture,
    drawing,
    legend,
    logarithmic,
    quiet,
    sheet,
    shortened,
)
from iwax.report.figures.histograms import bin_edges, outlines

__all__ = ["marginal", "marginals"]

Array = np.ndarray
MOST_PANELS = 24  # that can be looked at
_ACROSS, _BINS, _SHOWN = 4, 24, 12


@drawing
def marginals(columns: Sequence[Column], data: Array, draws: Array) -> Picture:
    """Draw a panel per column: histograms, or shares of levels, of data [n, D] (NaN where missing) and draws [m, D].

    What lies outside the range of the data is counted into the outermost bins. Of more than 24 columns those are drawn
    that stand first in the table, and a line says so.
    """
    shown = columns[:MOST_PANELS]
    rows = -(-len(shown) // _ACROSS)
    figure = sheet(9.0, 1.9 * rows + 0.2)
    panels = np.atleast_1d(figure.subplots(rows, min(_ACROSS, len(shown)))).ravel()
    drawn: dict[str, Any] = {}
    for panel, column, seen, made in zip(panels, shown, data.T, draws.T, strict=False):
        drawn = _column(panel, column, {"test rows": seen, "draws": made}, letters=7)
        panel.set_title(shortened(column.name, 28), fontsize=8, parse_math=False)
    for panel in panels[len(shown) :]:
        panel.set_visible(False)
    legend(figure, drawn)
    which = f"{len(shown)} columns"
    if len(shown) < len(columns):
        which = f"the first {len(shown)} of {len(columns):,} columns"
        figure.text(0.99, 0.995, which.capitalize(), fontsize=8, color=MUTED, ha="right", va="top")
    words = f"Histograms of {which}: {len(data)} test rows next to {len(draws)} draws from the model."
    return Picture(figure, "Columns of test rows and of draws", words)


@drawing
def marginal(column: Column, series: dict[str, Array]) -> Picture:
    """Draw one column of several tables, each by its name, as `marginals` does."""
    figure = sheet(3.4, 1.9)
    axes = figure.subplots()
    legend(figure, _column(axes, column, series, letters=9))
    axes.set_xlabel(shortened(column.name, 50), parse_math=False)
    counts = ", ".join(f"{len(values):,} {name}" for name, values in series.items())
    return Picture(figure, column.name, f"Histograms of {column.name}: {counts}.")


def _column(axes: Axes, column: Column, series: dict[str, Array], *, letters: int) -> dict[str, Any]:
    quiet(axes).tick_params(labelsize=letters)
    axes.set_yticks([])
    series = {name: values[~np.isnan(values)].astype(np.float64) for name, values in series.items()}
    return _levels(axes, column, series, letters) if column.levels else _numbers(axes, column, series)


def _numbers(axes: Axes, column: Column, series: dict[str, Array]) -> dict[str, Any]:
    """Histograms over the range of the first series."""
    seen = next(iter(series.values()))
    low, high = (float(seen.min()), float(seen.max())) if seen.size else (0.0, 1.0)
    high = high if high > low else low + 1.0
    positive = column.kind == "positive" and low > 0
    bins = min(_BINS, math.ceil(2 * max(1, seen.size) ** (1 / 3)))  # few rows fill few bins: the Rice rule
    edges = bin_edges(low, high, bins, logarithmic=positive, whole=column.whole)
    drawn = outlines(axes, {name: np.clip(each, edges[0], edges[-1]) for name, each in series.items()}, edges)
    axes.set_xlim(edges[0], edges[-1])
    if positive:
        logarithmic(axes, axes.xaxis)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=column.whole))
    return drawn


def _levels(axes: Axes, column: Column, series: dict[str, Array], letters: int) -> dict[str, Any]:
    """The share of each level, side by side."""
    count, drawn, wide = len(column.levels), {}, 0.8 / len(series)
    for i, (name, values) in enumerate(series.items()):
        shares = np.bincount(values.astype(int), minlength=count) / max(1, values.size)
        places = np.arange(count) + wide * (i - (len(series) - 1) / 2)
        drawn[name] = axes.bar(places, shares, width=wide, color=LINES[i % len(LINES)])
    shown = np.arange(0, count, -(-count // _SHOWN))
    names = [shortened(column.levels[i], 28 if count < 4 else 14) for i in shown]
    turn = {"rotation": 30, "ha": "right"} if count > 3 or max(map(len, names)) > 12 else {}
    for text in axes.set_xticks(shown, names, fontsize=letters - 1, **turn):
        text.label1.set_parse_math(False)
    return drawn
