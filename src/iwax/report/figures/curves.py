"""Training curves: the bound against the epoch, and under it what explains its shape."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, ScalarFormatter

from iwax.report.figures.canvas import (
    GREY,
    LINES,
    MUTED,
    Picture,
    drawing,
    gridded,
    legend,
    logarithmic,
    number,
    sheet,
)

__all__ = ["curve", "training", "trainings", "visible_range"]

Array = np.ndarray
Rows = Sequence[Mapping[str, Any]]
Curve = tuple[Array, Array]  # epochs, values

_UNDER = (("learning_rate", "learning rate"), ("beta", "β"))
DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))


def curve(rows: Rows, name: str) -> Curve:
    """The epochs and the values of one column of the records, where they are finite."""
    found = [(row["epoch"], row[name]) for row in rows if row.get(name) is not None and "epoch" in row]
    table = np.array(found, dtype=np.float64).reshape(-1, 2)
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


def _bounds(axes: Axes, curves: Mapping[str, Curve]) -> dict[str, Any]:
    """Draw the bounds by name, as many as there are; return the lines by name."""
    lines = {}
    for i, (name, (x, y)) in enumerate(curves.items()):
        dash = DASHES[i // len(LINES) % len(DASHES)]
        marker = "o" if len(x) <= 30 else None
        (lines[name],) = axes.plot(
            x, y, color=LINES[i % len(LINES)], linewidth=1.6, linestyle=dash, marker=marker, markersize=3
        )
    low, high = visible_range(*(y for _, y in curves.values()))
    axes.set_ylim(low, high)
    hidden = sum(int((y < low).sum()) for _, y in curves.values())
    if hidden:
        least = number(min(float(y.min()) for _, y in curves.values()))
        note = f"{hidden} early epoch{'s' * (hidden > 1)} below the axis, from {least}"
        axes.text(0.985, 0.03, note, transform=axes.transAxes, fontsize=8.5, color=MUTED, ha="right")
    axes.set_ylabel("bound, nats")
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(ScalarFormatter(useOffset=False))
    return lines


def _epochs(axes: Axes, curves: Mapping[str, Curve]) -> None:
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    first = np.concatenate([x for x, _ in curves.values()])
    if first.min() == first.max():
        axes.set_xlim(first[0] - 0.5, first[0] + 0.5)


def _changed(axes: Axes, x: Array, y: Array, label: str) -> None:
    """What was changed while training went on: from 0, or on a logarithmic axis where most of it would lie at the foot.

    A schedule that ends near 0, as a cosine does, is for most of its epochs far from 0, and is shown as it is.
    """
    axes.plot(x, y, color=GREY, linewidth=1.6)
    ends = (y[0], y[-1]) if y[0] != y[-1] else (y.min(), y.max())
    axes.set_title(f"{label}, {rounded(ends[0])} to {rounded(ends[1])}", fontsize=9, color=MUTED, loc="left", pad=3)
    if y.min() > 0.0 and np.median(y) < 0.3 * y.max():
        axes.margins(y=0.15)
        logarithmic(axes, axes.yaxis)
    else:
        axes.set_ylim(min(0.0, 1.12 * float(y.min())), 1.12 * float(y.max()))
        axes.yaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: rounded(value)))


def rounded(value: float) -> str:
    """A number in two figures, with a true minus sign.

    >>> rounded(0.003), rounded(1.2345e-6)
    ('0.003', '1.2e−06')
    """
    return f"{value:.2g}".replace("-", "\N{MINUS SIGN}")


@drawing
def training(rows: Rows) -> Picture:
    """Draw the bound in nats against the epoch, from rows with "epoch", "bound" and perhaps "validation".

    Below it stand "learning_rate" and "beta" where they changed. The steep start may fall below the axis; a note
    counts it. Raises ValueError where no row has a finite bound.
    """
    found = {name: curve(rows, key) for name, key in (("training", "bound"), ("validation", "validation"))}
    if not len(found["training"][0]):
        raise ValueError(f"a training curve needs a row with a finite 'bound': got {len(rows)} rows without one")
    found = {name: (x, y) for name, (x, y) in found.items() if len(x)}
    under = [(label, curve(rows, name)) for name, label in _UNDER]
    under = [(label, (x, y)) for label, (x, y) in under if len(y) > 1 and np.ptp(y) > 1e-9 * np.abs(y).max()]
    figure = sheet(height=2.9 + 0.9 * len(under))
    heights = [2.9, *[0.7] * len(under)]
    panels = figure.subplots(1 + len(under), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    lines = _bounds(gridded(panels[0]), found)
    named = {f"{name} {number(y[-1])}": lines[name] for name, (_, y) in found.items()}
    x, y = found.get("validation", (np.empty(0), np.empty(0)))
    if len(y) and (best := int(np.argmax(y))) < len(y) - 1:
        ring = panels[0].plot(x[best], y[best], "o", markersize=8, markerfacecolor="none", markeredgecolor=LINES[1])[0]
        named[f"best {number(y[best])}, epoch {int(x[best])}"] = ring
    legend(figure, named)
    for axes, (label, (x, y)) in zip(panels[1:], under, strict=True):
        _changed(gridded(axes), x, y, label)
    _epochs(panels[-1], found)
    words = "; ".join(
        f"{name} from {number(y[0])} at epoch {int(x[0])} to {number(y[-1])} at epoch {int(x[-1])}"
        for name, (x, y) in found.items()
    )
    return Picture(figure, "Training", f"The bound in nats: {words}.")


@drawing
def trainings(runs: Mapping[str, Rows]) -> Picture | None:
    """Draw the bounds of several runs by name: on the validation data if all have it, else on the training data."""
    validated = all(len(curve(rows, "validation")[0]) for rows in runs.values())
    found = {name: curve(rows, "validation" if validated else "bound") for name, rows in runs.items()}
    found = {name: (x, y) for name, (x, y) in found.items() if len(x)}
    if not found:
        return None
    figure = sheet()
    axes = gridded(figure.subplots())
    legend(figure, _bounds(axes, found), most=2)
    _epochs(axes, found)
    ends = "; ".join(f"{name} {number(y[0])} to {number(y[-1])}" for name, (_, y) in found.items())
    kind = "validation" if validated else "training"
    return Picture(figure, "Training", f"The bound of each run on the {kind} data, nats: {ends}.")
