"""The charts of a report: curves, histograms, bars and clouds, each with words that say what it shows."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from markupsafe import Markup

from iwax.report.figures.bins import whole_bins
from iwax.report.figures.canvas import number
from iwax.report.page.svg import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    SHADES,
    TOP,
    WIDTH,
    Scale,
    axes,
    chart,
    coordinates,
    legend,
    shade,
    short,
)

__all__ = ["Mark", "bars", "cloud", "curves", "histogram", "net", "said"]

Array = np.ndarray


class Mark(NamedTuple):
    """A height or place worth a line of its own."""

    value: float
    name: str


def _across(low: float, high: float, *, logarithmic: bool = False) -> Scale:
    return Scale(low, high, LEFT, WIDTH - RIGHT, logarithmic)


def _up(low: float, high: float) -> Scale:
    return Scale(low, high, HEIGHT - BOTTOM, TOP)


def curves(
    series: Mapping[str, tuple[Array, Array]],
    *,
    names: tuple[str, str],
    limits: tuple[float, float],
    words: str,
) -> Markup:
    """Lines (x, y) by name; ``limits`` are those of the second axis, and what lies below starts at the edge."""
    xs = np.concatenate([x for x, _ in series.values()])
    x, y = _across(float(xs.min()), float(xs.max()) + (xs.max() == xs.min())), _up(*limits)
    named = legend([(n, i) for i, n in enumerate(series)], kind="line")
    parts = [axes(x, y, names=names, whole=True), named.body]
    for i, (along, up) in enumerate(series.values()):
        shown = up >= limits[0]
        if not shown.all() and shown.any():  # the last point below the axis is where the line comes in
            shown[max(0, int(np.argmax(shown)) - 1)] = True
        points = coordinates(x(along[shown]), y(up[shown]))
        parts.append(Markup('<polyline class="stroke {0}" points="{1}"/>').format(shade(i), points))
        if len(along) == 1:
            parts.append(
                Markup('<circle class="fill s{0}" cx="{1:.1f}" cy="{2:.1f}" r="4"/>').format(
                    i % SHADES, float(x(along)[0]), float(y(up)[0])
                )
            )
    return chart(Markup("").join(parts), words=words, above=named.above)


def histogram(
    series: Mapping[str, Array],
    *,
    name: str,
    words: str,
    mark: Mark | None = None,
    logarithmic: bool = False,
    bins: int = 40,
    of: str = "rows",
    small: bool = False,
    whole: bool = False,
) -> Markup:
    """How many have which value: filled where there is one series, outlines where several lie over each other.

    ``small`` where the chart is shown small, in large letters; ``whole`` where the values are whole numbers.
    """
    kept = {
        title: values[np.isfinite(values) & (values > 0 if logarithmic else True)] for title, values in series.items()
    }
    kept = {title: values for title, values in kept.items() if len(values)}
    if not kept:
        return Markup('<p class="absent">{0}</p>').format("No value is finite.")
    every = np.concatenate([*kept.values(), np.array([mark.value] if mark else [])])
    low, high = float(every.min()), float(every.max())
    edges = whole_bins(low, high, bins) if whole else _bins(low, high, bins, logarithmic=logarithmic)
    low, high = float(edges[0]), float(edges[-1])
    counts = {title: np.histogram(values, edges)[0] for title, values in kept.items()}
    shares = {title: count / count.sum() for title, count in counts.items()}
    top = 1.06 * max(float(share.max()) for share in shares.values())
    x, y = _across(low, high, logarithmic=logarithmic), _up(0.0, 100 * top)
    several = [(title, i) for i, title in enumerate(kept)] if len(kept) > 1 else []
    named = legend(several, kind="line", small=small)
    parts = [axes(x, y, names=(name, f"% of {of}")), named.body]
    floor = float(y(np.zeros(1))[0])
    for i, share in enumerate(shares.values()):
        along, up = np.repeat(x(edges), 2), np.concatenate([[floor], np.repeat(y(100 * share), 2), [floor]])
        style = "outline" if len(kept) > 1 else "area"
        parts.append(Markup('<polyline class="{0} {1}" points="{2}"/>').format(style, shade(i), coordinates(along, up)))
    parts.append(_marked(x, mark))
    return chart(Markup("").join(parts), words=words, above=named.above)


def _bins(low: float, high: float, count: int, *, logarithmic: bool) -> Array:
    """Edges of bins of one width, or of one ratio, from the least value to the largest."""
    if low == high:
        low, high = (low / 2, high * 2) if logarithmic else (low - 0.5, high + 0.5)
    edges = np.geomspace(low, high, count + 1) if logarithmic else np.linspace(low, high, count + 1)
    edges[0], edges[-1] = low, high
    return edges


def _marked(x: Scale, mark: Mark | None) -> Markup:
    """A dashed line from the axis to the top, with its name on the side where there is room."""
    if mark is None:
        return Markup("")
    place = float(x(np.array([mark.value]))[0])
    right = place < (LEFT + WIDTH) / 2
    return Markup(
        '<line class="mark" x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}"/>'
        '<text class="number" x="{3:.1f}" y="{4}" text-anchor="{5}">{6}</text>'
    ).format(place, TOP - 8, HEIGHT - BOTTOM, place + (6 if right else -6), TOP, "start" if right else "end", mark.name)


def bars(values: Array, *, strong: Array, names: tuple[str, str], kinds: tuple[str, str], words: str) -> Markup:
    """A bar a unit; those that are ``strong`` in colour, the others grey, with the name of either kind."""
    n = len(values)
    x, y = _across(0.0, float(n)), _up(min(0.0, float(values.min())), 1.06 * max(float(values.max()), 1e-3))
    floor, width = y(np.zeros(1))[0], (WIDTH - LEFT - RIGHT) / n
    parts = [axes(_across(0.5, n + 0.5), y, names=names, whole=True)]
    entries = [(f"{kind}: {count}", colour) for kind, count, colour in
               ((kinds[0], int(strong.sum()), 0), (kinds[1], int((~strong).sum()), 8)) if count]  # fmt: skip
    named = legend(entries, kind="bar")
    parts.append(named.body)
    for i, (left, up) in enumerate(zip(x(np.arange(n)), y(values), strict=True)):
        top, tall = min(float(up), float(floor)), abs(float(floor - up))
        wide = min(0.82 * width, 40.0)
        parts.append(
            Markup('<rect class="fill s{0}" x="{1:.1f}" y="{2:.1f}" width="{3:.1f}" height="{4:.1f}"/>').format(
                0 if strong[i] else 8, float(left) + (width - wide) / 2, top, wide, max(tall, 0.6)
            )
        )
    return chart(Markup("").join(parts), words=words, above=named.above)


def cloud(
    points: Array, classes: Sequence[str], of: Array, *, names: tuple[str, str], words: str, plain: bool = False
) -> Markup:
    """Points [n, 2] with equal units on both axes, a colour a class and its name at its middle."""
    middle = (np.quantile(points, 0.005, axis=0) + np.quantile(points, 0.995, axis=0)) / 2
    spread = np.quantile(points, 0.995, axis=0) - np.quantile(points, 0.005, axis=0)
    side = 1.12 * float(spread.max()) or 1.0
    tall = WIDTH - LEFT - RIGHT
    x = Scale(middle[0] - side / 2, middle[0] + side / 2, LEFT, WIDTH - RIGHT)
    y = Scale(middle[1] - side / 2, middle[1] + side / 2, TOP + tall, TOP)
    inside = (np.abs(points - middle) <= side / 2).all(axis=1)
    parts = [_square(x, y, names)]
    for c in range(len(classes)):
        mine = points[inside & (of == c)]
        dots = " ".join(f"M{a}h0" for a in coordinates(x(mine[:, 0]), y(mine[:, 1])).split())
        parts.append(Markup('<path class="dots p{0}" d="{1}"/>').format(c % 10, dots))
    named = legend([(name, c) for c, name in enumerate(classes)] if plain and len(classes) > 1 else [], kind="dot")
    parts.append(named.body)
    for c, name in enumerate(classes if not plain else ()):
        mine = points[inside & (of == c)]
        if len(mine):
            at = np.median(mine, axis=0)
            place = float(x(at[:1])[0]), float(y(at[1:])[0])
            parts.append(Markup('<text class="class" x="{0:.1f}" y="{1:.1f}">{2}</text>').format(*place, name))
    left = int((~inside).sum())
    if left:
        note = f"{left} point{'s' * (left > 1)} outside"
        parts.append(
            Markup('<text class="number" x="{0}" y="18" text-anchor="end">{1}</text>').format(WIDTH - RIGHT, note)
        )
    return chart(Markup("").join(parts), words=words, height=TOP + tall + BOTTOM, above=named.above)


def net(points: Array, *, names: tuple[str, str], words: str) -> Markup:
    """Points [side, side, 2] of a bent plane as the lines that join them, a colour for either way."""
    low, high = points.reshape(-1, 2).min(axis=0), points.reshape(-1, 2).max(axis=0)
    middle, side = (low + high) / 2, 1.1 * float((high - low).max()) or 1.0
    tall = WIDTH - LEFT - RIGHT
    x = Scale(middle[0] - side / 2, middle[0] + side / 2, LEFT, WIDTH - RIGHT)
    y = Scale(middle[1] - side / 2, middle[1] + side / 2, TOP + tall, TOP)
    parts = [_square(x, y, names), legend([("z₁ varies", 0), ("z₂ varies", 1)], kind="line").body]
    for colour, lines in enumerate((points, points.swapaxes(0, 1))):
        for line in lines:
            at = coordinates(x(line[:, 0]), y(line[:, 1]))
            parts.append(Markup('<polyline class="stroke thin s{0}" points="{1}"/>').format(colour, at))
    return chart(Markup("").join(parts), words=words, height=TOP + tall + BOTTOM)


def _square(x: Scale, y: Scale, names: tuple[str, str]) -> Markup:
    """Axes of a square window."""
    floor, parts = y.start, []
    for value, place in zip(x.ticks(), x(np.array(x.ticks())), strict=True):
        parts.append(
            Markup(
                '<line class="grid" x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}"/>'
                '<text class="number" x="{0:.1f}" y="{3}" text-anchor="middle">{4}</text>'
            ).format(float(place), TOP, floor, floor + 17, short(value))
        )
    for value, place in zip(y.ticks(), y(np.array(y.ticks())), strict=True):
        parts.append(
            Markup(
                '<line class="grid" x1="{0}" x2="{1}" y1="{2:.1f}" y2="{2:.1f}"/>'
                '<text class="number" x="{3}" y="{4:.1f}" text-anchor="end">{5}</text>'
            ).format(LEFT, WIDTH - RIGHT, float(place), LEFT - 7, float(place) + 4, short(value))
        )
    parts.append(
        Markup('<text class="name" x="{0}" y="{1}" text-anchor="middle">{2}</text>').format(
            (x.start + x.end) / 2, floor + 38, names[0]
        )
    )
    parts.append(
        Markup('<text class="name" transform="translate(5 {0}) rotate(-90)" text-anchor="middle">{1}</text>').format(
            (y.start + y.end) / 2, names[1]
        )
    )
    return Markup("").join(parts)


def said(values: Array) -> str:
    """The range and the middle of some numbers, in words; small ones to three figures.

    >>> said(np.array([1.0, 2.0, 4.0]))
    'from 1.00 to 4.00, median 2.00'
    """
    known = values[np.isfinite(values)]
    if not len(known):
        return "not known"
    low, high, middle = known.min(), known.max(), float(np.median(known))
    digits = 2 if high - low >= 0.1 else 2 - int(np.floor(np.log10(max(abs(low), abs(high), 1e-12))))
    return f"from {number(low, digits)} to {number(high, digits)}, median {number(middle, digits)}"
