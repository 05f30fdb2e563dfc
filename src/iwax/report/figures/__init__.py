"""The pictures of a run, and each of them from plain arrays: samples, reconstructions, training, latents, manifold ...

Every function returns a `Picture`, whose ``write(path)`` makes a PNG or an SVG: white ground, pixels placed and never
resampled, a text alternative in the file, and no byte that depends on the clock. In a page it is an SVG. Images are
[n, D] or [n, *shape] with ``shape`` (h, w), (h, w, 1), (h, w, 3) or (D,); 0 is black and 1 (255 for uint8 grey values)
is white. Rows of shape (D,) are drawn as points (D = 2) or heat maps.
"""

from iwax.report.figures.arrays import generations, imputations, latents, manifold, reconstructions, samples, scatter
from iwax.report.figures.canvas import Picture
from iwax.report.figures.curves import training
from iwax.report.figures.latent import manifold_grid
from iwax.report.figures.runs import of_diagnosis, of_run

__all__ = [
    "Picture",
    "generations",
    "imputations",
    "latents",
    "manifold",
    "manifold_grid",
    "of_diagnosis",
    "of_run",
    "reconstructions",
    "samples",
    "scatter",
    "training",
]
