"""Pictures of plain arrays, which say what is wrong with them: samples, reconstructions, latents, manifold, scatter."""

from collections.abc import Mapping
from math import prod

import numpy as np

from iwax._typing import ArrayLike
from iwax.report.figures import features, images, latent
from iwax.report.figures.canvas import Picture, drawing

__all__ = ["generations", "imputations", "latents", "manifold", "reconstructions", "samples", "scatter"]

Array = np.ndarray


def _rows(name: str, values: ArrayLike, width: int) -> Array:
    """Finite values as [n, width], n >= 1; ValueError names what is wrong and where."""
    table = np.asarray(values)
    if table.ndim < 1 or table.size == 0 or table.shape[0] * width != table.size:
        raise ValueError(f"{name} must be [n, {width}] with n of 1 or more: got shape {table.shape}")
    table = table.reshape(table.shape[0], width)
    wrong = np.argwhere(~np.isfinite(table))
    if len(wrong):
        row, column = wrong[0]
        raise ValueError(f"{name} must be finite: got {table[row, column]} in row {row}, column {column}")
    return table


def _pictures(shape: tuple[int, ...]) -> bool:
    """Whether rows of this shape are images; ValueError for a shape that is neither an image nor a row."""
    if not 1 <= len(shape) <= 3 or min(shape) < 1:
        raise ValueError(f"a picture needs a shape (h, w), (h, w, channels) or (D,): got {shape}")
    return len(shape) > 1


@drawing
def samples(images_or_rows: ArrayLike, shape: tuple[int, ...], *, title: str | None = None) -> Picture:
    """Samples in a grid, read row by row; points or a heat map where they are no images. Raises ValueError."""
    rows = _rows("samples", images_or_rows, prod(shape))
    if _pictures(shape):
        return images.grid(rows, shape, title=title)
    if shape == (2,):
        return features.points(rows, title=title)
    return features.heat_maps({title or "samples": rows}, title=title or "Samples")


@drawing
def reconstructions(
    originals: ArrayLike,
    reconstructed: ArrayLike | Mapping[str, ArrayLike],
    shape: tuple[int, ...],
) -> Picture:
    """Each datum above its reconstruction, or several of them with their names, on the grey scale of the data.

    Raises ValueError where they do not go with the data.
    """
    data = _rows("originals", originals, prod(shape))
    named = reconstructed if isinstance(reconstructed, Mapping) else {"reconstruction": reconstructed}
    made = {name: _rows("reconstructions", rows, prod(shape)) for name, rows in named.items()}
    for rows in made.values():
        if len(data) != len(rows):
            raise ValueError(f"originals and reconstructions must be pairs: got {len(data)} and {len(rows)} rows")
    if _pictures(shape):
        return images.bands(data, made, shape, first="data", title="Reconstructions")
    if shape == (2,):
        return features.moved_points(data, made)
    return features.heat_maps({"data": data, **made}, title="Reconstructions")


@drawing
def generations(pseudo_inputs: ArrayLike, generated: Mapping[str, ArrayLike], shape: tuple[int, ...]) -> Picture:
    """Each pseudo-input of a VampPrior above what is generated from it, a draw per row. Raises as `reconstructions`."""
    given = _rows("pseudo_inputs", pseudo_inputs, prod(shape))
    made = {name: _rows("generated", rows, prod(shape)) for name, rows in generated.items()}
    if not _pictures(shape):
        return features.heat_maps({"pseudo-input": given, **made}, title="Generated from pseudo-inputs")
    return images.bands(given, made, shape, first="pseudo-input", title="Generated from pseudo-inputs")


@drawing
def imputations(
    originals: ArrayLike,
    given: ArrayLike,
    imputed: Mapping[str, ArrayLike],
    shape: tuple[int, ...],
    *,
    title: str = "Imputations",
) -> Picture:
    """Each image above what was given of it, its NaN in mid grey, and above what was made of that, one row per name.

    Raises as `reconstructions`, and ValueError for a shape that is no image's.
    """
    data = _rows("originals", originals, prod(shape))
    if not _pictures(shape):
        raise ValueError(f"a picture of what was hidden needs a shape (h, w) or (h, w, channels): got {shape}")
    low, high = images.limits(data)
    shown = np.asarray(given, np.float64).reshape(-1, prod(shape))
    made = {"given": np.where(np.isnan(shown), (low + high) / 2, shown), **imputed}
    rows = {name: _rows(name, values, prod(shape)) for name, values in made.items()}
    if any(len(each) != len(data) for each in rows.values()):
        raise ValueError(f"as many rows as originals were needed, {len(data)}: got {[len(r) for r in rows.values()]}")
    return images.bands(data, rows, shape, first="data", title=title)


@drawing
def latents(means: ArrayLike, labels: ArrayLike | None) -> Picture:
    """Posterior means [n, 2] with equal axes, coloured and named by class where there are labels [n].

    Up to forty classes have a colour (and, beyond ten, a marker); more numeric ones a colour bar.
    Raises ValueError.
    """
    table = _rows("means", means, 2)
    names = None if labels is None else np.asarray(labels).reshape(-1)
    if names is not None and len(names) != len(table):
        raise ValueError(f"latents needs one label per row: got {len(table)} means and {len(names)} labels")
    return latent.plane(table, names)


@drawing
def manifold(decoded: ArrayLike, side: int, shape: tuple[int, ...]) -> Picture:
    """What the decoder makes of ``manifold_grid(side)``, [side*side, D] in its order: z₁ to the right, z₂ upwards.

    Rows of shape (2,) become a mesh in the plane, other rows a map per feature. Raises ValueError.
    """
    rows = _rows("manifold", decoded, prod(shape))
    if side < 1 or len(rows) != side * side:
        raise ValueError(f"a manifold of side {side} needs {side * side} rows: got {len(rows)}")
    if _pictures(shape):
        return latent.decoded(rows, side, shape)
    return latent.decoded_mesh(rows, side) if shape == (2,) else latent.decoded_maps(rows, side)


@drawing
def scatter(data: ArrayLike, drawn: ArrayLike) -> Picture:
    """Data [n, 2] next to samples [m, 2], on the same equal axes. Raises ValueError."""
    return features.data_and_samples(_rows("data", data, 2), _rows("samples", drawn, 2))
