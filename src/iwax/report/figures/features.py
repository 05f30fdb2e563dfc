"""Pictures of rows that are no images: points in the plane, and tables of features as heat maps."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from iwax.report.figures.canvas import (
    FAINT,
    GREY,
    INK,
    MUTED,
    PALETTE,
    Picture,
    drawing,
    legend,
    quiet,
    sheet,
)

__all__ = ["data_and_samples", "equal_axes", "heat_maps", "marker_area", "moved_points", "points"]

Array = np.ndarray

LONGEST_TABLE = 64  # rows a reader can still tell apart


def marker_area(n: int) -> float:
    """The area of a marker in square points: smaller the more there are, so that ten thousand still show a density.

    >>> marker_area(100) > marker_area(10_000) > 1
    True
    """
    return float(np.clip(9000.0 / max(n, 1), 3.0, 24.0))


def equal_axes(axes: Axes, points: Array, names: tuple[str, str]) -> Axes:
    """A square window with equal axes around the points; a few very far out stay outside, and a note counts them."""
    low, high = points.min(axis=0), points.max(axis=0)
    inner = np.quantile(points, (0.005, 0.995), axis=0)
    middle, half = (low + high) / 2.0, float((high - low).max()) / 2.0
    usual = 0.65 * float((inner[1] - inner[0]).max())
    if half > 3.0 * usual > 0.0:
        middle, half = inner.mean(axis=0), usual
        outside = int((np.abs(points - middle) > half).any(axis=1).sum())
        note = f"{outside} point{'s' * (outside > 1)} outside"
        axes.text(0.98, 0.02, note, transform=axes.transAxes, fontsize=9, color=MUTED, ha="right")
    half = 1.06 * half or 1.0
    quiet(axes)
    axes.set(xlim=(middle[0] - half, middle[0] + half), ylim=(middle[1] - half, middle[1] + half))
    axes.set_aspect("equal", adjustable="box")
    axes.set_xlabel(names[0])
    upright = {"rotation": 0, "labelpad": 5, "ha": "right", "va": "center"} if len(names[1]) <= 2 else {}
    axes.set_ylabel(names[1], **upright)
    return axes


def _frame(axes: Axes, sets: tuple[Array, ...], title: str | None) -> Axes:
    """Axes of the plane of the data, the same in each panel."""
    equal_axes(axes, np.concatenate(sets), ("x₁", "x₂"))
    if title:
        axes.set_title(title, fontsize=11, color=INK, loc="left", parse_math=False)
    return axes


@drawing
def points(samples: Array, *, title: str | None) -> Picture:
    """Points in the plane."""
    figure = sheet(height=4.8)
    axes = _frame(figure.subplots(), (samples,), title)
    axes.scatter(*samples.T, s=marker_area(len(samples)), color=PALETTE[0], linewidths=0, alpha=0.8)
    name = title or "Samples"
    return Picture(figure, name, f"{name}: {len(samples)} points in the plane.")


@drawing
def data_and_samples(data: Array, samples: Array) -> Picture:
    """Data on the left, samples on the right over a faint copy of the data; equal axes, the same limits."""
    figure = sheet(5.8, 3.1)
    left, right = figure.subplots(1, 2)
    for axes, title in ((left, "data"), (right, "samples")):
        _frame(axes, (data, samples), title)
    right.set_ylabel("")
    right.tick_params(labelleft=False)
    area = marker_area(max(len(data), len(samples)))
    left.scatter(*data.T, s=area, color=INK, linewidths=0, alpha=0.7)
    right.scatter(*data.T, s=area, color=FAINT, linewidths=0)
    right.scatter(*samples.T, s=area, color=PALETTE[0], linewidths=0, alpha=0.8)
    words = (
        f"Two panels with the same axes: {len(data)} points of the data; {len(samples)} samples over the data in grey."
    )
    return Picture(figure, "Data and samples", words)


@drawing
def moved_points(originals: Array, reconstructions: Mapping[str, Array]) -> Picture:
    """Each point of the data joined by a line to what was made of it, a colour per name."""
    figure = sheet(height=4.8)
    axes = _frame(figure.subplots(), (originals, *reconstructions.values()), None)
    area = marker_area(len(originals))
    drawn = {"data": axes.scatter(*originals.T, s=area, color=INK, linewidths=0, zorder=3)}
    for i, (name, made) in enumerate(reconstructions.items()):
        pairs = np.stack([originals, made], axis=1).astype(np.float64)
        axes.add_collection(LineCollection(list(pairs), colors=GREY, linewidths=0.6))
        drawn[name] = axes.scatter(*made.T, s=area, color=PALETTE[i % len(PALETTE)], linewidths=0, zorder=3)
    legend(figure, drawn)
    names = ", ".join(reconstructions)
    words = f"{len(originals)} points of the data in the plane, each joined by a line to: {names}."
    return Picture(figure, "Reconstructions", words)


def _colours(values: Array) -> tuple[str, float, float]:
    """A colour map and its ends: diverging around zero where both signs matter, else sequential."""
    low, high = (float(v) for v in np.quantile(values.astype(np.float64), (0.01, 0.99)))
    if low < 0.0 < high and min(-low, high) > 0.1 * max(-low, high):
        end = max(-low, high)
        return "RdBu_r", -end, end
    return ("viridis", low, high) if high > low else ("viridis", low - 0.5, high + 0.5)


@drawing
def heat_maps(tables: dict[str, Array], *, title: str) -> Picture:
    """Tables of equal shape side by side, one row of pixels per data point, one column per feature, one colour bar."""
    first = next(iter(tables.values()))
    n, features = first.shape
    shown = min(n, LONGEST_TABLE)
    colours, low, high = _colours(first)
    across = float(np.clip(0.16 * features, 1.8, 5.0))
    figure = sheet(len(tables) * across + 2.2, float(np.clip(0.11 * shown + 1.2, 2.4, 8.0)))
    panels = figure.subplots(1, len(tables), squeeze=False, sharey=True)[0]
    picture = None
    for axes, (name, table) in zip(panels, tables.items(), strict=True):
        quiet(axes)
        for spine in axes.spines.values():
            spine.set_visible(False)
        picture = axes.imshow(table[:shown], cmap=colours, vmin=low, vmax=high, aspect="auto", interpolation="nearest")
        axes.set_title(name, fontsize=11, color=INK, loc="left", parse_math=False)
        axes.set_xlabel("feature")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.yaxis.get_major_locator().set_params(integer=True)
    panels[0].set_ylabel("row")
    if picture is not None:
        bar = figure.colorbar(picture, ax=list(panels), shrink=0.8, aspect=24, pad=0.02, extend="both")
        bar.outline.set_visible(False)
        bar.ax.tick_params(labelsize=9, color=GREY)
    words = f"Heat maps of {', '.join(tables)}: the first {shown} of {n} rows by {features} features, values by colour."
    return Picture(figure, title, words)
