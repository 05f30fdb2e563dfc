"""What a trained model is given: checked once, on the host, before anything is computed."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from iwax import batched
from iwax._typing import PRNGKey
from iwax.evaluation.blocks import check_cells
from iwax.model import LatentVariableModel

__all__ = ["check_count", "check_key", "latent_rows", "rows"]


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


def check_key(key: Any) -> None:
    """TypeError unless ``key`` is one key of `jax.random.key`."""
    if not (isinstance(key, jax.Array) and jnp.issubdtype(key.dtype, jax.dtypes.prng_key) and key.ndim == 0):
        got = f"an array {key.dtype}{list(key.shape)}" if isinstance(key, jax.Array) else repr(key)
        raise TypeError(f"key must be one random key, jax.random.key(seed): got {got}")


def rows(
    model: LatentVariableModel, x: ArrayLike, key: PRNGKey, *, missing: bool = False, empty: bool = False
) -> np.ndarray:
    """x as [n, D] finite numbers, D the model's features; an error names what is wrong, and where.

    With ``missing`` a NaN is a value that was not observed; of every row there must be one that was, unless rows may be
    ``empty``.
    """
    check_key(key)
    _, mean, _ = eqx.filter_eval_shape(batched.generate, model, key, 1)
    return _matrix("x", x, (mean.shape[1],), missing=missing, empty=empty)


def latent_rows(model: LatentVariableModel, z: Any, key: PRNGKey) -> tuple[Any, int]:
    """Latents [n, latent] (a tuple of them for a chain) that the model can decode, and n; an error says why not."""
    check_key(key)
    wanted, _, _ = eqx.filter_eval_shape(batched.generate, model, key, 1)
    if not isinstance(wanted, tuple):
        table = _matrix("z", z, wanted.shape[1:])
        return table, len(table)
    if not isinstance(z, tuple) or len(z) != len(wanted):
        got = f"{len(z)} layers" if isinstance(z, tuple) else type(z).__name__
        raise ValueError(f"z must be a tuple of {len(wanted)} layers, from the data upwards: got {got}")
    layers = tuple(_matrix(f"z[{i}]", leaf, wanted[i].shape[1:]) for i, leaf in enumerate(z))
    if len({len(layer) for layer in layers}) > 1:
        raise ValueError(f"the layers of z must have equally many rows: got {[len(layer) for layer in layers]}")
    return layers, len(layers[0])


def _matrix(
    name: str, values: ArrayLike, event: tuple[int, ...], *, missing: bool = False, empty: bool = False
) -> np.ndarray:
    table = np.asarray(values)
    if table.dtype.kind not in "buif":
        raise TypeError(f"{name} must hold numbers: got values of type {table.dtype}")
    if table.ndim != 1 + len(event) or table.shape[1:] != event or len(table) == 0:
        wanted = ", ".join(["n", *map(str, event)])
        raise ValueError(f"{name} must be [{wanted}] with n of 1 or more: got shape {table.shape}")
    if missing:
        check_cells(table, missing=True, empty=empty, name=name)
    elif table.dtype.kind == "f" and not np.isfinite(table).all():
        row, column = np.argwhere(~np.isfinite(table.reshape(len(table), -1)))[0]
        got = table.reshape(len(table), -1)[row, column]
        raise ValueError(f"{name} must be finite: got {got} in row {row}, column {column}; fill or leave out that row")
    return table
