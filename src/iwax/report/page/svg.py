"""Axes and marks as SVG that takes its colours from the page: it turns dark with it, and stays sharp in print."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from matplotlib.ticker import MaxNLocator

__all__ = [
    "BOTTOM",
    "HEIGHT",
    "LEFT",
    "RIGHT",
    "TOP",
    "WIDTH",
    "Scale",
    "axes",
    "chart",
    "coordinates",
    "legend",
    "short",
]

Array = np.ndarray

WIDTH, HEIGHT = 520, 300  # user units; a page shows them at about one pixel each, a phone at three quarters
LEFT, RIGHT, TOP, BOTTOM = 74, 14, 30, 44  # margins: numbers, air, legend, names of axes


@dataclass(frozen=True)
class Scale:
    """From numbers to user units along one axis, linear or logarithmic.

    >>> Scale(0.0, 10.0, 0.0, 100.0)(np.array([5.0])).tolist()
    [50.0]
    """

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, values: Array) -> Array:
        """Where the values lie; those outside are moved to the edge."""
        inside = np.clip(np.asarray(values, np.float64), self.low, self.high)
        low, high = self.low, self.high
        if self.logarithmic:
            low, high, inside = np.log10(low), np.log10(high), np.log10(inside)
        return self.start + (inside - low) / ((high - low) or 1.0) * (self.end - self.start)

    def ticks(self, most: int = 6) -> list[float]:
        """A few round numbers in the range; powers of ten on a logarithmic scale."""
        if self.logarithmic:
            return self._powers(most)
        found = MaxNLocator(most, steps=[1, 2, 2.5, 5, 10]).tick_values(self.low, self.high)
        air = 1e-9 * (self.high - self.low)
        return [float(t) for t in found if self.low - air <= t <= self.high + air]

    def _powers(self, most: int) -> list[float]:
        """Powers of ten; of a short range, 2 and 5 times them too; of a shorter one, evenly spaced numbers."""
        low, high = np.log10(self.low) - 1e-9, np.log10(self.high) + 1e-9
        powers = np.arange(np.floor(low), np.ceil(high) + 1)
        for steps in ([1], [1, 3], [1, 2, 5]):
            every = np.sort((powers[:, None] + np.log10(steps)).ravel())
            every = every[(every >= low) & (every <= high)]
            if len(every) >= (3 if high - low < 2 else 4):
                return [float(f"{10.0**p:.3g}") for p in every[:: max(1, -(-len(every) // most))]]
        linear = MaxNLocator(4).tick_values(self.low, self.high)
        return [float(t) for t in linear if self.low <= t <= self.high]


def short(value: float) -> str:
    """A number on an axis, with a true minus sign and few digits.

    >>> short(-20000.0), short(0.25), short(1e-7)
    ('−20,000', '0.25', '1e−07')
    """
    text = f"{value:,.0f}" if abs(value) >= 1000 and value == round(value) and abs(value) < 1e7 else f"{value:.6g}"
    return text.replace("-", "\N{MINUS SIGN}")


def coordinates(x: Iterable[float], y: Iterable[float]) -> str:
    """Points as the text of a path or polyline, to a tenth of a unit.

    >>> coordinates([0, 1.25], [2, 3])
    '0,2 1.2,3'
    """
    return " ".join(f"{round(float(a), 1):g},{round(float(b), 1):g}" for a, b in zip(x, y, strict=True))


def axes(x: Scale, y: Scale, *, names: tuple[str, str], whole: bool = False, vertical: bool = True) -> Markup:
    """Grid lines, numbers and the names of both axes; with ``whole`` only whole numbers stand on the first."""
    floor, parts = HEIGHT - BOTTOM, []
    ticks = [t for t in x.ticks() if not whole or t == round(t)]
    for value, place in zip(ticks, x(np.array(ticks)), strict=True):
        parts.append(
            Markup('<text class="number" x="{0:.1f}" y="{1}" text-anchor="middle">{2}</text>').format(
                float(place), floor + 17, short(value)
            )
        )
    for value, place in zip(y.ticks(5), y(np.array(y.ticks(5))), strict=True) if vertical else ():
        parts.append(
            Markup(
                '<line class="grid" x1="{0}" x2="{1}" y1="{2:.1f}" y2="{2:.1f}"/>'
                '<text class="number" x="{3}" y="{4:.1f}" text-anchor="end">{5}</text>'
            ).format(LEFT, WIDTH - RIGHT, float(place), LEFT - 7, float(place) + 4, short(value))
        )
    parts.append(Markup('<line class="axis" x1="{0}" x2="{1}" y1="{2}" y2="{2}"/>').format(LEFT, WIDTH - RIGHT, floor))
    parts.append(
        Markup('<text class="name" x="{0}" y="{1}" text-anchor="middle">{2}</text>').format(
            (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, names[0]
        )
    )
    if names[1]:
        parts.append(
            Markup(
                '<text class="name" transform="translate(5 {0}) rotate(-90)" text-anchor="middle">{1}</text>'
            ).format((TOP + floor) / 2, names[1])
        )
    return Markup("").join(parts)


def legend(entries: Sequence[tuple[str, int]], *, kind: str, small: bool = False) -> Markup:
    """Names of series above the axes, each behind its mark: a "line", a "bar" or a "dot"."""
    parts, left = [], float(LEFT)
    for name, colour in entries:
        if kind == "dot":
            mark = Markup('<path class="key p{0}" d="M{1:.0f},14h0"/>')
        elif kind == "line":
            mark = Markup('<line class="stroke s{0} d{0}" x1="{1:.0f}" x2="{2:.0f}" y1="14" y2="14"/>')
        else:
            mark = Markup('<rect class="fill s{0}" x="{1:.0f}" y="8" width="14" height="12"/>')
        parts.append(mark.format(colour, left, left + 20))
        parts.append(Markup('<text class="number" x="{0:.0f}" y="18">{1}</text>').format(left + 26, name))
        left += 26 + (9.5 if small else 8.5) * len(name) + 14
    return Markup("").join(parts)


def chart(body: Markup, *, words: str, height: int = HEIGHT) -> Markup:
    """The whole drawing; ``words`` are its text alternative."""
    return Markup('<svg class="chart" viewBox="0 0 {0} {1}" role="img" aria-label="{2}">{3}</svg>').format(
        WIDTH, height, words, body
    )
