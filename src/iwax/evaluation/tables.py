"""What a caller gives, as numbers: read once, on the host, and refused in our own words, before anything is computed.

Every public function that takes rows, latents or scores reads them here. JAX would take a complex number for its real
part, a whole number beyond 2^31 for another one, 1e39 for infinity and a masked cell for what lies under the mask.
"""

from collections.abc import Iterator
from numbers import Real
from typing import Any

import jax.numpy as jnp
import numpy as np

from iwax._typing import ArrayLike

__all__ = ["check_cells", "marks", "numeric", "refusal", "row_numbers", "table", "unmasked"]

_LARGEST = 2**31 - 1  # of a whole number where JAX has 32 bits for it


def table(
    name: str, values: ArrayLike, event: tuple[int, ...] | None, *, missing: bool = False, empty: bool = False
) -> np.ndarray:
    """Finite numbers [n, *event] of native byte order, n of 1 or more; any number of features where event is None.

    With ``missing`` a NaN or a masked cell is a value that was not observed, NaN in what is returned; of every row one
    must be observed, unless rows may be ``empty``. Whole numbers that JAX would wrap around come back as float64.
    Raises TypeError for what are no numbers, ValueError for another shape, for numbers that are not finite in the
    precision computed with, and for masked cells where none may be missing; each names the first cell.

    >>> table("x", [[1, 2**40]], (2,))
    array([[1.00e+00, 1.10e+12]])
    """
    found = numeric(name, values, missing=missing)
    right = found.ndim == 2 if event is None else found.ndim == 1 + len(event) and found.shape[1:] == event
    if not right or found.size == 0:
        wanted = ", ".join(map(str, ["n", *(("features",) if event is None else event)]))
        raise ValueError(f"{name} must be [{wanted}] with n of 1 or more: got shape {found.shape}")
    check_cells(found.reshape(len(found), -1), missing=missing, empty=empty, name=name)
    if found.dtype.kind in "iu" and found.dtype.itemsize >= 4 and (found.max() > _LARGEST or found.min() < -_LARGEST):
        return found.astype(np.float64)
    return found.astype(np.float64) if found.dtype.itemsize > 8 else found


def check_cells(x: np.ndarray, *, missing: bool, empty: bool = False, name: str = "x") -> None:
    """Raise ValueError, naming the cell, unless all cells [n, features] are finite or, as NaN, may be ``missing``.

    Finite in the precision that is computed with: single unless JAX is set to another. A row of which nothing was
    observed is refused too, unless rows may be ``empty``: it says nothing, and its log p(x) is 0.

    >>> check_cells(np.array([[0.0, np.nan]]), missing=True)
    """
    limit = jnp.finfo(jnp.result_type(float))
    if x.dtype.kind != "f" or (_within(x.min(), limit) and _within(x.max(), limit)):
        return
    absent = np.isnan(x)
    wrong = ~(_within(x, limit) | (absent & missing))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        where = f"got {x[row, column]!s} in row {row}, column {column}"
        if np.isfinite(x[row, column]):
            raise ValueError(
                f"{name} must lie within +/-{float(limit.max):.3g}, the range of {limit.bits}-bit numbers, {where}; "
                "give that column another unit, or compute in double precision"
            )
        advice = "NaN marks a missing value with missing=True" if absent[row, column] else "change it, or leave it out"
        raise ValueError(f"{name} must be finite, {where}; {advice}")
    if missing and not empty and absent.all(axis=1).any():
        row = int(np.argmax(absent.all(axis=1)))
        raise ValueError(f"{name} needs at least one observed value in every row, got none in row {row}")


def _within(x: Any, limit: Any) -> Any:
    """Whether numbers are finite in the precision that has this limit; a float16 has no room for that of others."""
    return np.isfinite(x) & (np.abs(x) <= (limit.max if x.dtype.itemsize >= 4 else np.inf))


def row_numbers(rows: ArrayLike | None, n: int) -> np.ndarray:
    """The numbers of n rows, by which their noise is keyed: 0, 1, ... where none are given.

    Raises TypeError unless they are whole numbers, ValueError unless there are n of them, from 0 to 2^31 - 1.

    >>> row_numbers(None, 2)
    array([0, 1])
    """
    if rows is None:
        return np.arange(n)
    found = numeric("rows", rows)
    if found.dtype.kind not in "iu":
        raise TypeError(f"rows must be whole numbers, got values of type {found.dtype}")
    if found.shape != (n,):
        raise ValueError(f"rows must number the {n} rows of x, got shape {found.shape}")
    if found.min() < 0 or found.max() > _LARGEST:
        at = int(np.argmax((found < 0) | (found > _LARGEST)))
        raise ValueError(f"rows must be numbers from 0 to {_LARGEST}, got {found[at]} at place {at}")
    return found


def numeric(name: str, values: Any, *, missing: bool = False) -> np.ndarray:
    """An array of booleans, whole or real numbers, of any shape and native byte order; NaN and infinity may be there.

    With ``missing`` a masked cell becomes NaN. Raises TypeError for what holds no numbers and for complex ones,
    ValueError for rows of unequal length, a number beyond double precision, or masked cells.

    >>> numeric("x", np.ma.masked_equal([1.0, 2.0], 2.0), missing=True)
    array([ 1., nan])
    """
    given: Any = unmasked(name, values, missing=missing)
    try:
        found = given.to_numpy(na_value=np.nan) if hasattr(given, "iloc") else np.asarray(given)  # a frame of pandas
    except (TypeError, ValueError, OverflowError) as error:
        raise refusal(name, given) from error
    if found.dtype.kind == "V" and jnp.issubdtype(found.dtype, jnp.floating):
        found = found.astype(np.float32)  # such as bfloat16
    if found.dtype.kind == "O" and not isinstance(given, np.ndarray):
        found = _of_objects(name, given, found)
    if found.dtype.kind not in "buif":
        raise refusal(name, given, found)
    return found.astype(found.dtype.newbyteorder("="), copy=False)


def marks(name: str, values: ArrayLike) -> np.ndarray:
    """Booleans of any shape, from such or from 0 and 1; ValueError names the first cell that is neither.

    >>> marks("sets", [[0, 1]])
    array([[False,  True]])
    """
    found = numeric(name, values)
    wrong = (found != 0) & (found != 1)
    if wrong.any():
        place = np.argwhere(wrong)[0]
        raise ValueError(f"{name} must be marks, true or false: got {found[tuple(place)]} in {_place(place)}")
    return found.astype(bool)


def unmasked(name: str, values: Any, *, missing: bool) -> Any:
    """The values, with NaN for the masked cells of a masked array, or of a list of such.

    Raises ValueError, naming it, for a masked cell where none may be ``missing``, TypeError for values that have no
    NaN. What has no masks comes back as it is.

    >>> unmasked("x", np.ma.array([1, 2], mask=[0, 1]), missing=True)
    array([ 1., nan])
    """
    if isinstance(values, list | tuple) and any(isinstance(each, np.ma.MaskedArray) for each in values):
        if len({np.shape(each) for each in values}) > 1:
            raise refusal(name, values)
        values = np.ma.stack(list(values))
    if not isinstance(values, np.ma.MaskedArray):
        return values
    mask = np.ma.getmaskarray(values)
    if not mask.any():
        return values.data
    if not missing:
        place = _place(np.argwhere(mask)[0])
        raise ValueError(f"{name} must not have masked cells, got one in {place}; fill it, or give it as missing")
    if values.dtype.kind not in "buif":
        raise refusal(name, values.data, values.data)
    return np.where(mask, np.nan, values.data)


def refusal(name: str, values: Any, found: np.ndarray | None = None) -> TypeError | ValueError:
    """The error for what cannot be read as real numbers: it names the first cell that is none.

    >>> refusal("x", [[1.0, 2.0], [3.0]])
    ValueError('x must have rows of one length, got shape (2,) in row 0 and (1,) in row 1')
    """
    if callable(getattr(values, "toarray", None)):
        return TypeError(f"{name} must be a dense array, got {type(values).__name__}; give {name}.toarray()")
    dtype = getattr(found, "dtype", None)
    if dtype is not None and dtype.kind not in "OUS":
        return TypeError(f"{name} must hold numbers: got values of type {dtype}")
    for place, cell in _cells(values):
        if not _is_number(cell):
            got = f"{cell!r:.60} in {_place(place)}" if place else type(cell).__name__
            return TypeError(f"{name} must hold numbers: got {got}")
        if not _fits(cell):
            number = f"a whole number of {_digits(cell)} digits"
            return ValueError(f"{name} must be finite, got {number} in {_place(place)}, beyond double precision")
    shapes = [np.shape(row) for row in values] if isinstance(values, list | tuple) and found is None else []
    other = next((i for i, shape in enumerate(shapes) if shape != shapes[0]), None)
    if other is not None:
        return ValueError(
            f"{name} must have rows of one length, got shape {shapes[0]} in row 0 and {shapes[other]} in row {other}"
        )
    kind = f"values of type {dtype}; {name}.astype(float) makes numbers of them" if dtype else type(values).__name__
    return TypeError(f"{name} must hold numbers: got {kind}")


def _of_objects(name: str, values: Any, found: np.ndarray) -> np.ndarray:
    """float64 of cells that are all real numbers, as of long integers, or of a data frame of several types."""
    if all(_is_number(cell) and _fits(cell) for cell in found.flat):
        return found.astype(np.float64)
    raise refusal(name, found if found.ndim else values)


def _cells(values: Any) -> Iterator[tuple[tuple[int, ...], Any]]:
    """The cells of nested lists or of an array of objects, with their places."""
    if isinstance(values, np.ndarray) and values.ndim:
        yield from ((tuple(map(int, place)), cell) for place, cell in np.ndenumerate(values))
    elif isinstance(values, list | tuple):
        for i, each in enumerate(values):
            yield from (((i, *place), cell) for place, cell in _cells(each))
    else:
        yield (), values


def _is_number(cell: Any) -> bool:
    kind = getattr(getattr(cell, "dtype", None), "kind", "O")
    return isinstance(cell, Real | np.bool_) or (kind in "buif" and np.ndim(cell) == 0)


def _fits(cell: Any) -> bool:
    return not isinstance(cell, int) or cell.bit_length() <= 1023


def _digits(cell: int) -> int:
    return int(cell.bit_length() * 0.30103) + 1


def _place(place: Any) -> str:
    names = ("row", "column") if len(place) <= 2 else ("row", "place", "column")
    return ", ".join(f"{part} {number}" for part, number in zip(names, place, strict=False))
