"""What the importance weights make of q(z|x), seen in the plane of two latents."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from iwax._typing import ArrayLike
from iwax.evaluation import PosteriorPlane
from iwax.report.figures import images as pictures
from iwax.report.figures.canvas import GROUND, INK, MUTED, PALETTE, Picture, drawing, number, quiet, sheet

__all__ = ["highest_density_level", "posterior_shape"]

Array = np.ndarray

SHADES = LinearSegmentedColormap.from_list("density", ["#ffffff", "#c5dbf2", PALETTE[0], "#123a66"])
EXACT = PALETTE[6]
SEEN = 3.7  # nats below its peak that a density is in the window at least: for a Gaussian 97.5 % of the mass
INNER, OUTER = 0.5, 0.95  # of the mass, within the contours
PANEL, LEFT, HEAD, FOOT = 1.62, 1.28, 0.24, 0.60  # inches


def highest_density_level(log_prob: Array, mass: float) -> float:
    """The level above which log-densities on a grid of equal cells hold this fraction of all mass on it.

    >>> round(float(np.exp(highest_density_level(np.log([0.1, 0.2, 0.3, 0.4]), 0.5))), 3)
    0.3
    """
    ordered = np.sort(log_prob.ravel())[::-1]
    held = np.cumsum(np.exp(ordered - ordered[0]))
    return float(ordered[min(int(np.searchsorted(held, mass * held[-1])), ordered.size - 1)])


@drawing
def posterior_shape(plane: PosteriorPlane, data: ArrayLike, shape: tuple[int, ...]) -> Picture:
    """One row per data point: x, then q_EW(z|x) for each k, and p(z|x), as densities with 50 % and 95 % regions.

    The 95 % region of p(z|x) is drawn in every panel; each states its KL(. || p(z|x)) in nats. data are the rows
    [n, *shape] of the plane, shown where they are images. Raises ValueError where their number is not the plane's,
    OSError where the file cannot be written.
    """
    rows, wanted = np.asarray(data), plane.log_prob.shape[0]
    if len(rows) != wanted:
        raise ValueError(f"a plane of {wanted} data needs as many rows to show next to it: got {len(rows)}")
    across = len(plane.ks) + 1
    width, height = LEFT + across * PANEL + 0.12, HEAD + wanted * PANEL + FOOT
    figure = sheet(width, height, fitted=False)
    for i in range(wanted):
        bottom = FOOT + (wanted - 1 - i) * PANEL
        _datum(figure.add_axes((0.1 / width, (bottom + 0.36) / height, 0.72 / width, 1.02 / height)), rows[i], shape, i)
        for j in range(across):
            left = LEFT + j * PANEL
            size = PANEL - 0.28
            axes = figure.add_axes((left / width, (bottom + 0.2) / height, size / width, size / height))
            _panel(axes, plane, i, j)
            if i == 0:
                axes.set_title(_name(plane, j), fontsize=10, color=INK, pad=6)
    _legend(figure, LEFT / width, height)
    ks = ", ".join(map(str, plane.ks))
    words = (
        f"Densities over two latents for {wanted} data, one row each: the importance-weighted posterior with k = {ks}, "
        "then the exact posterior by quadrature; each panel states its KL divergence from the exact one."
    )
    return Picture(figure, "Shape of the posterior", words)


def _legend(figure: Figure, left: float, height: float) -> None:
    words = "Shading: density, by each panel\u2019s own peak. Lines: 50 % and 95 % of the mass. KL: to p(z | x), nats."
    figure.text(left, 0.30 / height, words, fontsize=8, color=MUTED, va="center")
    words = "95 % of p(z | x), in every panel"
    figure.text(left, 0.12 / height, words, fontsize=8, color=EXACT, va="center")


def _name(plane: PosteriorPlane, j: int) -> str:
    if j == len(plane.ks):
        return "$p(z\\,|\\,x)$"
    k = plane.ks[j]
    return "$q(z\\,|\\,x)$,  k = 1" if k == 1 else f"$q_{{EW}}$,  k = {k}"


def _datum(axes: Axes, row: Array, shape: tuple[int, ...], i: int) -> None:
    axes.axis("off")
    if len(shape) == 1:
        axes.text(0.5, 0.5, f"datum {i}", fontsize=9, color=INK, ha="center", va="center", transform=axes.transAxes)
        return
    block = pictures.pixels(row.reshape(1, -1), shape, span=pictures.limits(row))
    axes.imshow(block[0], interpolation="nearest")


def _panel(axes: Axes, plane: PosteriorPlane, i: int, j: int) -> None:
    """The density of column j for datum i in the window of that datum."""
    first, second, densities = plane.first[i], plane.second[i], plane.log_prob[i]
    log_prob, exact = densities[j], densities[-1]
    quiet(axes, frame=True)
    steps = (first[1] - first[0]) / 2, (second[1] - second[0]) / 2
    extent = (first[0] - steps[0], first[-1] + steps[0], second[0] - steps[1], second[-1] + steps[1])
    axes.imshow(np.exp(log_prob - log_prob.max()), cmap=SHADES, extent=extent, origin="lower", interpolation="nearest")
    _regions(axes, first, second, log_prob, (OUTER, INNER), colour=INK, width=0.6)
    _regions(axes, first, second, exact, (OUTER,), colour=EXACT, width=1.1)
    _window(axes, first, second, densities)
    last = j == len(plane.ks)
    words = f"log p(x) {number(plane.log_evidence[i], 1)}" if last else _divergence(plane.kl[i, j])
    note = axes.text(0.04, 0.95, words, transform=axes.transAxes, fontsize=8, color=INK, va="top")
    note.set_bbox({"facecolor": GROUND, "edgecolor": "none", "alpha": 0.75, "pad": 1.0})
    if j > 0:
        axes.set_yticklabels([])
    else:
        axes.set_ylabel("$z_2$", fontsize=8, rotation=0, labelpad=2, ha="right", va="center")
    if i == len(plane.kl) - 1:
        axes.set_xlabel("$z_1$", fontsize=8, labelpad=1)


def _divergence(kl: float) -> str:
    """In print: two digits after the point, three where it is small.

    >>> _divergence(1.234), _divergence(0.0456), _divergence(1e-5)
    ('KL 1.23', 'KL 0.046', 'KL < 0.001')
    """
    if kl < 5e-4:
        return "KL < 0.001"
    return f"KL {number(kl, 2 if kl >= 0.1 else 3)}"


def _regions(
    axes: Axes, first: Array, second: Array, log_prob: Array, masses: tuple[float, ...], *, colour: str, width: float
) -> None:
    """The outlines of the smallest regions that hold these shares of the mass; none where one node holds it all."""
    levels = {highest_density_level(log_prob, mass) for mass in masses}
    levels = sorted(level for level in levels if level < log_prob.max())
    if levels:
        floored = np.maximum(log_prob, levels[0] - 50.0)
        axes.contour(first, second, floored, levels=levels, colors=[colour], linewidths=width, linestyles="solid")


def _window(axes: Axes, first: Array, second: Array, densities: Array) -> None:
    """A square around all that the panels of a row show."""
    seen = (densities > densities.max(axis=(1, 2), keepdims=True) - SEEN).any(axis=0)
    columns, lines = np.flatnonzero(seen.any(axis=0)), np.flatnonzero(seen.any(axis=1))
    low = np.array([first[columns[0]], second[lines[0]]])
    high = np.array([first[columns[-1]], second[lines[-1]]])
    middle, half = (low + high) / 2, 0.65 * float((high - low).max()) + (first[1] - first[0])
    axes.set(xlim=(middle[0] - half, middle[0] + half), ylim=(middle[1] - half, middle[1] + half))
    axes.xaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
    axes.tick_params(labelsize=7, length=2, pad=1.5)
