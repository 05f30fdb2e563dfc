"""What a trained model is given: checked once, on the host, before anything is computed."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from numpy.typing import ArrayLike

from iwax._typing import PRNGKey
from iwax.evaluation.rows import check_key
from iwax.evaluation.tables import refusal, table, unmasked
from iwax.model import LatentVariableModel
from iwax.parts import layers_of

__all__ = ["covariates", "labels", "latent_rows"]


def covariates(model: LatentVariableModel, given: Mapping[str, Any] | None, n: int) -> dict[str, Any] | None:
    """Covariates [n, ...] by name, of arrays or trees of them; ValueError where prior or likelihood need others."""
    found = None if given is None else {name: jax.tree.map(np.asarray, each) for name, each in given.items()}
    sizes = [np.shape(leaf)[:1] for leaf in jax.tree.leaves(found)]
    if any(size != (n,) for size in sizes):
        raise ValueError(f"given must have {n} rows in every array, got shapes that begin with {sizes}")
    model.check_given(jax.tree.map(lambda leaf: leaf[0], found), generating=True)
    return found


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
    of_model = model.latent
    wanted = layers_of(of_model)
    if len(wanted) == 1 and wanted[0] is of_model:
        latents = table("z", z, of_model.shape)
        return latents, len(latents)
    if len(layers_of(z)) != len(wanted):
        got = f"{len(layers_of(z))} in a {type(z).__name__}"
        raise ValueError(f"z must be a tuple of {len(wanted)} layers, from the data upwards: got {got}")
    layers = tuple(table(f"z[{i}]", leaf, wanted[i].shape) for i, leaf in enumerate(z))
    if len({len(layer) for layer in layers}) > 1:
        raise ValueError(f"the layers of z must have equally many rows: got {[len(layer) for layer in layers]}")
    return layers, len(layers[0])
