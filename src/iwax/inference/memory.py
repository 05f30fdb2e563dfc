"""What the slots of a decoder's memory are for: which classes read them, and what they add to a picture."""

from typing import NamedTuple, cast

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from iwax import batched
from iwax._typing import ArrayLike, PRNGKey
from iwax.evaluation.rows import at_least, blocks, by_row, checked
from iwax.evaluation.tables import refusal, unmasked
from iwax.likelihoods import Likelihood
from iwax.model import LatentVariableModel
from iwax.nn import MemoryMLP
from iwax.parts import Datum
from iwax.printed import printed

__all__ = ["SlotPreferences", "memory_of", "slot_pictures", "slot_preferences"]


@printed()
class SlotPreferences(NamedTuple):
    """``mean`` [classes, slots]: how much the rows of each class of ``classes`` read every slot, on average."""

    classes: np.ndarray
    mean: np.ndarray

    def largest(self, n: int = 3) -> np.ndarray:
        """The n largest preferences of every class [classes, n], largest first.

        >>> SlotPreferences(np.array([0]), np.array([[0.2, 0.7, 0.1]])).largest(2).tolist()
        [[0.7, 0.2]]
        """
        return -np.sort(-self.mean, axis=1)[:, :n]


def slot_preferences(
    model: LatentVariableModel, x: ArrayLike | Datum, labels: ArrayLike, *, key: PRNGKey, batch: int = 500
) -> list[SlotPreferences]:
    """The mean attention of each class at one z ~ q(z|x) per row [n, D], for every memory from z to the data.

    As Li, Zhu and Zhang (2016, arXiv:1602.07416) print, of softmax attention. Raises ValueError where the decoder has
    no memory, labels are not one per row, and for rows that `embed` refuses.
    """
    decoder(model)
    points, given = checked(model, x, None, key), _labels(labels)
    if given.shape != (len(points),):
        raise ValueError(f"one label per row was needed, shape ({len(points)},), got {given.shape}")
    at_least(1, {"batch": batch})
    read = by_row(lambda part: _attention(model, key, part.x), points, batch)
    classes = np.unique(given)
    return [SlotPreferences(classes, np.stack([each[given == c].mean(axis=0) for c in classes])) for each in read]


def slot_pictures(model: LatentVariableModel, x: ArrayLike | Datum, *, key: PRNGKey) -> list[np.ndarray]:
    """What reading one slot alone adds to the mean of p(x|z), over the rows given: [slots, D] for every memory.

    The difference between reading that slot with weight one and reading none, at one z ~ q(z|x) per row. Raises
    ValueError as `slot_preferences`.
    """
    memories = decoder(model).memories
    points = checked(model, x, None, key)
    (all_rows,) = blocks(points, len(points))
    return [
        np.stack([np.asarray(_added(model, key, all_rows.x, layer, read)) for read in memory.slots])
        for layer, memory in enumerate(memories)
        if memory is not None
    ]


def memory_of(model: LatentVariableModel) -> MemoryMLP | None:
    """The network of the model's likelihood, where it has slots; else None."""
    network = model.likelihood.network if isinstance(model.likelihood, Likelihood) else None
    slots = isinstance(network, MemoryMLP) and any(memory is not None for memory in network.memories)
    return network if slots else None


def decoder(model: LatentVariableModel) -> MemoryMLP:
    """The network of the model's likelihood. ValueError where it has no memory."""
    network = memory_of(model)
    if network is None:
        likelihood = type(model.likelihood).__name__
        raise ValueError(f"slots are those of a decoder with memory (nn.MemoryMLP), got none in {likelihood}")
    return network


def _labels(values: ArrayLike) -> np.ndarray:
    """Labels of rows, numbers or texts; ValueError for masked ones, TypeError for what is no list of them."""
    try:
        found = np.asarray(unmasked("labels", values, missing=False))
    except (TypeError, ValueError) as error:
        raise refusal("labels", values) from error
    if found.dtype.kind not in "buifUS" or (found.dtype.kind == "f" and np.isnan(found).any()):
        raise TypeError(f"labels must be numbers or texts, one per row, got values of type {found.dtype}")
    return found


@eqx.filter_jit
def _attention(model: LatentVariableModel, key: PRNGKey, x: Datum) -> list[Array]:
    return batched.over_data(lambda key, datum: decoder(model).attention(model.propose(datum, key).z), key, x)


@eqx.filter_jit
def _added(model: LatentVariableModel, key: PRNGKey, x: Datum, layer: int, read: Array) -> Array:
    net, likelihood = decoder(model), cast(Likelihood, model.likelihood)

    def one(key: PRNGKey, datum: Datum) -> Array:
        z = model.propose(datum, key).z
        with_it, without = (net.reading(layer, each, z) for each in (read, jnp.zeros_like(read)))
        return likelihood.of_outputs(with_it).mean - likelihood.of_outputs(without).mean

    return jnp.mean(batched.over_data(one, key, x), axis=0)
