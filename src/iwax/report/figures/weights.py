"""Networks with a law over their weights: how the weights are spread, and what is left without most of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator, PercentFormatter

from iwax.report.figures.canvas import GREY, INK, PALETTE, plain, quiet, sheet, write

__all__ = ["histograms", "pruning_curve"]

_NAMES = {"weights": "a draw of the weights", "means": "their means", "sigmas": "their standard deviations"}


@plain
def histograms(path: str | Path, found: Mapping[str, Mapping[str, Sequence[float]]]) -> Path:
    """Densities of weights, a panel for each of draws, means and standard deviations, a line for each network.

    ``found`` maps a network's name to lists "bins" (edges), "weights" and, of a law, "means", "sigmas" and
    "sigma_bins". Raises OSError.
    """
    kinds = [kind for kind in _NAMES if any(kind in each for each in found.values())]
    figure = sheet(3.4 * len(kinds), 3.2)
    panels = np.atleast_1d(figure.subplots(1, len(kinds)))
    for axes, kind in zip(panels, kinds, strict=True):
        quiet(axes).set_xlabel(_NAMES[kind])
        axes.xaxis.set_major_locator(MaxNLocator(5))
        for i, (name, each) in enumerate(found.items()):
            if kind in each:
                edges = np.asarray(each["sigma_bins" if kind == "sigmas" else "bins"])
                axes.stairs(each[kind], edges, color=PALETTE[i % len(PALETTE)], linewidth=1.2, label=name)
        axes.set_ylim(bottom=0)
    panels[0].set_ylabel("density")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper left", ncols=min(len(labels), 3), frameon=False, fontsize=10, labelcolor=INK
    )
    words = f"Densities of {', '.join(_NAMES[kind] for kind in kinds)} of {', '.join(found)}."
    return write(path, figure, title="Weights", description=words)


@plain
def pruning_curve(path: str | Path, found: Mapping[str, Sequence[Mapping[str, Any]]]) -> Path:
    """Test error against the share of weights removed, with standard errors; a line for each network.

    ``found`` maps a network's name to rows with "share", "error" and "standard_error" (shares of one). Raises OSError.
    """
    figure = sheet(5.4, 3.6)
    axes = quiet(figure.subplots())
    for i, (name, rows) in enumerate(found.items()):
        share, error, spread = (np.array([row[key] for row in rows]) for key in ("share", "error", "standard_error"))
        colour = PALETTE[i % len(PALETTE)]
        axes.errorbar(share, error, yerr=spread, color=colour, marker="o", markersize=4, capsize=2, label=name)
        axes.axhline(error[0], color=GREY, linewidth=0.8, linestyle=":", zorder=0)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda error, _: f"{100 * error:g} %"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_xlabel("weights removed, least |mean| / standard deviation first")
    axes.set_ylabel("test error")
    axes.legend(frameon=False, fontsize=9)
    ends = "; ".join(f"{name}: {rows[0]['error']:.2%} to {rows[-1]['error']:.2%}" for name, rows in found.items())
    return write(path, figure, title="Pruning", description=f"Test error against the share of weights removed. {ends}.")
