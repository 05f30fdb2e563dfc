"""Images of the data as one PNG inside the page, pixel for pixel, with clear gutters that show the page's ground."""

from collections.abc import Mapping

import numpy as np
from markupsafe import Markup

from iwax.report.figures import images as pictures
from iwax.report.figures.canvas import several
from iwax.report.figures.svg import data_address
from iwax.report.view.run_view import RunView

__all__ = ["mosaic", "strips", "tiled"]

Array = np.ndarray
SIDE, GUTTER = 28, 2  # pixels: an image is enlarged to about the first, by a whole number
SHOWN = 54  # CSS pixels of an image's longer side, where there is room


def tiled(block: Array, across: int, *, gutter: int) -> Array:
    """[n, h, w, 3] -> one [H, W, 4] picture, ``across`` images per row, with clear gutters between."""
    page = pictures.tile(block, across, gutter=gutter)
    clear = pictures.tile(np.zeros_like(block), across, gutter=gutter)[..., :1]  # 0 where an image is, 255 elsewhere
    return np.concatenate([page, 255 - clear], axis=-1)


def mosaic(
    images: Array, shape: tuple[int, ...], *, across: int, span: tuple[float, float], alt: str, gutter: int = GUTTER
) -> Markup:
    """[n, D] images, ``across`` per row; ``span`` are the values shown as black and as white."""
    block = pictures.pixels(images, shape, span=span)
    times = max(1, round(SIDE / max(block.shape[1:3])))
    block = block.repeat(times, axis=1).repeat(times, axis=2)
    page = tiled(block, across, gutter=gutter)
    width = across * SHOWN * block.shape[2] // max(block.shape[1:3])
    return Markup('<img class="tiles" src="{0}" alt="{1}" style="width:{2}px" width="{3}" height="{4}">').format(
        data_address(page), alt, width, page.shape[1], page.shape[0]
    )


def strips(view: RunView, rows: Mapping[str, Array]) -> Markup:
    """Images of the data under each other, [n, D] for each name, a line per name."""
    lines = []
    for name, values in rows.items():
        alt = f"{several(len(values), 'image')}: {name}."
        body = mosaic(values, view.run.shape, across=len(values), span=view.span, alt=alt)
        lines.append(Markup('<div class="band"><span>{0}</span>{1}</div>').format(name, body))
    return Markup("").join(lines)
