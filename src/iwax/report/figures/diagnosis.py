"""What a diagnosis of a trained model found: convergence in k, signal-to-noise of gradients, KL unit by unit."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from iwax.report.figures.canvas import (
    GREY,
    GROUND,
    INK,
    LINES,
    MUTED,
    PALETTE,
    Picture,
    drawing,
    gridded,
    legend,
    logarithmic,
    number,
    sheet,
)

__all__ = ["convergence", "kl_per_unit", "signal_to_noise"]

Array = np.ndarray
MARKERS = "os^Dv<"
SHOWN = 200  # units of a layer whose bars can still be seen


def _logarithmic(axes: Axes, ks: Sequence[int]) -> None:
    """An axis of k: logarithmic, with whole numbers at the ends and at powers of ten."""
    axes.set_xscale("log")
    few = len(ks) <= 7
    ticks = list(ks) if few else [k for k in ks if str(k).rstrip("0") == "1"]
    axes.set_xticks(ticks)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda k, _: f"{k:,.0f}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("k, importance samples per data point")


@drawing
def convergence(found: Mapping[str, Any], *, levels: Mapping[str, float] | None = None) -> Picture:
    """The expected IWAE bound against k, and below it what each step of k still gains; nats, with their errors.

    ``found`` has lists "k", "bound", "monte_carlo_error", "gain", "gain_error" and "standard_error", and "rows";
    ``levels`` are named heights to compare with. Raises ValueError where the lists differ in length.
    """
    names = ("bound", "monte_carlo_error", "gain", "gain_error")
    ks = np.asarray(found["k"])
    bound, spread, gain, gain_error = (np.array(found[name], dtype=np.float64) for name in names)
    if not len(ks) or any(len(each) != len(ks) for each in (bound, spread, gain, gain_error)):
        raise ValueError(f"a curve needs one value for each of its {len(ks)} k, and at least one")
    figure = sheet(7.0, 5.6)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
    gridded(above).errorbar(ks, bound, yerr=np.nan_to_num(spread), color=LINES[0], **_POINTS, label="bound at k")
    for i, (name, height) in enumerate((levels or {}).items()):
        above.axhline(height, color=GREY, linewidth=1.0, linestyle=("--", ":", "-.")[i % 3], zorder=1)
        above.annotate(
            f"{name} {number(height)}", (ks[0], height), xytext=(0, 3), textcoords="offset points",
            fontsize=9, color=MUTED, va="bottom",
        )  # fmt: skip
    above.set_ylabel("expected bound, nats")
    data_error = float(found["standard_error"][-1] or np.nan)
    words = f"mean over {found['rows']} rows; bars: error over draws"
    if np.isfinite(data_error):
        words += f"\nerror over data ±{data_error:.2f}, common to all k"
    note = above.text(0.985, 0.04, words, transform=above.transAxes, fontsize=9, color=MUTED, ha="right", va="bottom")
    note.set_bbox({"facecolor": GROUND, "edgecolor": "none", "pad": 1.0})
    _gains(gridded(below), ks, gain, gain_error)
    _logarithmic(below, ks.tolist())
    above.tick_params(labelbottom=False)
    ends = (
        f"The expected IWAE bound rises from {number(bound[0])} at k = {ks[0]} to {number(bound[-1])} at k = {ks[-1]}"
    )
    return Picture(figure, "Convergence in k", f"{ends} nats; below, the gain at each step.")


def _gains(axes: Axes, ks: Array, gain: Array, gain_error: Array) -> None:
    """What each k gains on the one before; what is not above zero has no place on a logarithmic axis."""
    shown = gain > 0
    axes.errorbar(ks[shown], gain[shown], yerr=gain_error[shown], color=LINES[1], **_POINTS)
    if shown.any():
        logarithmic(axes, axes.yaxis)
    hidden = int((gain <= 0).sum())
    if hidden:
        words = f"{hidden} of {len(ks) - 1} gains not above zero, and not drawn"
        axes.text(0.985, 0.9, words, transform=axes.transAxes, fontsize=9, color=MUTED, ha="right", va="top")
    axes.set_ylabel("gain on the k before, nats")


_POINTS: dict[str, Any] = {"marker": "o", "markersize": 4, "linewidth": 1.5, "elinewidth": 1.2, "capsize": 2.5}


@drawing
def signal_to_noise(panels: Mapping[str, Sequence[Mapping[str, Any]]], *, note: str = "") -> Picture:
    """The signal-to-noise ratio of gradients against k, a panel for each name; both axes logarithmic.

    A curve has a "name" and lists "k", "rms", "low" and "high" (one standard error down and up). Where a ratio cannot
    be distinguished from zero an arrow points down from its upper end. Raises ValueError where there is no curve.
    """
    if not panels or not all(panels.values()):
        raise ValueError("a picture of signal-to-noise needs a panel, and every panel a curve")
    names = list(dict.fromkeys(curve["name"] for curves in panels.values() for curve in curves))
    across = len(panels) if len(panels) <= 3 else 2
    down = -(-len(panels) // across)
    figure = sheet(0.6 + 4.1 * across, 1.0 + 3.3 * down)
    grid = figure.subplots(down, across, squeeze=False, sharex=False).ravel()
    for axes in grid[len(panels) :]:
        axes.axis("off")
    for axes, (title, curves) in zip(grid, panels.items(), strict=False):
        gridded(axes).set_yscale("log")
        for curve in curves:
            _curve(axes, curve, names.index(curve["name"]))
        _at_least_a_decade(axes)
        logarithmic(axes, axes.yaxis)
        _guides(axes, curves)
        _logarithmic(axes, sorted({k for curve in curves for k in curve["k"]}))
        axes.set_title(title, fontsize=11, color=INK, loc="left")
        axes.set_ylabel("|mean| / sd, root mean square")
    handles, labels = grid[0].get_legend_handles_labels()
    legend(figure, dict(zip(labels, handles, strict=True)), most=2)
    if note:
        figure.supxlabel(note, fontsize=9, color=MUTED)
    ends = "; ".join(
        f"{title}, {curve['name']}: {curve['rms'][0]:.2g} at k = {curve['k'][0]}, "
        f"{curve['rms'][-1]:.2g} at k = {curve['k'][-1]}"
        for title, curves in panels.items()
        for curve in curves
    )
    return Picture(figure, "Signal-to-noise of gradients", f"{ends}.")


def _curve(axes: Axes, curve: Mapping[str, Any], i: int) -> None:
    ks, rms, low, high = (np.array(curve[name], dtype=np.float64) for name in ("k", "rms", "low", "high"))
    style = {"color": LINES[i % len(LINES)], "marker": MARKERS[i % len(MARKERS)]}
    wide = max(1.0, 3.4 - 1.2 * i)  # a curve under another one still shows
    seen = low > 0
    bars = np.stack([rms - low, high - rms])[:, seen]
    shape: dict[str, Any] = {"markersize": 3.4 + 1.2 * wide, "linewidth": wide, "elinewidth": 1.2, "capsize": 2.5}
    axes.errorbar(ks[seen], rms[seen], yerr=bars, label=curve["name"], **style, **shape)
    for k, top in zip(ks[~seen], high[~seen], strict=True):
        if top > 0:
            axes.annotate(
                "", (k, 0.55 * top), xytext=(k, top),
                arrowprops={"arrowstyle": "-|>", "color": style["color"], "linewidth": 1.2},
            )  # fmt: skip
            axes.plot(k, top, marker="_", markersize=9, color=style["color"])
            axes.plot(k, 0.5 * top, alpha=0.0)  # room for the arrow


def _at_least_a_decade(axes: Axes) -> None:
    """A logarithmic axis of a small range would show its noise as large."""
    low, high = axes.get_ylim()
    if high < 10 * low:
        middle = np.sqrt(low * high)
        low, high = middle / np.sqrt(10), middle * np.sqrt(10)
        axes.set_ylim(low, high)


def _guides(axes: Axes, curves: Sequence[Mapping[str, Any]]) -> None:
    """The slopes k^(1/2) and k^(-1/2), faint, through the first point that is seen of the first curve."""
    ks, rms = np.array(curves[0]["k"], dtype=np.float64), np.array(curves[0]["rms"], dtype=np.float64)
    if len(ks) < 2 or not rms[0] > 0:
        return
    limits = axes.get_ylim()
    for power, words in ((0.5, r"$\propto k^{1/2}$"), (-0.5, r"$\propto k^{-1/2}$")):
        line = rms[0] * (ks / ks[0]) ** power
        inside = np.flatnonzero((line >= limits[0]) & (line <= limits[1]))
        if len(inside) < 2:  # nothing to compare a slope with
            continue
        axes.plot(ks, line, color=GREY, linewidth=0.9, linestyle=(0, (1, 2)), zorder=1)
        at = inside[-1]
        place = {"xytext": (4, 0), "textcoords": "offset points", "va": "top" if power > 0 else "bottom"}
        axes.annotate(words, (ks[at], line[at]), fontsize=9, color=MUTED, **place)
    axes.set_ylim(limits)


@drawing
def kl_per_unit(layers: Sequence[Mapping[str, Any]], *, threshold: float) -> Picture:
    """The KL divergence of every latent unit, the largest first, a panel per layer; active units in colour.

    A layer has lists "kl" (nats), "activity", the variance of the posterior means, and perhaps "error" (over data):
    above ``threshold`` a unit is active. A layer with one KL for all of its units is one bar. Raises ValueError where a
    list differs in length.
    """
    figure = sheet(height=0.5 + 2.4 * len(layers))
    panels = figure.subplots(len(layers), 1, squeeze=False)[:, 0]
    words = []
    for i, (axes, layer) in enumerate(zip(panels, layers, strict=True)):
        kl, activity = (np.array(layer[name], dtype=np.float64) for name in ("kl", "activity"))
        error = np.array(layer.get("error", np.full(len(kl), np.nan)), dtype=np.float64)
        if len(kl) == len(error) == 1 < len(activity):
            activity = activity.max(keepdims=True)
        if not len(kl) or not len(kl) == len(error) == len(activity):
            raise ValueError(f"a layer needs an error and an activity for each of its units, got {len(kl)} units")
        _bars(gridded(axes), kl, error, activity > threshold)
        title = f"layer {i + 1} of {len(layers)}: " if len(layers) > 1 else ""
        left = f", the largest {SHOWN} shown" if len(kl) > SHOWN else ""
        units = f"{len(layer['activity'])} units" + (" together" if len(kl) < len(layer["activity"]) else "")
        axes.set_title(f"{title}{number(kl.sum())} nats in {units}{left}", fontsize=10, color=INK, loc="left")
        words.append(f"{int((activity > threshold).sum())} of {len(kl)} units active, {number(kl.sum())} nats together")
    panels[-1].set_xlabel(f"latent unit, by KL; active: Var E[z|x] > {threshold:g}")
    return Picture(figure, "KL per unit", f"{'; '.join(words)}; the largest is first.")


def _bars(axes: Axes, kl: Array, error: Array, active: Array) -> None:
    """A bar per unit, the largest first, with its error where that is known."""
    order = np.argsort(-kl, kind="stable")[:SHOWN]
    place = np.arange(1, len(order) + 1)
    for mine, colour, name in ((active, PALETTE[0], "active"), (~active, GREY, "not active")):
        some, count = mine[order], int(mine.sum())
        if some.any():
            label = f"{name}: {count} unit{'s' * (count != 1)}"
            spread = None if np.isnan(error).all() else error[order][some]
            bars = {"ecolor": INK, "elinewidth": 0.8}
            axes.bar(place[some], kl[order][some], yerr=spread, color=colour, label=label, error_kw=bars)
    axes.set_ylim(bottom=min(0.0, float((kl - np.nan_to_num(error)).min())))
    few = 0.5 * max(0, 8 - len(order))  # bars of a few units are not made wider
    axes.set_xlim(0.2 - few, len(order) + 0.8 + few)
    axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
    if few:
        axes.set_xticks(place)
    axes.set_ylabel("KL, nats")
    axes.legend(frameon=False, fontsize=9, labelcolor=INK)
