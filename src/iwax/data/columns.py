"""The columns of a table: the kind of values in each, inferred from its cells or given by the owner of the table."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, get_args

import numpy as np

from iwax.formats.cell import exact
from iwax.formats.cells import Cells
from iwax.formats.columnar import packed
from iwax.formats.refusals import Option, TableError, cut

ColumnKind = Literal[
    "continuous", "positive", "nonnegative", "count", "integer", "nonnegative_integer", "binary", "categorical"
]
KINDS: tuple[ColumnKind, ...] = get_args(ColumnKind)
DROP = "drop"  # given instead of a kind: the column is left out
LARGEST = float(np.finfo(np.float32).max)
OVERFLOWS = 2.0**128 - 2.0**103  # the least number that float32 rounds to infinity; LARGEST, printed, is below it
SMALLEST = float(np.finfo(np.float32).tiny)  # above 0; what is nearer to it may be taken for 0
LARGEST_COUNT = 2**24  # up to here float32 tells whole numbers apart
WHOLE = {"count": 0, "integer": -LARGEST_COUNT, "nonnegative_integer": 0}  # kinds of whole numbers, from the least
WIDE = 10.0  # largest over smallest value of a column that is positive rather than continuous
MANY_ZEROS = 0.05  # share of zeros from which on a column is taken for one that has a mass there
NARROW = 1e-5  # standard deviation over mean below which float32 keeps too few digits


_ALIKE = {  # what a kind is called elsewhere
    **dict.fromkeys(("float", "real", "number", "numeric", "normal", "gaussian"), "continuous"),
    **dict.fromkeys(("lognormal", "gamma", "exponential"), "positive"),
    **dict.fromkeys(("poisson", "counts"), "count"),
    **dict.fromkeys(("int", "whole", "ordinal"), "integer"),
    **dict.fromkeys(("bool", "boolean", "bernoulli"), "binary"),
    **dict.fromkeys(("category", "class", "factor", "string", "text", "nominal"), "categorical"),
    **dict.fromkeys(("ignore", "skip", "id"), DROP),
}


def meant_kind(word: object) -> str | None:
    """The kind that was perhaps meant by a word that is none.

    >>> meant_kind("poison"), meant_kind("catgorical"), meant_kind("xyz")
    ('count', 'categorical', None)
    """
    names = {name: name for name in (*KINDS, DROP)} | _ALIKE
    near = difflib.get_close_matches(str(word).lower(), names, n=1)
    return names[near[0]] if near else None


@dataclass(frozen=True)
class Column:
    """The name of a column, the kind of its values and, for binary and categorical ones, their names.

    A value is a number or the place of its level, from 0; NaN where it is missing.

    >>> Column("smoker", "binary", ("no", "yes")).allows(np.array([0.0, 1.0, 2.0, np.nan]))
    array([ True,  True, False,  True])
    """

    name: str
    kind: ColumnKind
    levels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"column {self.name!r}: the kind must be one of {', '.join(KINDS)}; got {self.kind!r}")
        if not self.name or self.name != self.name.strip():
            raise ValueError(f"a column needs a name without space around it; got {self.name!r}")
        wanted = {"binary": len(self.levels) == 2, "categorical": bool(self.levels)}.get(self.kind, not self.levels)
        if not isinstance(self.levels, tuple) or not wanted or len(set(self.levels)) != len(self.levels):
            raise ValueError(
                f"column {self.name!r}: needed a tuple of 2 levels for binary, of one or more for categorical, none "
                f"twice, and none else; got {self.levels!r} for {self.kind}"
            )
        if not all(level and level == level.strip() for level in self.levels):
            raise ValueError(f"column {self.name!r}: a level needs text without space around it; got {self.levels!r}")

    def allows(self, values: np.ndarray) -> np.ndarray:
        """True where a value is one that this column can hold, or missing."""
        inside = np.abs(np.asarray(values, np.float64)) < OVERFLOWS
        if self.kind in ("positive", "nonnegative"):
            inside = (values >= SMALLEST) & inside | ((values == 0) & (self.kind == "nonnegative"))
        elif self.kind != "continuous":
            most = len(self.levels) - 1 if self.levels else LARGEST_COUNT
            inside = (values >= WHOLE.get(self.kind, 0)) & (values <= most) & (np.floor(values) == values)
        return inside | np.isnan(values)

    @property
    def whole(self) -> bool:
        """Whether its values are whole numbers, which a mean of them need not be."""
        return self.kind in WHOLE

    @property
    def needs(self) -> str:
        """The values it can hold, in words."""
        if self.levels:
            return f"one of the levels {listed(self.levels)}"
        if self.kind in WHOLE:
            return f"whole numbers {WHOLE[self.kind]} .. {LARGEST_COUNT}"
        above = f"numbers {SMALLEST:.2g} .. {LARGEST:.2g}"
        of_size = f"numbers of size up to {LARGEST:.2g}"
        return {"positive": above, "nonnegative": f"0 or {above}"}.get(self.kind, of_size)


def listed(names: Sequence[str], most: int = 5) -> str:
    """The first few names, and how many there are.

    >>> listed("abcdefg", most=2)
    "'a', 'b' ... (7 in all)"
    """
    shown = ", ".join(cut(name) for name in names[:most])
    return shown if len(names) <= most else f"{shown} ... ({len(names)} in all)"


def summary(columns: Sequence[Column]) -> str:
    """How many columns there are of each kind.

    >>> summary([Column("a", "count"), Column("b", "categorical", ("x", "y", "z"))])
    '2 columns: 1 count, 1 categorical (3 levels)'
    """
    parts = []
    for kind in KINDS:
        sizes = sorted(len(column.levels) for column in columns if column.kind == kind)
        levels = " to ".join(map(str, sorted({*sizes[:1], *sizes[-1:]})))
        parts += [f"{len(sizes)} {kind}{f' ({levels} levels)' if kind == 'categorical' else ''}"] if sizes else []
    return f"{len(columns)} column{'s' * (len(columns) != 1)}: {', '.join(parts)}"


def infer(table: Cells, place: int, *, kind: ColumnKind | None = None) -> Column:
    """The column at a place of a table, by the first rule that fits its cells that are not missing.

    1. Any cell is no number, or all are codes of digits (`are_codes`): binary of two distinct texts, else categorical.
       Levels are sorted, numbers by size before other texts.
    2. Just 0 and 1: binary. One distinct number: continuous.
    3. Whole numbers of size up to 2^24: integer where one is below 0, count where their variance is at least their
       mean, else nonnegative_integer.
    4. All above 0, the largest more than ten times the smallest, and logarithms less skew than the numbers: positive.
    5. Zeros, and the others as in 4; or at least two zeros, one cell in twenty, and the others above 0: nonnegative.
    6. Anything else: continuous.

    ``kind`` is taken instead where it is given; whether all cells fit it shows when they are encoded. Raises
    ValueError where no cell holds a value, and where numbers lie so close together that float32 would lose their
    digits.

    >>> columns = ["red", "blue", None, "green"], ["0", "3", "12", "1"], ["2", "3", "3", None], ["0", "0", "2.5", None]
    >>> table = Cells("t.csv", ("colour", "visits", "rating", "rain"), tuple(map(packed, columns)), range(2, 6))
    >>> infer(table, 0)
    Column(name='colour', kind='categorical', levels=('blue', 'green', 'red'))
    >>> infer(table, 1).kind, infer(table, 2).kind, infer(table, 3).kind
    ('count', 'nonnegative_integer', 'nonnegative')
    """
    name, cells, (values, words) = table.names[place], table.columns[place], table.numbers(place)
    where, values = f"{table.source}: column {name!r}", values[~np.isnan(values)]
    if not len(values) and not words:
        drop = Option("kinds", DROP, name)
        raise TableError(f"{where} needs at least one value; every cell is missing; leave it out with ", drop)
    if kind is None:
        of_texts = bool(words) or table.are_codes(place)
        kind = ("binary" if len(table.texts(place)) == 2 else "categorical") if of_texts else _kind(values)
    if kind in ("binary", "categorical"):
        return Column(name, kind, _levels(kind, table.texts(place), where))
    if not words:
        _refuse_inexact(cells, values, where)
        if kind != "count":
            _refuse_narrow(values, where)
    return Column(name, kind)


def _kind(values: np.ndarray) -> ColumnKind:
    """The kind of a column of numbers."""
    low, high = values.min(), values.max()
    if np.array_equal(np.unique(values), [0, 1]):
        return "binary"
    if low == high or not np.abs(values).max() <= LARGEST:
        return "continuous"
    if np.abs(values).max() <= LARGEST_COUNT and bool((np.floor(values) == values).all()):
        if low < 0:
            return "integer"
        return "count" if values.var() >= values.mean() else "nonnegative_integer"
    above = values[values != 0]
    if above.min() < SMALLEST:
        return "continuous"
    multiplicative = above.max() > WIDE * above.min() and _skewness(np.log(above)) < _skewness(above)
    if above.size == values.size:
        return "positive" if multiplicative else "continuous"
    many = values.size - above.size >= max(2, MANY_ZEROS * values.size)
    return "nonnegative" if multiplicative or many else "continuous"


def _skewness(values: np.ndarray) -> float:
    """The size of the third standardised moment."""
    centred = values - values.mean()
    return float(np.abs(np.mean(centred**3)) / np.mean(centred**2) ** 1.5)


def _levels(kind: str, texts: Iterable[str], where: str) -> tuple[str, ...]:
    size = {text: exact(text) for text in texts}
    if kind == "binary" and set(size.values()) <= {0, 1} and not packed([*size]).are_codes():
        return ("0", "1")
    levels = tuple(sorted(size, key=lambda text: (size[text] is None, size[text] or 0, text)))
    for first, second in pairwise(levels):
        if size[first] is not None and size[first] == size[second]:
            raise ValueError(
                f"{where} needs one way to write a level; got {first!r} and {second!r} for one number; write it in one "
                "way, or say which kind of number they are, such as continuous"
            )
    if kind == "binary" and len(levels) != 2:
        raise ValueError(f"{where} needs two distinct values to be binary; got {listed(levels)}")
    return levels


def _refuse_inexact(cells: Iterable[str | None], values: np.ndarray, where: str) -> None:
    """Different numbers that are all one in float64, which keeps fifteen digits."""
    if values.min() != values.max():
        return
    first, size = "", None
    for cell in cells:
        if cell is not None and cell != first:
            found = exact(cell)
            if size is not None and found != size:
                raise ValueError(
                    f"{where} needs numbers that fifteen digits tell apart; got {cut(first)} and {cut(cell)}, "
                    "which are one number in double precision; if they are names rather than numbers, say categorical"
                )
            first, size = cell, found


def _refuse_narrow(values: np.ndarray, where: str) -> None:
    """Different numbers that float32, which keeps seven digits, would not tell apart well."""
    if not np.abs(values).max() <= LARGEST or values.min() == values.max():
        return
    mean, deviation = values.mean(), values.std()
    if deviation < NARROW * abs(mean):
        raise ValueError(
            f"{where} needs values that seven digits tell apart; got mean {mean:.12g} and standard deviation "
            f"{deviation:.3g}; subtract an offset such as {mean:.12g} from the column first"
        )
