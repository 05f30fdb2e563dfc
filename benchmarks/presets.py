"""The untrained model of a preset, with its objective, as the benchmarks ask for them."""

from typing import Any

import equinox as eqx
import jax
import numpy as np
from network import PIXELS, binary_images

from iwax.gradients import AbstractObjective
from iwax.model import LatentVariableModel
from iwax.runs import from_sources
from iwax.settings import build
from iwax.settings.objective import build_objective
from iwax.settings.parts.networks import FeatureStatistics

TRAINED = 50_000  # rows, of which a divergence of weights takes its share per data point


def preset(name: str, *sets: str) -> tuple[LatentVariableModel, AbstractObjective, int]:
    """The untrained model of a preset for binary images, its objective with pathwise gradients, and its k."""
    config = from_sources(preset=name, sets=["data.name=mnist-static", "objective.gradient=pathwise", *sets])
    config = config.model_copy(update={"model": config.model.with_likelihood("bernoulli")})
    rows = binary_images(config.model.prior.examples or 1, seed=1).astype(np.float32)
    start = FeatureStatistics(np.full(PIXELS, 0.13), np.full(PIXELS, 0.3), (28, 28), rows)
    key = jax.random.key(0)
    objective = build_objective(config.objective, PIXELS, rows=TRAINED, key=key)
    return build.build_model(config, start, key=key), objective, config.objective.k


def weights(tree: Any) -> float:
    """The sizes of all matrices of a tree, added up."""
    leaves = jax.tree.leaves(eqx.filter(tree, eqx.is_inexact_array))
    return float(sum(leaf.size for leaf in leaves if leaf.ndim >= 2))
