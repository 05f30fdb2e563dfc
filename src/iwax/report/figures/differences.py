"""Runs side by side in one picture: by how much each lies above the first, with its error."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from iwax.report.figures.canvas import (
    GREY,
    GROUND,
    INK,
    LINES,
    MUTED,
    Picture,
    drawing,
    gridded,
    number,
    sheet,
    shortened,
)

__all__ = ["differences"]

LONGEST = 44  # letters of a run's name
ROW = 0.42  # inches
_TITLE: dict[str, Any] = {"fontsize": 10.5, "color": INK, "loc": "left", "pad": 8}


@drawing
def differences(compared: Mapping[str, Any]) -> Picture:
    """Paired differences of log p(x) to the first run, a line per run; below them those of means over seeds.

    ``compared`` is what `runs.comparison.compare` returns: "runs" with "run", "name", "seed", "log_evidence",
    "standard_error", "difference" and "difference_error" (nats), "seeds", "seed_differences", "n", "k" and "split".
    Thick bars are one standard error, thin ones two; an error that is not known has no bar. Runs of one name share a
    colour. Raises ValueError unless the path ends in .png, OSError.
    """
    runs, means = compared["runs"], compared["seed_differences"]
    names = list(dict.fromkeys(each["name"] for each in runs))
    colours = {name: LINES[i % len(LINES)] for i, name in enumerate(names)}
    heights = [len(runs), *([len(means)] if means else [])]
    figure = sheet(9.0, 1.5 + ROW * sum(heights) + 0.75 * (len(heights) - 1))
    panels = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    _lines(
        panels[0],
        [(each["difference"], each["difference_error"], colours[each["name"]]) for each in runs],
        [f"{shortened(Path(each['run']).name, LONGEST)}\n{each['name']}, seed {each['seed']}" for each in runs],
        [f"{number(each['log_evidence'])} ± {_error(each['standard_error'], 2)}" for each in runs],
    )
    own = colours[runs[0]["name"]]
    panels[0].plot(0.0, 0.0, "o", markersize=6, markerfacecolor=GROUND, markeredgecolor=own, zorder=4)
    panels[0].set_title(f"{compared['split']} log p(x) less that of the first run", **_TITLE)
    panels[0].annotate(
        "log p(x), nats", (1.0, 1.0), xycoords="axes fraction", xytext=(12, 8), textcoords="offset points",
        fontsize=9, color=MUTED, annotation_clip=False,
    )  # fmt: skip
    if means:
        _over_seeds(panels[1], compared, colours)
    words = "above over rows, paired; below over seeds" if means else "over rows, paired"
    panels[-1].set_xlabel(
        f"difference, nats; {compared['n']:,} rows, k = {compared['k']:,}\nbars: one and two standard errors, {words}",
        fontsize=9,
    )
    panels[-1].xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 2.5, 5, 10]))
    words = "; ".join(
        f"{Path(each['run']).name}: {each['difference']:+.3f} ± {_error(each['difference_error'], 3)}" for each in runs
    )
    return Picture(figure, "Comparison", f"Differences in log p(x) to the first run, nats: {words}")


def _over_seeds(axes: Axes, compared: Mapping[str, Any], colours: Mapping[str, str]) -> None:
    """The differences of means over seeds."""
    groups, means = compared["seeds"], compared["seed_differences"]
    labels = [
        f"{groups[each['group']]['name']}\nmean over {len(groups[each['group']]['seeds'])} seeds" for each in means
    ]
    _lines(
        axes,
        [(each["difference"], each["error"], colours[groups[each["group"]]["name"]]) for each in means],
        labels,
        [f"{number(each['difference'], 3)} ± {_error(each['error'], 3)}" for each in means],
        marker="D",
    )
    first = groups[0]
    title = f"mean over seeds less that of {first['name']} ({len(first['seeds'])} seeds)"
    axes.set_title(title, **_TITLE)


def _lines(
    axes: Axes,
    points: Sequence[tuple[float, float, str]],
    labels: Sequence[str],
    numbers: Sequence[str],
    *,
    marker: str = "o",
) -> None:
    """A point with its bars per line, the first at the top, named at the left; its number at the right."""
    gridded(axes, "x").axvline(0.0, color=GREY, linewidth=1.0, zorder=1)
    for height, (value, error, colour) in enumerate(points):
        for times, width in ((2.0, 1.2), (1.0, 3.6)) if np.isfinite(error) and error > 0.0 else ():
            ends = [value - times * error, value + times * error]
            axes.plot(ends, [height, height], color=colour, linewidth=width, solid_capstyle="butt", zorder=2)
        axes.plot(value, height, marker, color=colour, markersize=6, zorder=3)
        axes.annotate(
            numbers[height], (1.0, height), xycoords=("axes fraction", "data"), xytext=(12, 0),
            textcoords="offset points", va="center", fontsize=9, color=MUTED, annotation_clip=False,
        )  # fmt: skip
    axes.set_ylim(len(points) - 0.5, -0.5)
    axes.set_yticks(range(len(points)), labels, fontsize=8.5)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0, labelcolor=INK)


def _error(value: float, digits: int) -> str:
    return number(value, digits) if np.isfinite(value) else "unknown"
