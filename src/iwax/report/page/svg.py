"""Axes and marks as SVG that takes its colours from the page: it turns dark with it, and stays sharp in print."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from markupsafe import Markup
from matplotlib.ticker import MaxNLocator

__all__ = [
    "BOTTOM",
    "HEIGHT",
    "LEFT",
    "RIGHT",
    "SHADES",
    "TOP",
    "WIDTH",
    "Scale",
    "axes",
    "chart",
    "coordinates",
    "legend",
    "shade",
    "short",
]

Array = np.ndarray

WIDTH, HEIGHT = 520, 300  # user units; a page shows them at about one pixel each, a phone at three quarters
LEFT, RIGHT, TOP, BOTTOM = 74, 14, 30, 44  # margins: numbers, air, legend, names of axes
SHADES = 8  # classes of colour and dash that the style sheet has
LINE = 20  # from one line of a legend to the next


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


def shade(i: int) -> str:
    """The classes of the i-th line: a colour, and a dash that is another one when the colours begin anew.

    >>> shade(1), shade(9)
    ('s1 d1', 's1 d2')
    """
    return f"s{i % SHADES} d{(i + i // SHADES) % SHADES}"


class Legend(NamedTuple):
    """What is drawn, and the room that it needs above that of one line."""

    body: Markup
    above: int


_MARKS = {
    "dot": Markup('<path class="key p{0}" d="M{1:.0f},{2}h0"/>'),
    "line": Markup('<line class="stroke {0}" x1="{1:.0f}" x2="{3:.0f}" y1="{2}" y2="{2}"/>'),
    "bar": Markup('<rect class="fill s{0}" x="{1:.0f}" y="{4}" width="14" height="12"/>'),
}


def legend(entries: Sequence[tuple[str, int]], *, kind: str, small: bool = False) -> Legend:
    """Names of series above the axes, each behind its mark: a "line", a "bar" or a "dot"; in lines that fit the chart.

    A name that is longer than a line is cut in its middle.
    """
    letter = 9.5 if small else 8.5
    longest = int((WIDTH - RIGHT - LEFT - 26) / letter)
    lines: list[list[tuple[float, str, int]]] = [[]]
    left = float(LEFT)
    for name, colour in entries:
        short_name = name if len(name) <= longest else f"{name[: longest // 2]}…{name[-(longest // 2 - 1) :]}"
        width = 26 + letter * len(short_name)
        if lines[-1] and left + width > WIDTH - RIGHT:
            lines.append([])
            left = float(LEFT)
        lines[-1].append((left, short_name, colour))
        left += width + 14
    parts, above = [], LINE * (len(lines) - 1)
    for i, line in enumerate(lines):
        middle = 14 + LINE * i - above
        for start, name, colour in line:
            parts.append(
                _MARKS[kind].format(shade(colour) if kind == "line" else colour, start, middle, start + 20, middle - 6)
            )
            parts.append(
                Markup('<text class="number" x="{0:.0f}" y="{1}">{2}</text>').format(start + 26, middle + 4, name)
            )
    return Legend(Markup("").join(parts), above)


def chart(body: Markup, *, words: str, height: int = HEIGHT, above: int = 0) -> Markup:
    """The whole drawing, with room ``above`` it; ``words`` are its text alternative."""
    return Markup('<svg class="chart" viewBox="0 {0} {1} {2}" role="img" aria-label="{3}">{4}</svg>').format(
        -above, WIDTH, height + above, words, body
    )
