"""What a trained model is given: checked once, on the host, before anything is computed."""

from typing import Any

import equinox as eqx
import numpy as np
from numpy.typing import ArrayLike

from iwax import batched
from iwax._typing import PRNGKey
from iwax.evaluation.blocks import check_key
from iwax.evaluation.data_points import DataPoints, check_points
from iwax.evaluation.tables import event_of, refusal, table, unmasked
from iwax.model import LatentVariableModel
from iwax.parts import Datum

__all__ = ["check_count", "check_key", "labels", "latent_rows", "points", "rows"]


def check_count(name: str, value: int, *, least: int = 1, largest: int = 2**31 - 1) -> int:
    """A whole number from ``least`` to ``largest``; TypeError and ValueError name what was got.

    >>> check_count("k", 0)
    Traceback (most recent call last):
        ...
    ValueError: k must be from 1 to 2147483647: got 0
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} must be a whole number: got {value!r}")
    if not least <= value <= largest:
        raise ValueError(f"{name} must be from {least} to {largest}: got {value}")
    return int(value)


def points(model: LatentVariableModel, x: ArrayLike | Datum, key: PRNGKey, *, missing: bool = False) -> DataPoints:
    """Data points as `check_points` gives them: an array [n, *event], or a datum with its covariates."""
    check_key(key)
    return check_points(model, x, missing=missing)


def rows(
    model: LatentVariableModel, x: ArrayLike, key: PRNGKey, *, missing: bool = False, empty: bool = False
) -> np.ndarray:
    """x as [n, D] finite numbers, D the model's features; an error names what is wrong, and where.

    With ``missing`` a NaN is a value that was not observed; of every row there must be one that was, unless rows may be
    ``empty``.
    """
    check_key(key)
    return table("x", x, event_of(model), missing=missing, empty=empty)


def labels(values: ArrayLike) -> np.ndarray:
    """Labels of rows, numbers or texts; ValueError for masked ones, TypeError for what is no list of them."""
    try:
        found = np.asarray(unmasked("labels", values, missing=False))
    except (TypeError, ValueError) as error:
        raise refusal("labels", values) from error
    if found.dtype.kind not in "buifUS" or (found.dtype.kind == "f" and np.isnan(found).any()):
        raise TypeError(f"labels must be numbers or texts, one a row, got values of type {found.dtype}")
    return found


def latent_rows(model: LatentVariableModel, z: Any, key: PRNGKey) -> tuple[Any, int]:
    """Latents [n, latent] (a tuple of them for a chain) that the model can decode, and n; an error says why not."""
    check_key(key)
    wanted, _, _ = eqx.filter_eval_shape(batched.generate, model, key, 1)
    if not isinstance(wanted, tuple):
        latents = table("z", z, wanted.shape[1:])
        return latents, len(latents)
    if not isinstance(z, tuple) or len(z) != len(wanted):
        got = f"{len(z)} layers" if isinstance(z, tuple) else type(z).__name__
        raise ValueError(f"z must be a tuple of {len(wanted)} layers, from the data upwards: got {got}")
    layers = tuple(table(f"z[{i}]", leaf, wanted[i].shape[1:]) for i, leaf in enumerate(z))
    if len({len(layer) for layer in layers}) > 1:
        raise ValueError(f"the layers of z must have equally many rows: got {[len(layer) for layer in layers]}")
    return layers, len(layers[0])
