"""The state in which the explorer begins: what a page shows before its scripts run, and where they do not."""

from statistics import NormalDist
from typing import Any

import equinox as eqx
import jax
import numpy as np
from markupsafe import Markup

from iwax.report.explorer.dense import Tensors, next_to_data
from iwax.report.figures import images
from iwax.report.figures.palette import PALETTE
from iwax.report.figures.svg import data_address
from iwax.report.view import RunView
from iwax.report.view.mosaic import tiled

__all__ = ["first_state"]

Array = np.ndarray

ACROSS, DRAWS = 8, 24  # of the sheet of new images (images.js)
SIDE, LEAST = 10, 0.005  # images along the plane, and the probability at its ends (pad.js)
EDGE, DOT, MOST_CLASSES = 240, 3, 12  # pixels of the plane and of a dot, and classes with a colour each (pad.js)


def first_state(view: RunView, spec: dict[str, Any], tensors: Tensors) -> dict[str, Any]:
    """What the page shows at the posterior mean of its first row: sliders, and attributes of canvases or table rows."""
    latents = tensors["means"][spec["shown"][:2]]
    flat = view.run.about.images and latents.shape[1] == 2
    pair = [0, 1] if flat else spec["units"][:2]
    sliders = [(unit + 1, *spec["ranges"][unit], latents[0, unit], _signed(latents[0, unit])) for unit in spec["units"]]
    found = {"sliders": sliders, "where": ", ".join(f"z{unit + 1} = {_signed(latents[0, unit])}" for unit in pair)}
    if view.run.about.images:
        found |= _pictures(view, spec, tensors, latents, flat=flat)
    else:
        found |= {"decoded_row": _lines(spec, *_decoded(view, latents[:1])), "given_row": _lines(spec, tensors["rows"])}
    if not flat and len(pair) == 2:
        found["pad"] = _background(_dots(spec, tensors["means"], pair))
    return found


def _decoded(view: RunView, z: Array) -> tuple[Array, Array | None]:
    """The means of p(x|z) at z [n, latent], and the probabilities of classes where there are such."""

    @eqx.filter_jit
    def of_all(part: Any, z: Any) -> Any:
        found = eqx.filter_vmap(lambda each: part(each, key=view.key))(z)
        return jax.vmap(lambda each: (each.mean, each.classes))(found)

    mean, classes = of_all(next_to_data(view.run.model.likelihood), z)
    return np.asarray(mean), None if classes is None else np.asarray(classes)


def _pictures(
    view: RunView, spec: dict[str, Any], tensors: Tensors, latents: Array, *, flat: bool
) -> dict[str, Markup]:
    """The attributes of canvases: data, and what is decoded at z, half-way to another and at draws from the prior."""
    draws, plane = tensors["draws"][:DRAWS], _plane(spec) if flat else latents[:0]
    z = np.concatenate([latents[:1], latents.mean(axis=0, keepdims=True), draws, plane]).astype(np.float32)

    def pixels(values: Array) -> Array:
        return images.pixels(values, view.run.shape, span=view.span)

    data, (first, middle, *others) = pixels(tensors["rows"][:2]), pixels(_decoded(view, z)[0])
    shown = {"given": data[0], "filled": data[0], "first": data[0], "last": data[-1]}
    shown |= {"decoded": first, "middle": middle}
    found = {name: _canvas(tiled(each[None], 1, gutter=0)) for name, each in shown.items()}
    found["sheet"] = _canvas(tiled(np.stack(others[: len(draws)]), ACROSS, gutter=1))
    return found | ({"pad": _background(tiled(np.stack(others[len(draws) :]), SIDE, gutter=0))} if flat else {})


def _plane(spec: dict[str, Any]) -> Array:
    """Latents [n, 2] evenly over the plane, from its upper left corner on."""
    at = (np.arange(SIDE) + 0.5) / SIDE
    if spec["normal"]:
        along = [np.array([NormalDist().inv_cdf(min(1 - LEAST, max(LEAST, each))) for each in at])] * 2
    else:
        along = [low + at * (high - low) for low, high in spec["ranges"]]
    across, up = np.meshgrid(along[0], along[1][::-1])
    return np.stack([across, up], axis=-1).reshape(-1, 2)


def _dots(spec: dict[str, Any], means: Array, pair: list[int]) -> Array:
    """A clear picture with a square at the place of every posterior mean on the plane of two units."""
    low, high = np.array(spec["ranges"])[pair].T
    place = np.clip((means[:, pair] - low) / np.where(high > low, high - low, 1.0), 0.0, 1.0)
    corners = np.rint(EDGE * np.stack([place[:, 0], 1 - place[:, 1]], axis=1) - DOT / 2).astype(int)
    classes = sorted(set(spec["labels"] or ()))
    colours = [int(colour[1:], 16).to_bytes(3, "big") + b"\xff" for colour in PALETTE]
    page = np.zeros((EDGE, EDGE, 4), np.uint8)
    for i, (x, y) in enumerate(np.maximum(corners, 0)):
        which = classes.index(spec["labels"][i]) % len(colours) if 0 < len(classes) <= MOST_CLASSES else 0
        page[y : y + DOT, x : x + DOT] = np.frombuffer(colours[which], np.uint8)
    return page


def _canvas(pixels: Array) -> Markup:
    """The size of a canvas and its background."""
    return Markup('width="{0}" height="{1}" {2}').format(pixels.shape[1], pixels.shape[0], _background(pixels))


def _background(pixels: Array) -> Markup:
    return Markup('style="background-image:url({0})"').format(data_address(pixels))


def _lines(spec: dict[str, Any], values: Array, classes: Array | None = None) -> Markup:
    """The first of ``values`` [n, D], a line per column: its name, and its number or (most probable) level."""
    lines = []
    for j, column in enumerate(spec["columns"]):
        value, levels = float(values[0, j]), column["levels"]
        if levels and np.isfinite(value):
            place = int(value) if classes is None else int(classes[0, j].argmax())
            text = levels[place]
        else:
            text = f"{value:.4g}".replace("-", "\N{MINUS SIGN}") if np.isfinite(value) else ""
        lines.append(
            Markup('<tr><th scope="row">{0}</th><td class="value">{1}</td><td></td></tr>').format(column["name"], text)
        )
    return Markup("").join(lines)


def _signed(value: float) -> str:
    return f"{value:.2f}".replace("-", "\N{MINUS SIGN}")
