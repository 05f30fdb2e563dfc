"""Bayesian neural networks: how the weights are spread, and what is left without most of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from iwax.report.figures.canvas import GREY, LINES, Picture, drawing, legend, logarithmic, quiet, sheet

__all__ = ["histograms", "pruning_curve"]

_NAMES = {"weights": "a draw of the weights", "means": "their means", "sigmas": "their standard deviations"}


@drawing
def histograms(found: Mapping[str, Mapping[str, Sequence[float]]]) -> Picture:
    """Densities of weights, a panel for each of draws, means and standard deviations, a line for each network.

    ``found`` maps a network's name to lists "bins" (edges), "weights" and, of a distribution, "means", "sigmas" and
    "sigma_bins".
    """
    kinds = [kind for kind in _NAMES if any(kind in each for each in found.values())]
    figure, drawn = sheet(3.4 * len(kinds), 3.0), {}
    panels = np.atleast_1d(figure.subplots(1, len(kinds)))
    for axes, kind in zip(panels, kinds, strict=True):
        quiet(axes).set_xlabel(_NAMES[kind])
        axes.xaxis.set_major_locator(MaxNLocator(5))
        for i, (name, each) in enumerate(found.items()):
            if kind in each:
                edges = np.asarray(each["sigma_bins" if kind == "sigmas" else "bins"])
                drawn[name] = axes.stairs(each[kind], edges, color=LINES[i % len(LINES)], linewidth=1.2)
        axes.set_ylim(bottom=0)
    panels[0].set_ylabel("density")
    legend(figure, drawn)
    words = f"Densities of {', '.join(_NAMES[kind] for kind in kinds)} of {', '.join(found)}."
    return Picture(figure, "Weights", words)


@drawing
def pruning_curve(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> Picture:
    """Test error against the share of weights removed, with standard errors; a line for each network.

    ``found`` maps a network's name to rows with "share", "error" and "standard_error" (shares of one).
    """
    figure = sheet(5.4, 3.6)
    axes = quiet(figure.subplots())
    for i, (name, rows) in enumerate(found.items()):
        share, error, spread = (np.array([row[key] for row in rows]) for key in ("share", "error", "standard_error"))
        colour = LINES[i % len(LINES)]
        axes.errorbar(share, error, yerr=spread, color=colour, marker="o", markersize=4, capsize=2, label=name)
        axes.axhline(error[0], color=GREY, linewidth=0.8, linestyle=":", zorder=0)
    logarithmic(axes, axes.yaxis)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda error, _: f"{100 * error:g} %"))
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_xlabel("weights removed, least |mean| / standard deviation first")
    axes.set_ylabel("test error")
    axes.legend(frameon=False, fontsize=9)
    ends = "; ".join(f"{name}: {rows[0]['error']:.2%} to {rows[-1]['error']:.2%}" for name, rows in found.items())
    return Picture(figure, "Pruning", f"Test error against the share of weights removed. {ends}.")
