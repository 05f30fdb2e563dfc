"""What a diagnosis of a trained model found: convergence in k, signal-to-noise of gradients, KL unit by unit."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from iwax.report.figures.canvas import FAINT, GREY, INK, MUTED, PALETTE, number, plain, quiet, sheet, write

__all__ = ["convergence", "kl_per_unit", "signal_to_noise"]

Array = np.ndarray
COLOURS = (PALETTE[0], PALETTE[6], PALETTE[4], PALETTE[2], PALETTE[5], PALETTE[8])
MARKERS = "os^Dv<"
SHOWN = 200  # units of a layer that a bar each can still be seen for


def _logarithmic(axes: Axes, ks: Sequence[int]) -> None:
    """An axis of k: logarithmic, with whole numbers at the ends and at powers of ten."""
    axes.set_xscale("log")
    few = len(ks) <= 7
    ticks = list(ks) if few else [k for k in ks if str(k).rstrip("0") == "1"]
    axes.set_xticks(ticks)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda k, _: f"{k:,.0f}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("k, importance samples a datum")


def _plain(value: float, place: int | None = None) -> str:
    """A number on a logarithmic axis, without an exponent where that is short."""
    return f"{value:g}" if 1e-3 <= value < 1e5 else f"{value:.0e}"


@plain
def convergence(path: str | Path, found: Mapping[str, Any], *, levels: Mapping[str, float] | None = None) -> Path:
    """The expected IWAE bound against k, and below it what each step of k still gains; nats, with their errors.

    ``found`` has lists "k", "bound", "monte_carlo_error", "gain", "gain_error" and "standard_error", and "rows";
    ``levels`` are named heights to compare with. Raises ValueError where the lists differ in length, and OSError.
    """
    names = ("bound", "monte_carlo_error", "gain", "gain_error")
    ks = np.asarray(found["k"])
    bound, spread, gain, gain_error = (np.array(found[name], dtype=np.float64) for name in names)
    if not len(ks) or any(len(each) != len(ks) for each in (bound, spread, gain, gain_error)):
        raise ValueError(f"a curve needs one value for each of its {len(ks)} k, and at least one")
    figure = sheet(7.0, 5.6)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
    quiet(above).errorbar(ks, bound, yerr=np.nan_to_num(spread), color=COLOURS[0], **_POINTS, label="bound at k")
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
    said = above.text(0.985, 0.04, words, transform=above.transAxes, fontsize=9, color=MUTED, ha="right", va="bottom")
    said.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1.0})
    _gains(quiet(below), ks, gain, gain_error)
    for axes in (above, below):
        axes.grid(axis="y", color=FAINT, linewidth=0.6)
        axes.set_axisbelow(True)
    _logarithmic(below, ks.tolist())
    above.tick_params(labelbottom=False)
    said = (
        f"The expected IWAE bound rises from {number(bound[0])} at k = {ks[0]} to {number(bound[-1])} at k = {ks[-1]}"
    )
    return write(path, figure, title="Convergence in k", description=f"{said} nats; below, the gain at each step.")


def _gains(axes: Axes, ks: Array, gain: Array, gain_error: Array) -> None:
    """What each k gains on the one before; what is not above zero has no place on a logarithmic axis."""
    shown = gain > 0
    axes.errorbar(ks[shown], gain[shown], yerr=gain_error[shown], color=COLOURS[1], **_POINTS)
    if shown.any():
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(_plain))
        axes.yaxis.set_minor_formatter(NullFormatter())
    hidden = int((gain <= 0).sum())
    if hidden:
        words = f"{hidden} of {len(ks) - 1} gains not above zero, and not drawn"
        axes.text(0.985, 0.9, words, transform=axes.transAxes, fontsize=9, color=MUTED, ha="right", va="top")
    axes.set_ylabel("gain on the k before, nats")


_POINTS: dict[str, Any] = {"marker": "o", "markersize": 4, "linewidth": 1.5, "elinewidth": 1.2, "capsize": 2.5}


@plain
def signal_to_noise(path: str | Path, panels: Mapping[str, Sequence[Mapping[str, Any]]], *, note: str = "") -> Path:
    """The signal-to-noise ratio of gradients against k, a panel for each name; both axes logarithmic.

    A curve has a "name" and lists "k", "rms", "low" and "high" (one standard error down and up). Where a ratio cannot
    be told from zero an arrow points down from its upper end. Raises ValueError where there is no curve, and OSError.
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
        quiet(axes)
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(_plain))
        for curve in curves:
            _curve(axes, curve, names.index(curve["name"]))
        _at_least_a_decade(axes)
        _guides(axes, curves)
        _logarithmic(axes, sorted({k for curve in curves for k in curve["k"]}))
        axes.set_title(title, fontsize=11, color=INK, loc="left")
        axes.set_ylabel("|mean| / sd, root mean square")
        axes.grid(axis="y", color=FAINT, linewidth=0.6)
        axes.set_axisbelow(True)
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper left", ncols=2, frameon=False, fontsize=10, labelcolor=INK,
    )  # fmt: skip
    if note:
        figure.supxlabel(note, fontsize=9, color=MUTED)
    said = "; ".join(
        f"{title}, {curve['name']}: {curve['rms'][0]:.2g} at k = {curve['k'][0]}, "
        f"{curve['rms'][-1]:.2g} at k = {curve['k'][-1]}"
        for title, curves in panels.items()
        for curve in curves
    )
    return write(path, figure, title="Signal-to-noise of gradients", description=f"{said}.")


def _curve(axes: Axes, curve: Mapping[str, Any], i: int) -> None:
    ks, rms, low, high = (np.array(curve[name], dtype=np.float64) for name in ("k", "rms", "low", "high"))
    style = {"color": COLOURS[i % len(COLOURS)], "marker": MARKERS[i % len(MARKERS)]}
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
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high < 100 * low else (1.0,)))
    axes.yaxis.set_minor_formatter(NullFormatter())


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


@plain
def kl_per_unit(path: str | Path, layers: Sequence[Mapping[str, Any]], *, threshold: float) -> Path:
    """The KL divergence of every latent unit, the largest first, a panel a layer; active units in colour.

    A layer has lists "kl" and "error" (nats, over data) and "activity", the variance of the posterior means: above
    ``threshold`` a unit is active. A layer with one KL for all of its units is one bar. Raises ValueError where a list
    differs in length, and OSError.
    """
    figure = sheet(7.0, 1.0 + 2.5 * len(layers))
    said, panels = [], figure.subplots(len(layers), 1, squeeze=False)[:, 0]
    for i, (axes, layer) in enumerate(zip(panels, layers, strict=True)):
        kl, error, activity = (np.array(layer[name], dtype=np.float64) for name in ("kl", "error", "activity"))
        if len(kl) == len(error) == 1 < len(activity):
            activity = activity.max(keepdims=True)
        if not len(kl) or not len(kl) == len(error) == len(activity):
            raise ValueError(f"a layer needs an error and an activity for each of its units, got {len(kl)} units")
        order = np.argsort(-kl)[:SHOWN]
        active = activity[order] > threshold
        place = np.arange(1, len(order) + 1)
        for mine, colour, name in ((active, PALETTE[0], "active"), (~active, GREY, "not active")):
            if mine.any():
                label = f"{name}: {int(((activity > threshold) == (name == 'active')).sum())} units"
                bars = {"ecolor": INK, "elinewidth": 0.8}
                axes.bar(
                    place[mine], kl[order][mine], yerr=error[order][mine], color=colour, label=label, error_kw=bars
                )
        quiet(axes)
        axes.set_ylim(bottom=min(0.0, float((kl - np.nan_to_num(error)).min())))
        few = 0.5 * max(0, 8 - len(order))  # bars of a few units are not made wider
        axes.set_xlim(0.2 - few, len(order) + 0.8 + few)
        axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
        if few:
            axes.set_xticks(place)
        axes.set_ylabel("KL, nats")
        title = f"layer {i + 1} of {len(layers)}: " if len(layers) > 1 else ""
        left = f", the largest {SHOWN} shown" if len(kl) > SHOWN else ""
        units = f"{len(layer['activity'])} units" + (" together" if len(kl) < len(layer["activity"]) else "")
        axes.set_title(f"{title}{number(kl.sum())} nats in {units}{left}", fontsize=11, color=INK, loc="left")
        axes.legend(frameon=False, fontsize=9.5, labelcolor=INK)
        said.append(f"{int((activity > threshold).sum())} of {len(kl)} units active, {number(kl.sum())} nats together")
    panels[-1].set_xlabel(
        f"latent unit, by KL; active: the variance over data of its posterior mean is above {threshold:g}"
    )
    return write(path, figure, title="KL per unit", description=f"{'; '.join(said)}; the largest is first.")
