"""The course of a training: the bound against the epoch, and under it what explains its shape."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator, ScalarFormatter

from iwax.report.figures.canvas import FAINT, GREY, MUTED, PALETTE, number, plain, quiet, sheet, write

__all__ = ["course", "visible_range"]

Array = np.ndarray
Rows = Sequence[Mapping[str, int | float]]
Curve = tuple[Array, Array]  # epochs, values

_UNDER = (("learning_rate", "learning rate"), ("beta", "β"))


def _curve(rows: Rows, name: str) -> Curve:
    """The finite values of one column and their epochs."""
    kept = [(row["epoch"], row[name]) for row in rows if name in row and row[name] is not None]
    table = np.array(kept, dtype=np.float64).reshape(-1, 2)
    table = table[np.isfinite(table).all(axis=1)]
    return table[:, 0], table[:, 1]


def visible_range(*values: Array) -> tuple[float, float]:
    """Limits of the bound's axis that leave the steep start out, so that it does not squash the rest.

    The lowest tenth of each curve, at most, falls below the axis, and only where it would take more room than the rest.

    >>> visible_range(np.array([-90.0, -89.0]))
    (-90.08, -88.92)
    """
    filled = [v for v in values if len(v)]
    high = max(float(v.max()) for v in filled)
    low = min(float(v.min()) for v in filled)
    if max(len(v) for v in filled) >= 8:
        bulk = min(float(np.quantile(v, 0.1, method="lower")) for v in filled)
        if high - low > 2.0 * (high - bulk):
            low = bulk
    air = 0.08 * (high - low) or 1.0
    return round(low - air, 6), round(high + air, 6)


def _name_ends(axes: Axes, ends: list[tuple[float, float, str, str]]) -> None:
    """Each curve's name at its last point, moved apart where they would overlap."""
    low, high = axes.get_ylim()
    apart = 0.13 * (high - low)  # two lines of words
    ordered = sorted(ends, key=lambda end: -end[1])
    heights = [float(np.clip(end[1], low + 0.5 * apart, high - 0.3 * apart)) for end in ordered]
    if len(heights) == 2 and heights[0] - heights[1] < apart:
        middle = sum(heights) / 2.0
        middle = min(max(middle, low + apart), high - 0.8 * apart)
        heights = [middle + 0.5 * apart, middle - 0.5 * apart]
    edge = max(end[0] for end in ends)
    for (_, _, words, colour), height in zip(ordered, heights, strict=True):
        place = {"xy": (edge, height), "xytext": (8, 0), "textcoords": "offset points"}
        axes.annotate(words, **place, color=colour, fontsize=10, va="center", annotation_clip=False)


def _bounds(axes: Axes, training: Curve, validation: Curve) -> list[str]:
    """Draw the bound on the training and the validation data; what was said of them, in words."""
    ends, words = [], []
    for name, (x, y), colour in (("training", training, PALETTE[0]), ("validation", validation, PALETTE[6])):
        if not len(x):
            continue
        few = len(x) <= 30
        axes.plot(x, y, color=colour, linewidth=1.6, marker="o" if few else None, markersize=3.5)
        label = f"{name} {number(y[-1])}"
        best = int(np.argmax(y))
        if name == "validation" and best < len(y) - 1:
            label += f"\nbest {number(y[best])}, epoch {int(x[best])}"
            axes.plot(x[best], y[best], "o", markersize=8, markerfacecolor="none", markeredgecolor=colour)
        ends.append((float(x[-1]), float(y[-1]), label, colour))
        words.append(f"{name} from {number(y[0])} at epoch {int(x[0])} to {number(y[-1])} at epoch {int(x[-1])}")
    low, high = visible_range(training[1], validation[1])
    axes.set_ylim(low, high)
    _name_ends(axes, ends)
    hidden = int((training[1] < low).sum())
    if hidden:
        note = f"{hidden} early epoch{'s' * (hidden > 1)} below the axis, from {number(float(training[1].min()))}"
        axes.text(0.985, 0.03, note, transform=axes.transAxes, fontsize=9, color=MUTED, ha="right")
    axes.set_ylabel("bound (nats)")
    axes.yaxis.set_major_formatter(ScalarFormatter(useOffset=False))
    axes.grid(axis="y", color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    return words


def _changed(axes: Axes, x: Array, y: Array, label: str) -> None:
    """What was changed while training went on: from 0, or on a logarithmic axis where most of it would lie at the foot.

    A schedule that ends near 0, as a cosine does, is for most of its epochs far from 0, and is shown as it is.
    """
    axes.plot(x, y, color=GREY, linewidth=1.6)
    ends = f"{short(y[0])} to {short(y[-1])}" if y[0] != y[-1] else f"{short(y.min())} to {short(y.max())}"
    axes.set_title(f"{label}, {ends}", fontsize=9.5, color=MUTED, loc="left", pad=3)
    if y.min() > 0.0 and np.median(y) < 0.3 * y.max():
        axes.set_yscale("log")
        axes.margins(y=0.15)
        axes.yaxis.set_major_locator(LogLocator(numticks=4))
        axes.yaxis.set_minor_locator(NullLocator())
    else:
        axes.set_ylim(min(0.0, 1.12 * float(y.min())), 1.12 * float(y.max()))
        axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    axes.grid(axis="y", color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)


def short(value: float) -> str:
    """A number in two figures, with a true minus sign.

    >>> short(0.003), short(1.2345e-6)
    ('0.003', '1.2e−06')
    """
    return f"{value:.2g}".replace("-", "\N{MINUS SIGN}")


@plain
def course(path: str | Path, rows: Rows) -> Path:
    """The bound in nats against the epoch; smaller and grey below it, what else was recorded and changed."""
    training, validation = _curve(rows, "bound"), _curve(rows, "validation")
    if not len(training[0]):
        raise ValueError(f"a training curve needs a row with a finite 'bound': got {len(rows)} rows without one")
    under = [(label, _curve(rows, name)) for name, label in _UNDER]
    under = [(label, (x, y)) for label, (x, y) in under if len(y) > 1 and np.ptp(y) > 1e-9 * np.abs(y).max()]
    figure = sheet(7.4, 4.0 + 1.2 * len(under))
    heights = [4.0, *[1.1] * len(under)]
    panels = figure.subplots(1 + len(under), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    words = _bounds(quiet(panels[0]), training, validation)
    for axes, (label, (x, y)) in zip(panels[1:], under, strict=True):
        _changed(quiet(axes), x, y, label)
    panels[-1].set_xlabel("epoch")
    panels[-1].xaxis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    if len(training[0]) == 1:
        panels[-1].set_xlim(training[0][0] - 0.5, training[0][0] + 0.5)
    return write(path, figure, title="Training", description=f"The bound in nats: {'; '.join(words)}.")
