"""A model of nothing but numbers, whose every update is known by hand, and one who watches its training."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from iwax import training
from iwax.gradients import Surrogate
from iwax.parts import Datum
from iwax.training import Plan

ROWS = 22


class Weights(eqx.Module):
    """A model of nothing but numbers."""

    w: jax.Array


class Watcher:
    """Records what it is given, and stops the run after a number of compiled segments."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.rows, self.progress, self.best, self.stop_after = [], [], [], stop_after

    def segment(self, state, progress):
        self.progress.append(progress)
        return len(self.progress) == self.stop_after

    def epoch(self, state, row):
        self.rows.append(row)

    def improved(self, state):
        self.best.append(jax.tree.map(np.asarray, state.model))


def train(model, objective, data, plan: Plan, *, optimizer=None, **options):
    optimizer = optax.sgd(1.0) if optimizer is None else optimizer
    state = training.initial_state(model, optimizer)
    return training.train(state, objective, data, optimizer=optimizer, plan=plan, **options)


def visits(model: Weights, key, x: Datum, *, beta) -> Surrogate:
    """Ascending it by plain steps adds to w[i] the weight of row i, at every visit."""
    return Surrogate(model.w[x.index], jnp.ones(x.index.shape))
