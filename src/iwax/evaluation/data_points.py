"""Data points as a caller gives them, an array of rows or a `Datum`, checked on the host and cut into blocks."""

from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from iwax.evaluation import tables
from iwax.model import LatentVariableModel
from iwax.parts import Datum

__all__ = ["DataPoints", "as_one_table", "check_points", "host_datum", "rows_at"]

DataPoints: TypeAlias = np.ndarray | Datum  # rows [n, ...], NaN where a value is missing, or a datum of such arrays


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
    event = tables.event_of(model)
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
    """The rows of these places, on the device, with their ``numbers``.

    >>> rows_at(Datum(np.array([[1], [3]])), np.array([1]), np.array([7])).values.tolist()
    [[3.0]]
    """
    rows = jax.tree.map(lambda leaf: jnp.asarray(leaf[index]), x)
    values = jax.tree.map(lambda leaf: leaf.astype(float), rows.values)
    return Datum(values, rows.observed, rows.given, jnp.asarray(numbers), rows.inputs)


def _is_shape(node: Any) -> bool:
    return isinstance(node, tuple) and all(isinstance(size, int) for size in node)
