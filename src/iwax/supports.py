"""The values that have a density, as values themselves: supports that are equal are the same support."""

import math
from dataclasses import KW_ONLY, dataclass

import numpy as np

__all__ = [
    "Affine",
    "Grid",
    "Interval",
    "OfColumns",
    "Support",
    "Whole",
    "anything",
    "binary",
    "counts",
    "nonnegative",
    "positive",
    "real",
    "unit_interval",
]

_OFF_GRID = 1e-2  # of the distance between two points of the grid: more than float32 rounds, less than data differ
_NAMED = 8  # columns of a group that a message names


@dataclass(frozen=True)
class Support:
    """All values; a subclass says which are `outside`, and as its string which are not. ``advice`` says what to do.

    >>> positive == Interval(0.0, open=True), positive == nonnegative, str(positive), counts.bounds
    (True, False, 'finite numbers above 0', (0.0, None))
    """

    lower: float = -math.inf
    upper: float = math.inf
    _: KW_ONLY
    advice: str = "change such values, or use another likelihood"

    def __str__(self) -> str:
        return "any values"

    @property
    def bounds(self) -> tuple[float | None, float | None]:
        """The least and the largest value, None for no such."""
        lower, upper = (float(each) if math.isfinite(each) else None for each in (self.lower, self.upper))
        return lower, upper

    def outside(self, values: np.ndarray) -> np.ndarray:
        """Mark the values that have no density."""
        return np.zeros(values.shape, bool)

    def first_outside(self, values: np.ndarray, *, missing: bool = False) -> tuple[int, ...] | None:
        """The place of the first value outside, or None; with ``missing``, NaN is a value that was not observed."""
        marked = self.outside(values)
        marked = marked & ~np.isnan(values) if missing else marked
        return tuple(int(i) for i in np.argwhere(marked)[0]) if marked.any() else None

    def refusal(self, value: object, place: str = "", *, who: str = "the likelihood", advice: str | None = None) -> str:
        """What was got, and where; what was needed; what to do.

        >>> counts.refusal(0.5, who="a Poisson likelihood", advice="round it")
        'a Poisson likelihood gives no density to 0.5: it needs whole numbers from 0; round it'
        """
        return f"{who} gives no density to {value}{place}: it needs {self}; {advice or self.advice}"


@dataclass(frozen=True)
class Interval(Support):
    """Finite numbers from ``lower`` to ``upper``; an ``open`` one leaves both out.

    >>> Interval(0.0, 1.0).outside(np.array([-0.1, 0.0, 1.0, np.nan]))
    array([ True, False, False,  True])
    >>> str(Interval(0.0, 1.0, open=True))
    'numbers above 0 and below 1'
    """

    open: bool = False

    def __str__(self) -> str:
        if self.upper < math.inf:
            ends = f"above {self.lower:g} and below" if self.open else f"from {self.lower:g} to"
            return f"numbers {ends} {self.upper:g}"
        if self.lower == -math.inf:
            return "finite numbers"
        return f"finite numbers above {self.lower:g}" if self.open else f"{self.lower:g} or finite numbers above it"

    def outside(self, values: np.ndarray) -> np.ndarray:
        """Mark what lies beyond, NaN and infinities."""
        finite = np.isfinite(values)
        if self.bounds == (None, None):
            return ~finite
        if self.open:
            return ~(finite & (values > self.lower) & (values < self.upper))
        return ~(finite & (values >= self.lower) & (values <= self.upper))


@dataclass(frozen=True)
class Whole(Support):
    """Whole numbers from ``lower`` to ``upper``.

    >>> Whole(-1, 2).outside(np.array([-1.0, -2.0, 0.5, 3.0, np.nan])), str(Whole(0, 2))
    (array([False,  True,  True,  True,  True]), 'whole numbers from 0 to 2')
    """

    def __str__(self) -> str:
        if (self.lower, self.upper) == (0, 1):
            return "0 or 1"
        return f"whole numbers from {self.lower}" + (f" to {self.upper}" if self.upper < math.inf else "")

    def outside(self, values: np.ndarray) -> np.ndarray:
        """Mark what lies beyond, fractions, NaN and infinities."""
        if not np.issubdtype(values.dtype, np.floating):
            return (values < self.lower) | (values > self.upper)
        if (self.lower, self.upper) == (0, 1):
            return (values != 0) & (values != 1)
        return ~(np.isfinite(values) & (values >= self.lower) & (values <= self.upper) & (np.floor(values) == values))


@dataclass(frozen=True)
class Grid(Support):
    """The fractions ``k / (bins - 1)``, k = 0 to ``bins - 1``, up to rounding.

    >>> Grid(bins=256).outside(np.array([0.0, 1 / 255, 0.5], np.float32))
    array([False, False,  True])
    """

    lower: float = 0.0
    upper: float = 1.0
    bins: int = 256

    def __str__(self) -> str:
        return f"fractions k/{self.bins - 1} of whole numbers k from 0 to {self.bins - 1}"

    def outside(self, values: np.ndarray) -> np.ndarray:
        """Mark what is not on the grid."""
        k = values * np.float32(self.bins - 1)
        with np.errstate(invalid="ignore"):  # infinity less infinity
            return unit_interval.outside(values) | ~(np.abs(k - np.round(k)) < _OFF_GRID)


@dataclass(frozen=True, kw_only=True)
class OfColumns(Support):
    """A support for each group of columns.

    >>> OfColumns(columns=((0,), (1, 2)), supports=(binary, counts)).outside(np.array([[2.0, 2.0, 0.5]]))
    array([[ True, False,  True]])
    """

    columns: tuple[tuple[int, ...], ...]
    supports: tuple[Support, ...]

    def __str__(self) -> str:
        return "; ".join(
            f"{support} in column{'s' * (len(columns) > 1)} {', '.join(map(str, columns[:_NAMED]))}"
            f"{' ...' * (len(columns) > _NAMED)}"
            for columns, support in zip(self.columns, self.supports, strict=True)
        )

    def outside(self, values: np.ndarray) -> np.ndarray:
        """Mark column by column."""
        marked = np.zeros(values.shape, bool)
        for columns, support in zip(self.columns, self.supports, strict=True):
            marked[..., list(columns)] = support.outside(values[..., list(columns)])
        return marked


@dataclass(frozen=True, kw_only=True)
class Affine(Support):
    """``loc + scale y`` of y in a ``support``, a number each a feature.

    >>> Affine(support=binary, loc=(1.0,), scale=(2.0,)).outside(np.array([[1.0], [2.0], [3.0]])).ravel()
    array([False,  True, False])
    """

    support: Support
    loc: tuple[float, ...]
    scale: tuple[float, ...]

    def __str__(self) -> str:
        return str(self.support)

    def outside(self, values: np.ndarray) -> np.ndarray:
        """Mark what is outside in the units of y."""
        return self.support.outside((values - np.asarray(self.loc)) / np.asarray(self.scale))


anything = Support()
real = Interval()
positive = Interval(0.0, open=True)
nonnegative = Interval(0.0)
unit_interval = Interval(0.0, 1.0)
counts = Whole(0)
binary = Whole(
    0, 1, advice="binarise grey values (binarize=True redraws 0..255 while training), or use another likelihood"
)
