"""Tables: the values of every column, of data and of draws, side by side."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from iwax.data import Column
from iwax.report.figures.bins import whole_bins
from iwax.report.figures.canvas import MUTED, PALETTE, plain, quiet, sheet, write

__all__ = ["marginals"]

MOST_PANELS = 24  # that can be looked at
_ACROSS, _BINS, _SHOWN, _LETTERS = 4, 24, 12, 14
_DECADES = 30.0  # largest over smallest value beyond which an axis names powers of ten alone


@plain
def marginals(path: str | Path, columns: Sequence[Column], data: np.ndarray, draws: np.ndarray) -> Path:
    """A panel a column: histograms, or the shares of levels, of data [n, D] (NaN where missing) and of draws [m, D].

    What lies outside the range of the data is counted into the outermost bins. Of more than 24 columns those are drawn
    that stand first in the table, and a line says so.
    """
    shown = columns[:MOST_PANELS]
    rows = -(-len(shown) // _ACROSS)
    figure = sheet(9.0, 1.9 * rows + 0.4)
    panels = np.atleast_1d(figure.subplots(rows, min(_ACROSS, len(shown)))).ravel()
    for panel, column, j in zip(panels, shown, range(len(shown)), strict=False):
        seen, drawn = data[:, j][~np.isnan(data[:, j])], draws[:, j]
        (_levels if column.levels else _numbers)(quiet(panel), column, seen, drawn)
        panel.set_title(_short(column.name), fontsize=8)
        panel.set_yticks([])
    for panel in panels[len(shown) :]:
        panel.set_visible(False)
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper right", ncols=2, frameon=False, fontsize=8)
    which = f"{len(shown)} columns"
    if len(shown) < len(columns):
        which = f"the first {len(shown)} of {len(columns):,} columns"
        figure.text(0.01, 0.995, which.capitalize(), fontsize=8, color=MUTED, ha="left", va="top")
    words = f"Histograms of {which}: {len(data)} test rows beside {len(draws)} draws from the model."
    return write(path, figure, title="Columns of test rows and of draws", description=words)


def _numbers(panel: Axes, column: Column, seen: np.ndarray, drawn: np.ndarray) -> None:
    low, high = (float(seen.min()), float(seen.max())) if seen.size else (0.0, 1.0)
    high = high if high > low else low + 1.0
    if column.kind == "positive":
        edges = np.geomspace(low, high, _BINS + 1)
        panel.set_xscale("log")
        panel.xaxis.set_major_locator(LogLocator(subs=(1.0,) if high > _DECADES * low else (1.0, 2.0, 5.0)))
        panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        panel.xaxis.set_minor_formatter(NullFormatter())
    else:
        edges = whole_bins(low, high, _BINS) if column.whole else np.linspace(low, high, _BINS + 1)
        panel.xaxis.set_major_locator(MaxNLocator(4, integer=column.whole))
    for values, color, name in ((seen, PALETTE[0], "test rows"), (drawn, PALETTE[1], "draws")):
        counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
        panel.stairs(counts / max(1, values.size), edges, color=color, linewidth=1.2, label=name)


def _levels(panel: Axes, column: Column, seen: np.ndarray, drawn: np.ndarray) -> None:
    count = len(column.levels)
    for values, color, name, shift in ((seen, PALETTE[0], "test rows", -0.2), (drawn, PALETTE[1], "draws", 0.2)):
        shares = np.bincount(values.astype(int), minlength=count) / max(1, values.size)
        panel.bar(np.arange(count) + shift, shares, width=0.4, color=color, label=name)
    shown = np.arange(0, count, -(-count // _SHOWN))
    panel.set_xticks(shown, [_short(column.levels[i]) for i in shown], rotation=30, fontsize=6, ha="right")


def _short(text: str) -> str:
    """The first letters of a name."""
    return text if len(text) <= 2 * _LETTERS else f"{text[: 2 * _LETTERS - 1]}…"
