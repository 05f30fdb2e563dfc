"""The derivative in two stages: model -> draws, and (model, draws) -> log-weights with q held constant.

What flows back through the second stage is weighted by a; what of it reaches a draw is scaled to b and goes on through
the first, together with c. Forward passes are shared, or made again piece by piece if they would not fit in memory.
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp

from iwax import batched
from iwax._typing import LogWeights, PRNGKey, Scalar
from iwax.gradients.estimators import Estimator, Weights
from iwax.model import LatentVariableModel
from iwax.parts import Datum

__all__ = ["Stages", "gradient_in_pieces", "pull", "two_stages"]

_LEAST = 1e-20  # of |a|, where b is divided by it: far below what a sum of draws can hold, far above underflow


class Stages(NamedTuple):
    """log w [k, batch] at beta and at 1, and what pulls cotangents back through the stages."""

    log_w: LogWeights
    log_w_at_one: LogWeights
    pull_draws: Any
    pull_log_weights: Any


def two_stages(
    model: LatentVariableModel, key: PRNGKey, x: Datum, draws: batched.Draws, beta: Scalar | float, estimator: Estimator
) -> Stages:
    """Both stages forward, at the draws of these numbers."""
    parameters, static = eqx.partition(model, eqx.is_inexact_array)

    def proposals(parameters: Any) -> tuple[Any, Any]:
        z, score = batched.propose(eqx.combine(parameters, static), key, x, draws, score=estimator.score)
        return ((z, score), z) if estimator.path else ((None, score), z)

    def log_weights(parameters: Any, z: Any) -> tuple[LogWeights, LogWeights]:
        terms = batched.terms_at(eqx.combine(parameters, static), key, x, draws, z)
        return terms.log_w(beta), terms.log_w()

    _, pull_draws, z = jax.vjp(proposals, parameters, has_aux=True)
    if estimator.path:
        log_w, pull_log_weights, at_one = jax.vjp(log_weights, parameters, z, has_aux=True)
    else:
        log_w, pull_log_weights, at_one = jax.vjp(lambda given: log_weights(given, z), parameters, has_aux=True)
    return Stages(log_w, at_one, pull_draws, pull_log_weights)


def pull(stages: Stages, weights: Weights, outer: Any) -> Any:
    """The gradient in the model: a, b and c pulled back, each times the cotangent ``outer`` [batch] of its datum."""
    score = None if weights.c is None else weights.c * outer
    if weights.b is None:
        (from_model,), dz = stages.pull_log_weights(weights.a * outer), None
    else:
        a, ratio = _path_over_model(weights.a, weights.b)
        from_model, dz = stages.pull_log_weights(a * outer)
        ratio = ratio.T  # [batch, k], as z
        dz = jax.tree.map(lambda leaf: leaf * ratio.reshape(ratio.shape + (1,) * (leaf.ndim - 2)), dz)
    (from_draws,) = stages.pull_draws((dz, score))
    return jax.tree.map(jnp.add, from_model, from_draws)


def gradient_in_pieces(
    model: LatentVariableModel,
    key: PRNGKey,
    x: Datum,
    draws: batched.Draws,
    beta: Scalar | float,
    estimator: Estimator,
    weights: Weights,
    outer: Any,
    chunk: int,
) -> Any:
    """The gradient at the draws of these numbers, at most ``chunk`` of them at a time."""
    k = draws.shape[-1]

    def at(draws: Any, weights: Weights) -> Any:
        return pull(two_stages(model, key, x, draws, beta, estimator), weights, outer)

    if k <= chunk:
        return at(draws, weights)
    pieces = -(-k // chunk)
    missing = pieces * chunk - k  # made up by draws of weight zero
    numbers = jnp.pad(jnp.moveaxis(draws, -1, 0), ((0, missing),) + ((0, 0),) * (draws.ndim - 1), mode="edge")
    padded = jax.tree.map(lambda leaf: jnp.pad(leaf, ((0, missing), (0, 0))), weights)
    cut = jax.tree.map(lambda leaf: leaf.reshape(pieces, chunk, *leaf.shape[1:]), (numbers, padded))

    def add(total: Any, piece: Any) -> tuple[Any, None]:
        numbers, weights = piece
        return jax.tree.map(jnp.add, total, at(jnp.moveaxis(numbers, 0, -1), weights)), None

    zero = jax.tree.map(jnp.zeros_like, eqx.filter(model, eqx.is_inexact_array))
    return jax.lax.scan(add, zero, cut)[0]


def _path_over_model(a: LogWeights, b: LogWeights) -> tuple[LogWeights, LogWeights]:
    """a, at least `_LEAST` away from zero, and b over it: 1 where they are equal."""
    away = jnp.where(jnp.abs(a) < _LEAST, jnp.copysign(jnp.asarray(_LEAST, a.dtype), a), a)
    return away, jnp.where(a == b, 1, b / away)
