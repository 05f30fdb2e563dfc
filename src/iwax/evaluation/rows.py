"""Rows as a caller gives them, an array or a `Datum`: checked on the host, and cut into blocks of one shape.

One compilation then serves all blocks.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from iwax import batched, parallel
from iwax._typing import ArrayLike
from iwax.evaluation import tables
from iwax.model import LatentVariableModel
from iwax.parts import Datum

__all__ = [
    "Block",
    "DataPoints",
    "as_one_table",
    "at_least",
    "blocks",
    "by_row",
    "check_key",
    "check_points",
    "checked",
    "host_datum",
    "prepared",
    "rows_at",
]

_LARGEST = 2**31 - 1  # of a whole number where JAX has 32 bits for it
DataPoints: TypeAlias = np.ndarray | Datum  # rows [n, ...], NaN where a value is missing, or a datum of such arrays


class Block(NamedTuple):
    """Rows ``first`` to ``stop - 1``; ``x`` may hold further ones, copies of the last, as padding."""

    first: int
    stop: int
    x: Datum

    @property
    def size(self) -> int:
        """The number of rows without the copies."""
        return self.stop - self.first


def check_points(
    model: LatentVariableModel,
    x: ArrayLike | Datum,
    *,
    name: str = "x",
    missing: bool = False,
    empty: bool = False,
) -> DataPoints:
    """Rows [n, *event of the model] of finite numbers, or a datum of such arrays and of the covariates the model needs.

    Raises TypeError and ValueError, as `tables.table` does, where an array is not such a table, and ValueError where a
    covariate is missing or has another shape, or arrays have other numbers of rows. With ``missing`` a NaN is a value
    that was not observed; a datum says by itself what was.

    >>> from iwax import likelihoods, nn, posteriors, priors
    >>> model = LatentVariableModel(
    ...     prior=priors.StandardNormal(2),
    ...     likelihood=likelihoods.Bernoulli(nn.Linear(2, 4, key=jax.random.key(0))),
    ...     posterior=posteriors.Gaussian(nn.Linear(4, 4, key=jax.random.key(1))),
    ... )
    >>> check_points(model, [[0, 1, 1, 0]]).shape
    (1, 4)
    """
    event = model.event if isinstance(model, LatentVariableModel) else None
    if not isinstance(x, Datum):
        found = tables.table(name, x, event, missing=missing, empty=empty)
        if event is not None:
            model.check_given(None)
        return found
    leaves, structure = jax.tree.flatten(x.values)
    wanted = [None] * len(leaves) if event is None else jax.tree.leaves(event, is_leaf=_is_shape)
    if len(wanted) != len(leaves):
        raise ValueError(f"{name}.values must have {len(wanted)} arrays, as the model generates, got {len(leaves)}")
    values = [tables.table(f"{name}.values", *pair) for pair in zip(leaves, wanted, strict=True)]
    found = Datum(
        jax.tree.unflatten(structure, values),
        observed=jax.tree.map(lambda each: tables.marks(f"{name}.observed", each), x.observed),
        given=jax.tree.map(np.asarray, x.given),
        index=None if x.index is None else np.asarray(x.index),
        inputs=None if x.inputs is None else tables.table(f"{name}.inputs", x.inputs, None),
    )
    sizes = {np.shape(leaf)[0] if np.ndim(leaf) else None for leaf in jax.tree.leaves(found)}
    if len(sizes) > 1:
        raise ValueError(f"all arrays of {name} must have one row for each data point, got {sorted(map(str, sizes))}")
    model.check_given(jax.tree.map(lambda leaf: leaf[0], found.given))
    return found


def host_datum(x: DataPoints) -> Datum:
    """Rows [n, *event] as a datum of NumPy arrays, in which what is NaN was not observed; a datum as it is.

    >>> host_datum(np.array([[1.0, np.nan], [3.0, 4.0]])).observed.tolist()
    [[True, False], [True, True]]
    """
    if isinstance(x, Datum):
        return x
    missing = np.isnan(x) if x.dtype.kind == "f" else np.zeros(1, bool)
    return Datum(np.where(missing, 0, x), observed=~missing) if missing.any() else Datum(x)


def as_one_table(x: Datum) -> np.ndarray:
    """The values [n, *event] of a datum, NaN where one was not observed; ValueError where they are a tree of arrays."""
    if not isinstance(x.values, np.ndarray):
        raise ValueError("needed values that are one array for each data point, got a tree of them")
    return x.values if x.observed is None else np.where(x.observed, x.values, np.nan)


def rows_at(x: Datum, index: np.ndarray, numbers: np.ndarray) -> Datum:
    """The rows of these places, on the device, with their ``numbers``; shared out where devices get as many each.

    >>> rows_at(Datum(np.array([[1], [3]])), np.array([1]), np.array([7])).values.tolist()
    [[3.0]]
    """
    rows = jax.tree.map(lambda leaf: jnp.asarray(leaf[index]), x)
    values = jax.tree.map(lambda leaf: leaf.astype(float), rows.values)
    found = Datum(values, rows.observed, rows.given, jnp.asarray(numbers), rows.inputs)
    return found if len(index) % parallel.count() else parallel.shared(found)


def _is_shape(node: Any) -> bool:
    return isinstance(node, tuple) and all(isinstance(size, int) for size in node)


def checked(
    model: LatentVariableModel,
    x: ArrayLike | Datum,
    rows: ArrayLike | None,
    key: Any,
    *,
    missing: bool = False,
    empty: bool = False,
) -> Datum:
    """Data points as a datum of NumPy arrays, whose ``index`` are ``rows``, or its own numbers, or 0, 1, ....

    Raises TypeError and ValueError, as `check_points` and `check_key` do, where x is not of the model's shape (a NaN
    may stand for a value that is ``missing``), there is not one number per row, or ``key`` is no key.
    """
    check_key(key)
    found = host_datum(check_points(model, x, missing=missing, empty=empty))
    rows = found.index if rows is None else rows
    return replace(found, index=tables.row_numbers(rows, len(found)))


def prepared(
    model: LatentVariableModel, x: ArrayLike | Datum, rows: ArrayLike | None, key: Any, *, missing: bool = False
) -> tuple[LatentVariableModel, Datum]:
    """The model bound once for all that follows, and data points `checked`, in the support of its likelihood."""
    x = checked(model, x, rows, key, missing=missing)
    model.refuse_outside(x)
    return parallel.copied(batched.ready(model, key)), x


def check_key(key: Any) -> None:
    """TypeError unless ``key`` is one key of `jax.random.key`."""
    if not (isinstance(key, jax.Array) and jnp.issubdtype(key.dtype, jax.dtypes.prng_key) and key.ndim == 0):
        got = f"an array {key.dtype}{list(key.shape)}" if isinstance(key, jax.Array) else repr(key)
        raise TypeError(f"key must be one random key, jax.random.key(seed): got {got}")


def at_least(least: int, numbers: Mapping[str, int]) -> None:
    """Raise ValueError, naming it, for the first number below ``least`` or beyond 2^31; TypeError for one not whole.

    >>> at_least(1, {"k": 5, "batch": 20})
    """
    for name, number in numbers.items():
        if isinstance(number, bool) or not isinstance(number, int | np.integer):
            raise TypeError(f"{name} must be a whole number, got {number!r}")
        if not least <= number <= _LARGEST:
            limit = f"at least {least}" if number < least else f"at most {_LARGEST}"
            raise ValueError(f"{name} must be {limit}, got {number}")


def blocks(x: Any, size: int) -> Iterator[Block]:
    """The rows of a datum, or of every leaf of x, at most ``size`` at a time, all blocks of one shape.

    Their numbers are the datum's ``index``, or 0, 1, .... Where there are several devices (`parallel.over`) a block of
    more than one row has ``size`` rounded up to as many for each.

    >>> [block.size for block in blocks(np.zeros((5, 2)), 3)]
    [3, 2]
    """
    points = x if isinstance(x, Datum) else Datum(x)
    n, size = len(points), min(size, len(points))
    size = parallel.whole(size) if size > 1 else size
    rows = np.arange(n) if points.index is None else np.asarray(points.index)
    for first in range(0, n, size):
        index = np.minimum(np.arange(first, first + size), n - 1)
        yield Block(first, min(first + size, n), rows_at(points, index, rows[index]))


def by_row(
    function: Callable[[Block], Any],
    x: Any,
    size: int,
    *,
    progress: Callable[[int, int], None] | None = None,
    axis: int = 0,
) -> Any:
    """The outputs of a function of every block on the host, less its padding, one after another along the rows' axis.

    ``progress(done, total)`` is called as rows are done.

    >>> by_row(lambda block: 2 * block.x.values, np.arange(5.0), 3).tolist()
    [0.0, 2.0, 4.0, 6.0, 8.0]
    """
    found = []
    for block in blocks(x, size):
        rows = (*(slice(None),) * axis, slice(block.size))
        found.append(jax.tree.map(lambda leaf, rows=rows: np.asarray(leaf)[rows], function(block)))
        if progress is not None:
            progress(block.stop, len(jax.tree.leaves(x)[0]))
    return jax.tree.map(lambda *leaves: np.concatenate(leaves, axis=axis), *found)
