"""Which rows of a step made its loss or its gradient other than finite."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from iwax import parallel
from iwax.evaluation.trust import named_rows
from iwax.gradients import AbstractObjective
from iwax.parts import Datum
from iwax.training.state import Plan, State
from iwax.training.step import step_inputs

__all__ = ["Culprits", "Find", "culprits"]


class Culprits(NamedTuple):
    """Numbers of training rows, ascending: those ``alone`` not finite, or all of the ``batch`` where none is."""

    alone: tuple[int, ...]
    batch: tuple[int, ...]

    def __str__(self) -> str:
        """In words, for a sentence that says what is not finite."""
        of_data = "of the training data (counted from 0)"
        if self.alone:
            return f"in {named_rows(self.alone)} {of_data}, of the {len(self.batch)} in its batch"
        return f"in the batch of {named_rows(self.batch)} {of_data}, in none of them alone"


Find = Callable[[State, Array, Array, bool], Culprits]


def culprits(objective: AbstractObjective, plan: Plan, rows: int) -> Find:
    """``find(state, data, order, gradient)``: the rows of the step that starts at ``state``, each taken by itself.

    Noise is a function of (step, row): a row gives here what it gave in its batch. With ``gradient`` it is that of the
    row's loss that is looked at, else the loss.
    """
    of_step = step_inputs(plan, rows)

    @eqx.filter_jit
    def finite(state: State, data: Any, order: Array) -> tuple[Array, Array, Array, Array]:
        key, x, weight, beta = of_step(state.step, data, order)

        def loss(model: Any, row: Datum) -> Array:
            return jnp.sum(objective(model, key, row, beta=beta, control=state.control).value)

        def of_row(row: Datum) -> tuple[Array, Array]:
            one = jax.tree.map(lambda leaf: leaf[None], row)
            value, gradient = eqx.filter_value_and_grad(loss)(state.model, one)
            slopes = [jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient)]
            return jnp.isfinite(value), jnp.stack(slopes).all()

        counted = jnp.ones(plan.batch, bool) if weight is None else weight > 0
        return parallel.copied((x.index, counted, *jax.lax.map(of_row, x)))  # pyright: ignore[reportReturnType]

    def find(state: State, data: Any, order: Array, gradient: bool) -> Culprits:
        index, counted, *each = (np.asarray(part) for part in finite(state, data, order))
        bad = counted & ~each[int(gradient)]
        return Culprits(_numbers(index[bad]), _numbers(index[counted]))

    return find


def _numbers(index: np.ndarray) -> tuple[int, ...]:
    return tuple(sorted(index.tolist()))
