"""Pictures of a plane of latents: where the data lie in it, and what the decoder makes of it."""

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import ndtr, ndtri

from iwax.report.figures import images as pictures
from iwax.report.figures.canvas import (
    DPI,
    FAINT,
    GREY,
    GROUND,
    INK,
    LINES,
    MUTED,
    PALETTE,
    Picture,
    drawing,
    legend,
    number,
    quiet,
    sheet,
    shortened,
)
from iwax.report.figures.features import equal_axes, marker_area

__all__ = ["decoded", "decoded_maps", "decoded_mesh", "manifold_grid", "plane"]

Array = np.ndarray
MARKERS = "o^sD"
MOST_CLASSES = 10 * len(MARKERS)
LEFT, BELOW, EDGE = 112, 84, 20  # pixels: room for the axes and the margin


def manifold_grid(side: int) -> Array:
    """Latents [side*side, 2] whose every cell holds the same probability under N(0, I): z = Φ⁻¹((i + 1/2) / side).

    Row by row from the top left of a picture: z₁ grows to the right, z₂ upwards. Kingma and Welling, "Auto-Encoding
    Variational Bayes" (2014), arXiv:1312.6114, appendix A. Raises ValueError for a side below 1.

    >>> manifold_grid(2).round(2).tolist()
    [[-0.67, 0.67], [0.67, 0.67], [-0.67, -0.67], [0.67, -0.67]]
    """
    if side < 1:
        raise ValueError(f"a manifold needs a side of at least 1 picture: got side={side}")
    along = ndtri((np.arange(side) + 0.5) / side)
    right, up = np.meshgrid(along, along[::-1])
    return np.stack([right.ravel(), up.ravel()], axis=1)


def _names_of_classes(axes: Axes, figure: Figure, means: Array, classes: Array, of: Array) -> None:
    """A legend next to the axes and, at the middle of each class, its name on a pale ground."""
    handles = [
        axes.scatter([], [], color=PALETTE[c % 10], marker=MARKERS[c // 10], s=30, linewidths=0, label="name")
        for c in range(len(classes))
    ]
    columns = 1 + (len(classes) - 1) // 21
    made = figure.legend(
        handles=handles, loc="outside right center", ncols=columns, frameon=False, fontsize=9, labelcolor=INK
    )
    for c, text in enumerate(made.get_texts()):
        text.set(text=shortened(str(classes[c]), 24), parse_math=False)
        x, y = np.median(means[of == c], axis=0)
        ground = {"facecolor": GROUND, "edgecolor": "none", "alpha": 0.7, "boxstyle": "round,pad=0.12"}
        axes.text(
            x, y, text.get_text(), fontsize=11, weight="bold", color=INK, ha="center", va="center", bbox=ground,
            parse_math=False,
        )  # fmt: skip


def _by_class(axes: Axes, figure: Figure, means: Array, labels: Array, order: Array) -> str:
    """A colour per class (and beyond ten classes a marker)."""
    classes, of = np.unique(labels, return_inverse=True)
    colour = np.array(PALETTE)[of % 10]
    for group in range(1 + (len(classes) - 1) // 10):
        mine = order[of[order] // 10 == group]
        area = marker_area(len(means))
        axes.scatter(*means[mine].T, c=list(colour[mine]), marker=MARKERS[group], s=area, linewidths=0, alpha=0.75)
    _names_of_classes(axes, figure, means, classes, of)
    return f", coloured by {len(classes)} classes"


def _by_value(axes: Axes, figure: Figure, means: Array, labels: Array, order: Array) -> str:
    """A numeric label of many values, by a colour bar of a few colours."""
    area = marker_area(len(means))
    dots = axes.scatter(*means[order].T, c=labels[order], cmap=colormaps["viridis"].resampled(16), s=area, linewidths=0)
    bar = figure.colorbar(dots, ax=axes, shrink=0.8, aspect=28)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=9, color=GREY, labelcolor=MUTED)
    return f", coloured by a label from {labels.min()} to {labels.max()}"


@drawing
def plane(means: Array, labels: Array | None, *, names: tuple[str, str] = ("z₁", "z₂")) -> Picture:
    """Posterior means in the plane of two latents, a colour per class."""
    classes = 0 if labels is None else len(np.unique(labels))
    figure = sheet(height=3.9 if classes > 1 else 4.6)
    axes = equal_axes(figure.subplots(), means, names)
    axes.axhline(0.0, color=FAINT, linewidth=0.8, zorder=0)
    axes.axvline(0.0, color=FAINT, linewidth=0.8, zorder=0)
    order = np.random.default_rng(0).permutation(len(means))  # no class is drawn over all the others
    coloured = ""
    if labels is not None and 1 < classes <= MOST_CLASSES:
        coloured = _by_class(axes, figure, means, labels, order)
    elif labels is not None and classes > 1 and np.issubdtype(labels.dtype, np.number):
        coloured = _by_value(axes, figure, means, labels, order)
    else:
        axes.scatter(*means.T, color=PALETTE[0], s=marker_area(len(means)), linewidths=0, alpha=0.75)
    words = f"Posterior means of {len(means)} data in the plane of {names[0]} and {names[1]}{coloured}."
    return Picture(figure, "Latents", words)


@drawing
def decoded(images: Array, side: int, shape: tuple[int, ...]) -> Picture:
    """Decoded images side by side without gutters, on axes that say which latents they stand for."""
    block = pictures.pixels(images, shape, span=pictures.limits(images))
    page = pictures.tile(pictures.resized(block, side), side, gutter=0)
    tall, wide = page.shape[:2]
    width, height = wide + LEFT + EDGE, tall + BELOW + EDGE
    figure = sheet(width / DPI, height / DPI, fitted=False)
    figure.figimage(page, xo=LEFT, yo=BELOW, origin="upper")
    axes = quiet(figure.add_axes((LEFT / width, BELOW / height, wide / width, tall / height), facecolor="none"))
    axes.patch.set_alpha(0.0)
    values = np.array([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0])
    ticks, names = side * ndtr(values), [f"{v:g}".replace("-", "\N{MINUS SIGN}") for v in values]
    axes.set(xlim=(0, side), ylim=(0, side), xticks=ticks, yticks=ticks, xticklabels=names, yticklabels=names)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_xlabel("z₁", labelpad=2)
    axes.set_ylabel("z₂", rotation=0, labelpad=5, ha="right", va="center")
    words = f"{side} by {side} decoded images on the inverse-Gaussian grid; z1 grows to the right, z2 upwards."
    return Picture(figure, "Manifold", words)


@drawing
def decoded_mesh(means: Array, side: int) -> Picture:
    """Decoded points of the plane as the mesh that the grid of latents becomes: a colour for either latent's lines."""
    mesh = means.reshape(side, side, 2)
    figure = sheet(height=4.6)
    axes = equal_axes(figure.subplots(), means, ("x₁", "x₂"))
    drawn = {}
    for lines, colour, name in ((mesh, LINES[0], "z₁ varies"), (mesh.swapaxes(0, 1), LINES[1], "z₂ varies")):
        for line in lines:
            (drawn[name],) = axes.plot(*line.T, color=colour, linewidth=0.9, alpha=0.85)
    legend(figure, drawn)
    words = f"The {side} by {side} inverse-Gaussian grid of two latents as decoded into the plane of the data."
    return Picture(figure, "Manifold", words)


@drawing
def decoded_maps(means: Array, side: int) -> Picture:
    """Decoded features, one small map each (the first sixteen): z₁ to the right, z₂ upwards, colour the value."""
    shown = min(means.shape[1], 16)
    across = pictures.columns(shown)
    down = -(-shown // across)
    figure = sheet(1.75 * across + 0.6, 1.75 * down + 0.7)
    panels = figure.subplots(down, across, squeeze=False).ravel()
    for axes in panels:
        axes.axis("off")
    for d in range(shown):
        axes = panels[d]
        values = means[:, d].reshape(side, side)
        axes.imshow(values, cmap="viridis", interpolation="nearest")
        axes.set_title(
            f"$x_{{{d + 1}}}$  {number(values.min())} to {number(values.max())}", fontsize=9, color=INK, pad=3
        )
    figure.supxlabel("z₁", fontsize=10, color=INK)
    figure.supylabel("z₂", fontsize=10, color=INK, rotation=0)
    words = (
        f"{shown} decoded features over the {side} by {side} inverse-Gaussian grid of two latents, values by colour."
    )
    return Picture(figure, "Manifold", words)
