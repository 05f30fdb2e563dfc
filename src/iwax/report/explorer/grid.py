"""Decoded beforehand: what moving along single latent units does, where the page cannot decode by itself."""

from typing import Any

import numpy as np

from iwax import inference
from iwax.parts import latent_of, layers_of
from iwax.report.view import RunView
from iwax.report.view.cells import MOST_COLUMNS, cells, column_note
from iwax.report.view.mosaic import strips
from iwax.report.view.panel import Panel, gathered, table
from iwax.report.view.units import order, posterior_means

__all__ = ["grid"]

UNITS, STEPS, REACH = 5, 9, 2.5
OF_ROWS = 3  # units of a table: five lines each
Rows = list[tuple[str, np.ndarray]]


def grid(view: RunView) -> list[Panel]:
    """Along the most used units, and from one row of the data to another."""
    if not len(view.whole):
        return []
    if view.run.about.features == 2 and view.run.config.model.latents == (2,):
        return []  # the whole plane is drawn as a mesh
    return gathered(lambda: _along_units(view), lambda: _between(view))


def _base(view: RunView, rows: np.ndarray) -> Any:
    """The posterior means of rows in every layer, as the decoder takes them."""
    layers = len(view.run.config.model.latents)
    x = view.x[rows]
    found = tuple(inference.embed(view.run.model, x, key=view.key, layer=i + 1) for i in range(layers))
    return latent_of(found)


def _along_units(view: RunView) -> Panel:
    """Along latent units: decoded."""
    means, base = posterior_means(view, 300), _base(view, view.whole[:1])
    first, *above = layers_of(base)
    units = order(view, means)[: UNITS if view.run.about.images else OF_ROWS]
    rows: Rows = []
    for unit in units:
        middle, reach = float(means[:, unit].mean()), REACH * max(float(means[:, unit].std()), 0.1)
        moved = np.repeat(first, STEPS, axis=0)
        moved[:, unit] = np.linspace(middle - reach, middle + reach, STEPS)
        z = latent_of((moved, *(np.repeat(each, STEPS, axis=0) for each in above)))
        rows.append((f"unit {unit + 1}", inference.decode(view.run.model, z, key=view.key)))
    layer = " of the layer next to the data" if above else ""
    words = (
        f"One unit{layer} moves from low to high, the others stay at the posterior mean of row {view.whole[0] + 1}. "
        f"{view.row_numbers} Shown is the mean of p(x|z)."
    )
    return _panel(view, "Along the most used latent units", rows, words)


def _between(view: RunView) -> Panel | None:
    """Between two rows: decoded."""
    if len(view.whole) < 2:
        return None
    ends = _base(view, view.whole[:2])
    along = np.linspace(0.0, 1.0, STEPS)[:, None]

    def line(each: np.ndarray) -> np.ndarray:
        return ((1 - along) * each[:1] + along * each[1:]).astype(each.dtype)

    z = latent_of(tuple(map(line, layers_of(ends))))
    rows: Rows = [("decoded", inference.decode(view.run.model, z, key=view.key))]
    first, second = view.whole[:2] + 1
    words = f"From row {first} to row {second} on a straight line between their posterior means. {view.row_numbers}"
    return _panel(view, f"Between two {view.run.about.noun}s of the data", rows, words)


def _panel(view: RunView, title: str, rows: Rows, words: str) -> Panel:
    if view.run.about.images:
        return Panel(title, strips(view, dict(rows)), words)
    names = view.run.about.names
    some = range(0, STEPS, 2)
    cells = [[name if i == 0 else "", *row] for name, values in rows for i, row in _some(view, values, some)]
    return Panel(title, table(["", *names[:MOST_COLUMNS]], cells), words + column_note(view), wide=True)


def _some(view: RunView, values: np.ndarray, places: range) -> list[tuple[int, list[str]]]:
    """Some rows as their owner writes them; a probability of a class as the class that it is nearest."""
    chosen = values[list(places)]
    if view.run.about.columns is not None:
        levels = np.array([bool(column.levels) for column in view.run.about.columns])
        chosen = np.where(levels, np.round(chosen), chosen)
    return list(enumerate(cells(view, chosen)))
