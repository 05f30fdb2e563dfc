"""Losses and gradients that are not finite: where they first came up, and in what."""

from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from iwax.training.culprits import Culprits, Find
from iwax.training.state import State
from iwax.training.step import Update

__all__ = ["NumericalStop", "all_finite", "first_fault"]


class NumericalStop(ArithmeticError):
    """A loss or gradient that is not finite: training stopped at ``step``; ``cause`` names what it was in.

    ``state`` is the last one known to be finite, where there is one, and ``run`` the folder of the run that has it.
    ``rows`` are the numbers, from 0 and ascending, of the training rows that are not finite by themselves, or of all in
    the step's batch where none is; empty where they are not known.
    """

    def __init__(self, step: int, cause: str, *, state: State | None = None, culprits: Culprits | None = None) -> None:
        where = "" if culprits is None else f" {culprits}"
        super().__init__(
            f"training stopped at step {step}: {cause} is NaN or infinite{where}; "
            "try a smaller training.learning_rate, training.clip, or other data"
        )
        self.step, self.cause, self.state = step, cause, state
        self.rows: tuple[int, ...] = () if culprits is None else culprits.alone or culprits.batch
        self.run: Path | None = None


def all_finite(tree: Any) -> bool:
    """Whether every number in a tree of arrays is finite.

    >>> all_finite((jnp.ones(2), jnp.array(jnp.inf)))
    False
    """
    return all(bool(np.isfinite(leaf).all()) for leaf in jax.tree.leaves(tree))  # nothing to compile


def first_fault(
    update: Update, find: Find, state: State, data_in_order: tuple[Array, Array], stop: int
) -> NumericalStop:
    """Repeat a compiled segment, step by step from the state it started at, to the first number that is not finite.

    Steps are functions of the state, so that the segment itself need not look: it costs nothing where all is well.
    """
    names = [
        jax.tree_util.keystr(path, simple=True, separator=".")
        for path, _ in jax.tree_util.tree_leaves_with_path(eqx.filter(state.model, eqx.is_inexact_array))
    ]

    @eqx.filter_jit
    def examined(state: State) -> tuple[State, Array, Array]:
        state, loss, gradient = update(state, *data_in_order)
        finite = [jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(gradient)]
        return state, jnp.isfinite(loss), jnp.stack(finite)

    before = state
    while int(state.step) < stop:
        step, before = int(state.step), state
        state, loss, gradient = examined(state)
        if not bool(loss):
            return NumericalStop(step, "the loss", state=before, culprits=find(before, *data_in_order, False))
        bad = [name for name, finite in zip(names, gradient.tolist(), strict=True) if not finite]
        if bad:
            cause = f"the gradient of {bad[0]}" + f" (and {len(bad) - 1} more)" * (len(bad) > 1)
            return NumericalStop(step, cause, state=before, culprits=find(before, *data_in_order, True))
    return NumericalStop(stop, "the optimiser's update", state=before, culprits=find(before, *data_in_order, True))
