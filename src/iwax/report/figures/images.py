"""Pictures made of pictures: every pixel of the data becomes a square of whole pixels, placed and never resampled."""

from collections.abc import Mapping
from math import ceil, isqrt

import numpy as np
from matplotlib.figure import Figure

from iwax.report.figures.canvas import DPI, INK, MUTED, Picture, drawing, sheet

__all__ = ["bands", "columns", "grid", "limits", "pixels", "resized", "tile"]

Array = np.ndarray

WIDTH, LARGEST = 1000, 4096  # pixels: a grid aims at the first and never passes the second
GUTTER, MARGIN, LINE = 4, 16, 34  # pixels: between images, around them, and for a line of words


def limits(values: Array) -> tuple[float, float]:
    """The values shown as black and as white: (0, 1) or (0, 255) where they fit, else the 1 % and 99 % quantiles.

    >>> limits(np.array([0, 1], np.uint8)), limits(np.array([0, 200], np.uint8)), limits(np.array([0.1, 1.02]))
    ((0.0, 1.0), (0.0, 255.0), (0.0, 1.0))
    """
    if values.dtype == np.uint8:
        return (0.0, 255.0) if values.max(initial=0) > 1 else (0.0, 1.0)
    low, high = (float(v) for v in np.quantile(values.astype(np.float64), (0.01, 0.99)))
    if low >= -0.25 and high <= 1.25:  # noise around [0, 1] is clipped, as a print would
        return (0.0, 1.0)
    if low >= -0.25 and 128.0 <= high <= 320.0:
        return (0.0, 255.0)
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def columns(n: int) -> int:
    """How many columns show n images best: near a square, with the fullest last row among the near ones.

    >>> [columns(n) for n in (1, 2, 7, 10, 20, 50, 64, 100)]
    [1, 2, 4, 5, 5, 10, 8, 10]
    """
    root = isqrt(n - 1) + 1
    return min(range(root, max(root, int(1.6 * root)) + 1), key=lambda c: (-n % c, c))


def pixels(images: Array, shape: tuple[int, ...], *, span: tuple[float, float]) -> Array:
    """[n, D] values -> [n, h, w, 3] uint8: channels last, grey repeated, other numbers of channels by their mean."""
    low, high = span
    scaled = np.clip((images.astype(np.float64) - low) / (high - low), 0.0, 1.0)
    block = scaled.reshape(len(images), shape[0], shape[1], -1)
    if block.shape[-1] != 3:
        block = np.repeat(block.mean(axis=-1, keepdims=True), 3, axis=-1)
    return np.rint(block * 255.0).astype(np.uint8)


def resized(block: Array, across: int) -> Array:
    """Each image enlarged (or, past the largest width, reduced by block means) by a whole number."""
    _, height, width, _ = block.shape
    longest = max(height, width)
    if across * longest > LARGEST:
        step = ceil(across * longest / LARGEST)
        height, width = max(1, height // step), max(1, width // step)
        cut = block[:, : height * step, : width * step].astype(np.float64)
        parts = (len(block), height, cut.shape[1] // height, width, cut.shape[2] // width, 3)
        return np.rint(cut.reshape(parts).mean(axis=(2, 4))).astype(np.uint8)
    scale = min(24, max(1, round(WIDTH / (across * longest))))
    return block.repeat(scale, axis=1).repeat(scale, axis=2)


def tile(block: Array, across: int, *, gutter: int = GUTTER) -> Array:
    """[n, h, w, 3] -> one [H, W, 3] picture, ``across`` images per row, row by row from the top, white gutters between.

    >>> tile(np.zeros((3, 2, 2, 3), np.uint8), 2, gutter=1).shape
    (5, 5, 3)
    """
    n, height, width, _ = block.shape
    rows = ceil(n / across)
    page = np.full((rows * (height + gutter) - gutter, across * (width + gutter) - gutter, 3), 255, np.uint8)
    for i in range(n):
        top, left = (i // across) * (height + gutter), (i % across) * (width + gutter)
        page[top : top + height, left : left + width] = block[i]
    return page


def _place(page: Array, *, left: int, title: str | None) -> Figure:
    """A sheet that holds the page pixel for pixel, ``left`` pixels from the edge, under an optional line of title."""
    top = MARGIN + (LINE if title else 0)
    width = max(page.shape[1] + left + MARGIN, 320 if title else 0)
    height = page.shape[0] + top + MARGIN
    figure = sheet(width / DPI, height / DPI, fitted=False)
    figure.figimage(page, xo=left, yo=MARGIN, origin="upper")
    if title:
        place = {"x": left / width, "y": 1 - (MARGIN + 4) / height}
        figure.text(**place, s=title, fontsize=11, color=INK, va="center", ha="left", parse_math=False)
    return figure


@drawing
def grid(images: Array, shape: tuple[int, ...], *, title: str | None) -> Picture:
    """Images in a near-square grid, read row by row."""
    across = columns(len(images))
    block = resized(pixels(images, shape, span=limits(images)), across)
    figure = _place(tile(block, across), left=MARGIN, title=title)
    size = f"{shape[0]} x {shape[1]} pixels"
    rows = ceil(len(images) / across)
    words = f"{len(images)} images of {size} in a grid of {rows} rows and {across} columns."
    return Picture(figure, title or "Samples", f"{title or 'Samples of the model'}: {words}")


@drawing
def bands(
    originals: Array,
    reconstructions: Mapping[str, Array],
    shape: tuple[int, ...],
    *,
    first: str,
    title: str,
) -> Picture:
    """Bands of rows, each with its name: the originals above, under them what was made of them; their grey scale."""
    n, names = len(originals), [first, *reconstructions]
    label = 20 + 12 * max(map(len, names))
    across = min(10, n)
    span = limits(originals)
    rows = [originals, *reconstructions.values()]
    block = resized(np.concatenate([pixels(row, shape, span=span) for row in rows]), across)
    height, gap = block.shape[1], 5 * GUTTER
    parts = [block[i * n : (i + 1) * n] for i in range(len(rows))]
    pages = [
        tile(np.concatenate([_padded(part[i : i + across], across) for part in parts]), across)
        for i in range(0, n, across)
    ]
    space = np.full((gap, pages[0].shape[1], 3), 255, np.uint8)
    page = np.concatenate([piece for band in pages for piece in (band, space)][:-1])
    figure = _place(page, left=MARGIN + label, title=None)
    total, wide = page.shape[0] + 2 * MARGIN, page.shape[1] + label + 2 * MARGIN
    for i in range(len(pages)):
        top = MARGIN + i * (len(rows) * (height + GUTTER) - GUTTER + gap)
        for row, name in enumerate(names):
            y = 1 - (top + row * (height + GUTTER) + height / 2) / total
            place = {"x": (MARGIN + label - 12) / wide, "y": y, "va": "center", "ha": "right"}
            figure.text(**place, s=name, fontsize=10, color=MUTED if row else INK, parse_math=False)
    under = ", ".join(reconstructions)
    words = f"{n} images of {shape[0]} x {shape[1]} pixels ({first}); under each stands: {under}."
    return Picture(figure, title, words)


def _padded(block: Array, across: int) -> Array:
    """A last row filled up with white."""
    missing = across - len(block)
    return np.concatenate([block, np.full((missing, *block.shape[1:]), 255, np.uint8)]) if missing else block
