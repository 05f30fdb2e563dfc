"""What a decoder's memory has learned: which classes read which slots, and what a slot adds to a picture."""

from collections.abc import Sequence

import numpy as np

from iwax.report.figures.canvas import INK, MUTED, Picture, drawing, quiet, sheet

__all__ = ["preferences", "slots"]

Array = np.ndarray
_ACROSS = 10


@drawing
def preferences(classes: Sequence[object], mean: Array, *, title: str) -> Picture:
    """Mean attention [classes, slots] as a map, slots by the class that reads them most."""
    order = np.lexsort((-mean.max(axis=0), mean.argmax(axis=0)))
    figure = sheet(max(4.5, 0.14 * mean.shape[1] + 1.8), 0.26 * len(classes) + 1.3)
    axes = quiet(figure.subplots(), frame=True)
    shown = axes.imshow(mean[:, order], cmap="viridis", vmin=0.0, aspect="auto", interpolation="nearest")
    axes.set_yticks(range(len(classes)), [str(each) for each in classes])
    axes.set_xticks([])
    axes.set_xlabel(f"{mean.shape[1]} slots")
    axes.set_ylabel("class")
    axes.set_title(title, fontsize=11, color=INK)
    bar = figure.colorbar(shown, ax=axes)
    bar.set_label("mean attention", color=MUTED, fontsize=9)
    first = "; ".join(f"{name}: {-np.sort(-row)[0]:.2f}" for name, row in zip(classes, mean, strict=True))
    return Picture(figure, title, f"Mean attention of classes to slots; the largest: {first}.")


@drawing
def slots(added: Array, shape: tuple[int, int], *, title: str) -> Picture:
    """What each slot adds to the mean picture [slots, D]: blue is less ink, red is more, one scale."""
    span = float(np.abs(added).max()) or 1.0
    down = -(-len(added) // _ACROSS)
    figure = sheet(0.72 * min(len(added), _ACROSS) + 0.4, 0.72 * down + 0.6)
    panels = np.atleast_1d(figure.subplots(down, min(len(added), _ACROSS))).ravel()
    for axes, picture in zip(panels, added, strict=False):
        axes.imshow(picture.reshape(shape), cmap="RdBu_r", vmin=-span, vmax=span, interpolation="nearest")
    for axes in panels:
        axes.set_axis_off()
    figure.suptitle(title, fontsize=11, color=INK)
    words = f"{len(added)} pictures of what reading one slot adds; the largest change of a pixel is {span:.2f}."
    return Picture(figure, title, words)
