"""What is given in place of an array of numbers, by name: rows are of `FEATURES` values."""

import datetime
from typing import Any

import numpy as np
import scipy.sparse

FEATURES = 3
ROWS = 6


def good(rows: int = 60) -> np.ndarray:
    """Rows of numbers as they should be."""
    return np.random.default_rng(0).normal(size=(rows, FEATURES))


def _with(value: Any, dtype: Any = float) -> np.ndarray:
    """Good rows with one cell of this value."""
    rows = good(ROWS).astype(dtype)
    rows[2, 1] = value
    return rows


BAD: dict[str, Any] = {
    "no rows": np.zeros((0, FEATURES)),
    "no columns": np.zeros((ROWS, 0)),
    "one axis": np.zeros(FEATURES),
    "no axis": np.float64(1.0),
    "three axes": np.zeros((ROWS, FEATURES, 2)),
    "too wide": np.zeros((ROWS, FEATURES + 1)),
    "too narrow": np.zeros((ROWS, FEATURES - 1)),
    "complex": good(ROWS) + 1j,
    "objects": _with(object(), object),
    "None among numbers": _with([1], object),
    "a huge whole number": [[10**400] * FEATURES] * ROWS,
    "texts": np.full((ROWS, FEATURES), "a"),
    "bytes": np.full((ROWS, FEATURES), b"a"),
    "a record": np.zeros(ROWS, [("a", float), ("b", float), ("c", float)]),
    "dates": np.full((ROWS, FEATURES), np.datetime64("2020-01-01")),
    "spans of time": np.full((ROWS, FEATURES), np.timedelta64(1, "D")),
    "dates of Python": [[datetime.date(2020, 1, 1)] * FEATURES] * ROWS,
    "ragged": [[1.0, 2.0, 3.0], [1.0, 2.0], [1.0]],
    "sparse": scipy.sparse.csr_matrix(np.ones((ROWS, FEATURES))),
    "inf": _with(np.inf),
    "-inf": _with(-np.inf),
    "beyond single precision": _with(1e39),
    "the largest number": _with(1.7e308),
    "all masked": np.ma.MaskedArray(good(ROWS), np.ones((ROWS, FEATURES), bool)),
    "one masked": np.ma.MaskedArray(_with(1e30), _with(1) == 1),
    "nothing": None,
    "a text": "rows.npy",
    "a number": 3,
    "a dictionary": {"a": [1.0], "b": [2.0]},
    "a set": {1.0, 2.0, 3.0},
    "a generator": "made anew",
    "a function": len,
    "an empty list": [],
    "lists of nothing": [[], []],
    "lists of None": [[None] * FEATURES] * ROWS,
    "arrays in a list": [np.zeros((2, FEATURES))] * ROWS,
}
NOT_MISSING: dict[str, Any] = {  # bad where no value may be missing
    "NaN": _with(np.nan),
    "a row of NaN": np.vstack([good(ROWS), np.full((1, FEATURES), np.nan)]),
    "nothing but NaN": np.full((ROWS, FEATURES), np.nan),
}


def given(name: str) -> Any:
    """The thing of a name; a generator anew, for it can be read once."""
    if name == "a generator":
        return (row for row in good(ROWS))
    return {**BAD, **NOT_MISSING}[name]


def from_inside(error: BaseException) -> bool:
    """Whether the error was raised by JAX or what stands on it, and not by a check."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    file = trace.tb_frame.f_code.co_filename if trace is not None else ""
    inside = any(f"/{package}/" in file for package in ("jax", "jaxlib", "equinox", "numpyro", "optax", "beartype"))
    return inside or type(error).__module__.split(".")[0] in ("jax", "jaxlib", "equinox", "beartype", "jaxtyping")
