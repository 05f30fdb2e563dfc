"""Decoded beforehand: what moving along single latent units does, where the page cannot decode by itself."""

from typing import Any

import numpy as np

from iwax import inference
from iwax.parts import latent_of, layers_of
from iwax.report.page.latents import embedded, order
from iwax.report.page.learned import MOST_COLUMNS, first_of, written
from iwax.report.page.mosaic import mosaic
from iwax.report.page.panel import Panel, bands, gathered, table
from iwax.report.page.subject import Subject

__all__ = ["grid"]

UNITS, STEPS, REACH = 5, 9, 2.5
OF_ROWS = 3  # units of a table: five lines each
Rows = list[tuple[str, np.ndarray]]


def grid(subject: Subject) -> list[Panel]:
    """Along the most used units, and from one row of the data to another."""
    if not len(subject.whole):
        return []
    if subject.features == 2 and subject.trained.config.model.latents == (2,):
        return []  # the whole plane is drawn as a net
    return gathered(lambda: _along_units(subject), lambda: _between(subject))


def _base(subject: Subject, rows: np.ndarray) -> Any:
    """The posterior means of rows in every layer, as the decoder takes them."""
    layers = len(subject.trained.config.model.latents)
    x = subject.x[rows]
    found = tuple(inference.embed(subject.model, x, key=subject.key, layer=i + 1) for i in range(layers))
    return latent_of(found)


def _along_units(subject: Subject) -> Panel:
    """Along latent units: decoded."""
    means, base = embedded(subject, 300), _base(subject, subject.whole[:1])
    first, *above = layers_of(base)
    units = order(subject, means)[: UNITS if subject.pictures else OF_ROWS]
    rows: Rows = []
    for unit in units:
        middle, reach = float(means[:, unit].mean()), REACH * max(float(means[:, unit].std()), 0.1)
        moved = np.repeat(first, STEPS, axis=0)
        moved[:, unit] = np.linspace(middle - reach, middle + reach, STEPS)
        z = latent_of((moved, *(np.repeat(each, STEPS, axis=0) for each in above)))
        rows.append((f"unit {unit + 1}", inference.decode(subject.model, z, key=subject.key)))
    layer = " of the layer next to the data" if above else ""
    words = (
        f"One unit{layer} moves from low to high, the others stay at the posterior mean of row {subject.whole[0]} of "
        f"the {subject.split} data. Shown is the mean of p(x|z)."
    )
    return _panel(subject, "Along the most used latent units", rows, words)


def _between(subject: Subject) -> Panel | None:
    """Between two rows: decoded."""
    if len(subject.whole) < 2:
        return None
    ends = _base(subject, subject.whole[:2])
    along = np.linspace(0.0, 1.0, STEPS)[:, None]

    def line(each: np.ndarray) -> np.ndarray:
        return ((1 - along) * each[:1] + along * each[1:]).astype(each.dtype)

    z = latent_of(tuple(map(line, layers_of(ends))))
    rows: Rows = [("decoded", inference.decode(subject.model, z, key=subject.key))]
    words = f"From row {subject.whole[0]} to row {subject.whole[1]} on a straight line between their posterior means."
    return _panel(subject, f"Between two {subject.row}s of the data", rows, words)


def _panel(subject: Subject, title: str, rows: Rows, words: str) -> Panel:
    if subject.pictures:
        strips = [
            (
                name,
                mosaic(values, subject.shape, across=STEPS, span=subject.span, alt=f"{name}: {STEPS} decoded images."),
            )
            for name, values in rows
        ]
        return Panel(title, bands(strips), words)
    names = [column.name for column in subject.columns or ()] or [f"x{j + 1}" for j in range(subject.features)]
    some = range(0, STEPS, 2)
    cells = [[name if i == 0 else "", *row] for name, values in rows for i, row in _some(subject, values, some)]
    return Panel(title, table(["", *names[:MOST_COLUMNS]], cells), words + first_of(subject), wide=True)


def _some(subject: Subject, values: np.ndarray, places: range) -> list[tuple[int, list[str]]]:
    """Some rows as their owner writes them; a probability of a class as the class that it is nearest."""
    kept = values[list(places)]
    if subject.columns is not None:
        levels = np.array([bool(column.levels) for column in subject.columns])
        kept = np.where(levels, np.round(kept), kept)
    return list(enumerate(written(subject, kept)))
