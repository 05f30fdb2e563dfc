"""Histograms: of one series filled, of several as outlines over each other."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, ScalarFormatter

from iwax.report.figures.canvas import INK, LINES, MUTED, Picture, drawing, gridded, legend, logarithmic, sheet

__all__ = ["Mark", "bin_edges", "histogram", "outlines", "whole_bins"]

Array = np.ndarray


class Mark(NamedTuple):
    """A value worth a line of its own."""

    value: float
    name: str


def whole_bins(low: float, high: float, most: int) -> Array:
    """Edges halfway between whole numbers, as many of them in each of at most ``most`` bins: none looks empty or full.

    >>> whole_bins(1, 5, 24).tolist(), whole_bins(0, 5, 3).tolist()
    ([0.5, 1.5, 2.5, 3.5, 4.5, 5.5], [-0.5, 1.5, 3.5, 5.5])
    """
    count = math.floor(high) - math.floor(low) + 1
    width = math.ceil(count / most)
    return math.floor(low) - 0.5 + width * np.arange(math.ceil(count / width) + 1)


def bin_edges(low: float, high: float, bins: int, *, logarithmic: bool = False, whole: bool = False) -> Array:
    """Edges of bins of one width, or of one ratio, from the least value to the largest.

    >>> bin_edges(1.0, 100.0, 2, logarithmic=True).tolist()
    [1.0, 10.0, 100.0]
    """
    if whole:
        return whole_bins(low, high, bins)
    if low == high:
        low, high = (low / 2, high * 2) if logarithmic else (low - 0.5, high + 0.5)
    edges = np.geomspace(low, high, bins + 1) if logarithmic else np.linspace(low, high, bins + 1)
    edges[0], edges[-1] = low, high
    return edges


def outlines(axes: Axes, series: Mapping[str, Array], edges: Array) -> dict[str, Any]:
    """Draw the share of each series in each bin, in per cent, and return what was drawn by name."""
    drawn = {}
    for i, (name, values) in enumerate(series.items()):
        shares = 100 * np.histogram(values, edges)[0] / max(1, len(values))
        style: dict[str, Any] = {"linewidth": 1.4} if len(series) > 1 else {"fill": True, "alpha": 0.6}
        dash = ("-", "--", ":", "-.")[i // len(LINES) % 4]
        drawn[name] = axes.stairs(shares, edges, color=LINES[i % len(LINES)], linestyle=dash, **style)
    axes.set_ylim(bottom=0)
    return drawn


def _marked(axes: Axes, mark: Mark) -> None:
    """A dashed line with its name on the side where there is room."""
    axes.axvline(mark.value, color=INK, linewidth=1.0, linestyle=(0, (3, 2)))
    place = axes.transLimits.transform(axes.transScale.transform((mark.value, 0)))[0]
    side = {"xytext": (4, -2), "ha": "left"} if place < 0.5 else {"xytext": (-4, -2), "ha": "right"}
    axes.annotate(
        mark.name, (mark.value, 1.0), xycoords=axes.get_xaxis_transform(), textcoords="offset points", va="top",
        fontsize=9, color=MUTED, **side,
    )  # fmt: skip


@drawing
def histogram(
    series: Mapping[str, Array],
    *,
    name: str,
    description: str,
    mark: Mark | None = None,
    on_log_axis: bool = False,
    bins: int = 40,
    of: str = "rows",
) -> Picture:
    """Draw which share of the values lies where, of what is finite and, on a logarithmic axis, above zero.

    Raises ValueError where there is no such value.
    """
    shown = {title: v[np.isfinite(v) & (v > 0 if on_log_axis else True)] for title, v in series.items()}
    shown = {title: values for title, values in shown.items() if len(values)}
    if not shown:
        raise ValueError(f"a histogram needs a finite value{' above zero' * on_log_axis}: got none")
    every = np.concatenate([*shown.values(), [mark.value] if mark else []])
    edges = bin_edges(float(every.min()), float(every.max()), bins, logarithmic=on_log_axis)
    figure = sheet()
    axes = gridded(figure.subplots())
    drawn = outlines(axes, shown, edges)
    axes.set_xlim(edges[0], edges[-1])
    if on_log_axis:
        logarithmic(axes, axes.xaxis)
    else:
        axes.xaxis.set_major_formatter(ScalarFormatter(useOffset=False))
        axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.set(xlabel=name, ylabel=f"% of {of}")
    axes.margins(y=0.12)
    if mark:
        axes.set_ylim(top=1.14 * axes.get_ylim()[1])
        _marked(axes, mark)
    if len(shown) > 1:
        legend(figure, drawn, most=2)
    return Picture(figure, name, description)
