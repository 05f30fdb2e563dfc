"""The inference gap of a data point in two parts: the approximation gap of the family of q, and the amortisation gap.

    log p(x) - L[q]  =  (log p(x) - L[q*])  +  (L[q*] - L[q]),      q* = argmax L over the family of q at this datum
    inference gap    =  approximation gap   +  amortisation gap

with L the ELBO (Cremer, Li and Duvenaud 2018, arXiv:1801.03558). q* is found by Adam on the datum's own parameters,
started at the amortised ones, with the score of q left out of the gradient (Roeder, Wu and Duvenaud 2017,
arXiv:1703.09194: unbiased for the ELBO, and without noise where q is exact).
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from iwax import batched, streams
from iwax._typing import PRNGKey
from iwax.distributions import Normal
from iwax.evaluation.gap_estimate import InferenceGap, gap_columns
from iwax.evaluation.rows import Block, DataPoints, at_least, by_row, prepared
from iwax.evaluation.tables import check_cells, numeric
from iwax.model import LatentVariableModel
from iwax.parts import Datum, Distribution
from iwax.priors import Fixed

__all__ = ["Family", "inference_gap", "mean_field_normal"]

SEGMENTS = 20  # of the history of the optimisation, each a mean
_NUMBERS = 2_000_000  # draws held at once, with four log-weights each: 64 MB


class Family(NamedTuple):
    """``start(q)`` are the free parameters at which q stands in the family, a tree of real arrays, all of them zero or
    of the order of one a change that matters; ``at(q, parameters)`` is the distribution that they stand for, near q.

    q is the amortised posterior of one datum. ``start`` raises TypeError for a q that the family does not hold.
    """

    name: str
    start: Callable[[Distribution], Any]
    at: Callable[[Distribution, Any], Distribution]


def _start(q: Distribution) -> Any:
    if not isinstance(q, Normal):
        raise TypeError(
            "the best mean-field normal of a datum needs a posterior that is one (distributions.Normal, of one layer), "
            f"got {type(q).__name__}; give another family"
        )
    return jnp.zeros_like(jnp.asarray(q.loc)), jnp.zeros_like(jnp.asarray(q.loc))


def _at(q: Any, parameters: Any) -> Normal:
    shift, log_ratio = parameters
    return Normal(q.loc + q.scale * shift, q.scale * jnp.exp(log_ratio))


mean_field_normal = Family("mean-field normal", _start, _at)
"""``N(loc + scale u, diag (scale e^v)^2)`` with u and v free, [latent] each: a change of one is one standard deviation
of the amortised posterior, whatever the scale of the latents."""


def inference_gap(
    model: LatentVariableModel,
    x: DataPoints,
    *,
    k: int,
    key: PRNGKey,
    steps: int = 500,
    draws: int = 5,
    learning_rate: float = 0.03,
    family: Family = mean_field_normal,
    log_evidence: np.ndarray | None = None,
    log_evidence_error: np.ndarray | None = None,
    rows: np.ndarray | None = None,
    batch: int = 100,
    chunk: int = 50,
    progress: Callable[[int, int], None] | None = None,
) -> InferenceGap:
    """Approximation and amortisation gap of every row of x [n, features], nats, with their errors.

    q* is the best of ``family`` after ``steps`` steps of Adam with ``draws`` draws each, the rate falling to zero by a
    cosine. ELBOs are then estimated from k fresh draws, the same noise for q and q*. log p(x) is ``log_evidence``
    [n] with its error, as annealed importance sampling gives it; without it, it comes from importance sampling with
    half of q and half of q* as proposal, k draws of each: a lower bound in expectation, and neither of the two could be
    much better (q* alone is too narrow wherever the posterior is wide; look at ``pareto_k``). An optimum missed by the
    steps counts as approximation gap: look at ``history``.
    Raises TypeError where the family does not hold the posterior, ValueError where x is not a table of finite numbers
    in the likelihood's support, or another argument is out of its range or shape.
    """
    at_least(1, {"k": k, "steps": steps, "draws": draws, "batch": batch, "chunk": chunk})
    if not 0 < learning_rate < float("inf"):
        raise ValueError(f"learning_rate must be a positive number, got {learning_rate}")
    model, x = prepared(model, x, rows, key)
    known = _known(log_evidence, log_evidence_error, len(x))
    chunk = min(chunk, k)

    def of_block(block: Block) -> tuple[np.ndarray, np.ndarray]:
        begun = jax.random.fold_in(key, streams.Gap.OPTIMISATION)
        found, start, history = _optimised(model, begun, block.x, family, steps, draws, jnp.asarray(learning_rate))
        fresh, pair = jax.random.fold_in(key, streams.Gap.EVALUATION), (start, found)
        log_w, mixed = (  # [2, k, rows]: draws of q, and of q*
            np.asarray(each, np.float64)[:, :k, : block.size]
            for each in _log_weights(model, fresh, block.x, family, pair, chunk, -(-k // chunk))
        )
        given = None if known is None else known[:, block.first : block.stop]
        means = _segments(np.asarray(history, np.float64)[: block.size])
        return means, gap_columns(log_w[0], log_w[1], mixed, given)

    history, columns = by_row(of_block, x, min(batch, max(1, _NUMBERS // k)), progress=progress, axis=1)
    return InferenceGap(k, steps, family.name, np.asarray(x.index), history, *columns)


def _known(value: np.ndarray | None, error: np.ndarray | None, n: int) -> np.ndarray | None:
    """log p(x) and its error as given, [2, n]; an error that is not given is zero."""
    if value is None:
        if error is not None:
            raise ValueError("log_evidence_error is the error of log_evidence, which was not given; give both")
        return None
    pair = {"log_evidence": value, "log_evidence_error": np.zeros(n) if error is None else error}
    known = [numeric(name, each).astype(np.float64) for name, each in pair.items()]
    for name, each in zip(pair, known, strict=True):
        if each.shape != (n,):
            raise ValueError(f"{name} must be one number per row, [{n}], got shape {each.shape}")
    check_cells(known[0][:, None], missing=False, name="log_evidence")
    return np.stack(known)


def _segments(elbo: np.ndarray) -> np.ndarray:
    """The means over up to `SEGMENTS` segments of the steps, [segments, n], of the ELBO at every step [n, steps]."""
    return np.stack([part.mean(axis=1) for part in np.array_split(elbo, min(SEGMENTS, elbo.shape[1]), axis=1)])


def _with_posterior(model: LatentVariableModel, q: Distribution) -> LatentVariableModel:
    return eqx.tree_at(lambda m: m.posterior, model, Fixed(q))


def _amortised(model: LatentVariableModel, key: PRNGKey, datum: Datum) -> Distribution:
    """q(z|x) of a datum; of a posterior whose network is itself random, at one draw of it."""
    return model.infer(datum, key=jax.random.fold_in(key, streams.Row.POSTERIOR))


@eqx.filter_jit
def _optimised(
    model: LatentVariableModel, key: PRNGKey, x: Datum, family: Family, steps: int, draws: int, learning_rate: Array
) -> tuple[Any, Any, Array]:
    """The free parameters of q* and of q, and the ELBO at every step [batch, steps]: one loop for all rows."""
    model = batched.bound(model, key)
    adam = optax.adam(optax.cosine_decay_schedule(learning_rate, steps))

    def one(key: PRNGKey, datum: Datum) -> tuple[Any, Any, Array]:
        q = _amortised(model, key, datum)
        start = family.start(q)

        def step(state: tuple[Any, Any], number: Array) -> tuple[tuple[Any, Any], Array]:
            parameters, adam_state = state
            noise = jax.random.fold_in(key, number)
            elbo, gradient = jax.value_and_grad(lambda p: _elbo(model, noise, datum, family.at(q, p), draws))(
                parameters
            )
            updates, adam_state = adam.update(jax.tree.map(jnp.negative, gradient), adam_state)
            return (optax.apply_updates(parameters, updates), adam_state), elbo

        (found, _), history = jax.lax.scan(step, (start, adam.init(start)), jnp.arange(steps))
        return found, start, history

    return batched.over_data(one, key, x)


def _elbo(model: LatentVariableModel, key: PRNGKey, datum: Datum, q: Distribution, draws: int) -> Array:
    """The mean log-weight of a few draws, with the gradient through the draws alone."""

    def draw(key: PRNGKey) -> Array:
        proposal = _with_posterior(model, q).propose(datum, key)
        frozen, trace = jax.lax.stop_gradient((proposal.distribution, proposal.trace))
        return model.terms(datum, proposal.keys, proposal.z, frozen.log_prob(proposal.z, trace)).log_w()

    return jnp.mean(batched.over_draws(draw, key, draws))


@eqx.filter_jit
def _log_weights(
    model: LatentVariableModel, key: PRNGKey, x: Datum, family: Family, pair: tuple[Any, Any], chunk: int, chunks: int
) -> tuple[Float[Array, "2 k batch"], Float[Array, "2 k batch"]]:
    """Log-weights of draws of q and of q*, each row at its own parameters of both: under what they were drawn from, and
    under half of each. The noise of the two is the same."""
    model = batched.bound(model, key)

    def one(key: PRNGKey, datum: Datum, pair: tuple[Any, Any]) -> tuple[Array, Array]:
        q = _amortised(model, key, datum)
        of = [family.at(q, parameters) for parameters in pair]

        def draw(key: PRNGKey, mine: int) -> tuple[Array, Array]:
            local = _with_posterior(model, of[mine])
            proposal, log_own = local.propose_with_log_prob(datum, key)
            log_mixture = jnp.logaddexp(log_own, of[1 - mine].log_prob(proposal.z)) - math.log(2)
            terms = [local.terms(datum, proposal.keys, proposal.z, log_q) for log_q in (log_own, log_mixture)]
            return terms[0].log_w(), terms[1].log_w()

        def both(key: PRNGKey) -> tuple[Array, Array]:
            own, mixed = zip(*(draw(key, mine) for mine in (0, 1)), strict=True)
            return jnp.stack(own), jnp.stack(mixed)

        starts = chunk * jnp.arange(chunks)
        found = jax.lax.map(lambda first: batched.over_draws(both, key, chunk, first=first), starts)
        return jax.tree.map(lambda leaf: leaf.reshape(-1, 2), found)

    return jax.tree.map(lambda leaf: jnp.moveaxis(leaf, (0, 2), (2, 0)), batched.over_data(one, key, x, pair))
