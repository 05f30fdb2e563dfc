"""The mean and the deviation of ``log p(x_S)`` under the model itself, for many sets S of features at once.

With them log p(x_S) of rows whose cells are missing can be compared: its expectation, minus the differential entropy of
x_S, changes with every feature more or less, so that log p(x_S) by itself ranks rows by how empty they are.

Rows ``x ~ p(x)`` are drawn whole. The draws z_i of a row serve all sets: half of them are from q(z|x) and half from
p(z), and ``log (1/k) sum_i p(z_i) prod_{j in S} p(x_j|z_i) / ((q(z_i|x) + p(z_i)) / 2)`` is the estimate of log p(x_S),
for every S from one table of log p(x_j|z_i): one matrix product, and a logarithm of a sum of exponentials. The weights
are those of the balance heuristic (Veach and Guibas 1995). q(z|x) alone knows more than x_S says and may be too narrow
for p(z|x_S); with the prior as half of the mixture no weight is above ``2 p(x_S|z)``, and the variance is finite for
every S (defensive importance sampling, Hesterberg 1995, Technometrics 37, 185; Owen and Zhou 2000, JASA 95, 135).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from iwax import batched, streams
from iwax._typing import PRNGKey, Scalar
from iwax.distributions import AbstractIndependent
from iwax.evaluation import tables
from iwax.evaluation.evidence import log_evidence
from iwax.evaluation.rows import at_least
from iwax.evaluation.statistics import standard_error
from iwax.model import LatentVariableModel
from iwax.parts import Datum, Latent
from iwax.printed import printed

__all__ = ["MarginalMoments", "marginal_moments"]

_ROWS, _SETS = 20, 32  # worked on at once, always as many: what is found for a set does not depend on the others
_IMPOSSIBLE = -1e30  # for a log-density of -inf, which is NaN times 0; its exponential is 0 all the same
_FEW = 5  # effective draws below which an estimate of log p(x_S) is too low by more than a tenth of a nat


@printed()
@dataclass(frozen=True)
class MarginalMoments:
    """Over rows of the model: mean and standard deviation of log p(x_S) for P sets of features [P, *event], nats.

    ``error`` [P] is the standard error of the mean over rows, the noise of k draws per row included. ``ess`` [P] is the
    median over rows of how many draws count; an estimate of log p(x_S) is low by some 1 / (2 ESS) nats. Of the rows
    asked for, ``rows`` are those whose log p(x_S) is finite for every set.
    """

    rows: int
    k: int
    sets: np.ndarray
    mean: np.ndarray
    error: np.ndarray
    deviation: np.ndarray
    ess: np.ndarray

    def warnings(self) -> list[str]:
        """Warnings, in plain words; empty if the moments can be trusted."""
        few = int(np.sum(self.ess < min(_FEW, self.k / 2)))
        if not few:
            return []
        return [
            f"the expectation of log p(x) is uncertain for {few:,} of {len(self.sets):,} sets of observed features, "
            f"for which fewer than {_FEW} of k={self.k} draws count in half of the rows; a larger k helps"
        ]


def marginal_moments(
    model: LatentVariableModel,
    sets: np.ndarray,
    *,
    key: PRNGKey,
    rows: int = 1000,
    k: int = 100,
    given: Mapping[str, Any] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> MarginalMoments:
    """``E log p(x_S)`` and its standard deviation, x ~ p(x), nats, for each of the ``sets`` S, marks [P, *event].

    ``given`` are the covariates c of one data point, of a model that needs them: x ~ p(x|c). ``rows`` are drawn and k
    draws of z taken for each (k is made even). The rows and draws are a function of the key: the same for all sets, so
    that differences of means are known better than the means. Where q has no density at a given z
    (`posteriors.Hamiltonian`) every set is evaluated by itself, as `log_evidence` does it. Raises ValueError for sets
    of another shape, features that are not independent given z, a model of missingness, covariates that are missing,
    or fewer than 2 rows or draws.

    >>> from iwax import likelihoods, nn, posteriors, priors
    >>> model = LatentVariableModel(
    ...     prior=priors.StandardNormal(1),
    ...     likelihood=likelihoods.Gaussian.fixed(nn.Linear(1, 2, key=jax.random.key(0)), jnp.ones(2)),
    ...     posterior=posteriors.Gaussian(nn.Linear(2, 2, key=jax.random.key(1))),
    ... )
    >>> both, one = marginal_moments(model, np.array([[True, True], [True, False]]), key=jax.random.key(2)).mean
    >>> bool(both < one)  # a second feature of that scale takes off more than a nat
    True
    """
    marks = tables.marks("sets", sets)
    at_least(2, {"rows": rows, "k": k})
    model.check_given(given)
    values, ess = _log_marginals(model, marks, key, rows, k // 2 * 2, given, progress)
    finite = np.isfinite(values).all(axis=1)
    values, ess, n = values[finite], ess[finite], int(finite.sum())
    if n < 2:
        raise ValueError(f"of {rows} rows drawn from the model {n} have a finite log p(x): needed 2 or more")
    error, deviation = standard_error(values, axis=0), values.std(axis=0, ddof=1)
    return MarginalMoments(n, k // 2 * 2, marks, values.mean(axis=0), error, deviation, np.median(ess, axis=0))


def _log_marginals(
    model: LatentVariableModel,
    sets: np.ndarray,
    key: PRNGKey,
    rows: int,
    k: int,
    given: Mapping[str, Any] | None,
    progress: Callable[[int, int], None] | None,
) -> tuple[np.ndarray, np.ndarray]:
    """log p(x_S) and how many draws count, [rows, P] each, float64."""
    model = batched.ready(model, key)
    shared = _shares_draws(model, key, sets, given)
    marks = np.concatenate([sets, np.ones((-len(sets) % _SETS, *sets.shape[1:]), bool)])
    blocks = [marks[i : i + _SETS] for i in range(0, len(marks), _SETS)]
    found = np.empty((2, -(-rows // _ROWS) * _ROWS, len(marks)))
    for first in range(0, rows, _ROWS):
        x = _drawn(model, key, jnp.uint32(first), given)
        if shared:
            base, each = _tables(model, key, x, k // 2)
            parts = [_of_sets(base, each, jnp.asarray(block.reshape(_SETS, -1))) for block in blocks]
        else:
            parts = [_directly(model, key, x, block, k) for block in blocks]
        found[:, first : first + _ROWS] = np.concatenate([np.asarray(part) for part in parts], axis=2)
        if progress is not None:
            progress(min(first + _ROWS, rows), rows)
    return found[0, :rows, : len(sets)], found[1, :rows, : len(sets)]


def _shares_draws(model: LatentVariableModel, key: PRNGKey, sets: np.ndarray, given: Mapping[str, Any] | None) -> bool:
    """Whether the draws of a row serve all sets: q has a density at any z. ValueError where the features do not fit."""
    x = eqx.filter_eval_shape(_drawn, model, key, jnp.uint32(0), given)
    event = x.values.shape[1:]
    if sets.shape[1:] != event or not sets.size:
        raise ValueError(f"sets must be marks [P, {', '.join(map(str, event))}], got shape {sets.shape}")
    if model.missingness is not None:
        raise ValueError(
            "the expectation of log p(x) is that of rows whose cells are missing at random: needed a model without a "
            f"part for missingness, got {type(model.missingness).__name__}"
        )
    one = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape[1:], leaf.dtype), x)
    p_x = eqx.filter_eval_shape(lambda: model.likelihood(model.propose(one, key).z, one.given, key=key))
    if not isinstance(p_x, AbstractIndependent):
        raise ValueError(
            f"needed features that are independent given z, got {type(model.likelihood).__name__}, which cannot leave "
            "one out"
        )
    try:
        eqx.filter_eval_shape(_at, model, one, key)
    except ValueError:
        return False
    return True


@eqx.filter_jit
def _drawn(model: LatentVariableModel, key: PRNGKey, first: Array, given: Any) -> Datum:
    """``x ~ p(x|c)``, a block of rows from the number ``first`` on, all of them at the covariates c of one."""
    key = jax.random.fold_in(key, streams.Evaluation.GENERATED)
    c = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (_ROWS, *jnp.shape(leaf))), given)
    x = batched.generate(model, key, _ROWS, first=first, given=c)[2]
    return Datum(x, jnp.ones(x.shape, bool), c, first + jnp.arange(_ROWS, dtype=jnp.uint32))


def _at(model: LatentVariableModel, x: Datum, key: PRNGKey) -> tuple[Array, Array]:
    """``log p(z) - log (q(z|x) + p(z)) / 2`` [2] and ``log p(x_j|z)`` [2, features], z ~ q(z|x) and z ~ p(z)."""
    proposal = model.propose(x, key)
    p, q = model.prior(x.given, key=proposal.keys[0]), proposal.distribution
    of_p, _ = p.draw(jax.random.fold_in(key, streams.Proposal.LATENT_OF_PRIOR))
    log_q = jnp.stack([q.log_prob(proposal.z, proposal.trace), q.log_prob(of_p)])

    def at(z: Latent, log_q: Scalar) -> tuple[Array, Array]:
        log_p = p.log_prob(z)
        base = log_p - jnp.logaddexp(log_p, log_q) + jnp.log(2.0)
        p_x: Any = model.likelihood(z, x.given, key=proposal.keys[1])
        return base, p_x.each(x.values)

    both = jax.tree.map(lambda *z: jnp.stack(z), proposal.z, of_p)
    return jax.vmap(at)(both, log_q)


@eqx.filter_jit
def _tables(
    model: LatentVariableModel, key: PRNGKey, x: Datum, pairs: int
) -> tuple[Float[Array, "rows k"], Float[Array, "rows k features"]]:
    """What all sets share: of every row and draw, the weight without the likelihood, and log p(x_j|z)."""
    model = batched.bound(model, key)

    def one(key: PRNGKey, datum: Datum) -> tuple[Array, Array]:
        base, each = batched.over_draws(lambda key: _at(model, datum, key), key, pairs)
        return base.reshape(-1), jnp.maximum(each, _IMPOSSIBLE).reshape(2 * pairs, -1)

    return batched.over_data(one, key, x)


@jax.jit
def _of_sets(base: Array, each: Array, sets: Array) -> Array:
    """log p(x_S) and how many draws count, [2, rows, sets]."""
    log_w = base[..., None] + jnp.einsum("rkd,sd->rks", each, sets.astype(each.dtype), precision="highest")
    largest = log_w.max(axis=1)
    w = jnp.exp(log_w - largest[:, None])
    total = w.sum(axis=1)
    return jnp.stack([largest + jnp.log(total / w.shape[1]), total**2 / (w**2).sum(axis=1)])


def _directly(model: LatentVariableModel, key: PRNGKey, x: Datum, sets: np.ndarray, k: int) -> np.ndarray:
    """The same by draws of q(z|x_S), of every set by itself."""
    x, found = jax.tree.map(np.asarray, x), []
    for marks in sets:
        observed = np.broadcast_to(marks, x.values.shape)
        each = log_evidence(model, replace(x, values=np.where(marks, x.values, 0), observed=observed), k=k, key=key)
        found.append((each.log_evidence, each.ess))
    return np.moveaxis(np.array(found), 0, -1)
