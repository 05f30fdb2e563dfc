"""Gradient estimators: three weights per draw, computed from the log-weights alone.

With L' and L'' the first and the diagonal second derivative of the bound in each log w_i, z̄ the draw held constant and
beta the temperature in ``log w = log p(x|z) + beta (log p(z) - log q(z|x))``, every update ascends

    sum_i a_i d_theta log w_i  +  sum_i b_i d_z log w_i d_phi z_i  +  sum_i c_i d_phi log q(z̄_i|x).

=======================  ====  ==============  ========  ================================================
estimator                a     b               c         unbiased for the gradient of the bound
=======================  ====  ==============  ========  ================================================
pathwise                 L'    L'              -beta L'  yes
sticking_the_landing     L'    L'              0         only where L'' = 0, as for the ELBO
doubly_reparameterized   L'    L' - beta L''   0         yes
=======================  ====  ==============  ========  ================================================
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp

from iwax import batched
from iwax._typing import Datum, LogWeights, PerDatum, PRNGKey, Scalar
from iwax.bounds import Bound
from iwax.distributions import Factorized
from iwax.model import LatentVariableModel

__all__ = [
    "Estimator",
    "Surrogate",
    "Weights",
    "closed_form_kl",
    "doubly_reparameterized",
    "pathwise",
    "sticking_the_landing",
    "surrogate",
]


class Weights(NamedTuple):
    """The weights of model (a), path (b) and score (c; None where it is zero), each [k, *batch]."""

    a: LogWeights
    b: LogWeights
    c: LogWeights | None


class Surrogate(NamedTuple):
    """What is differentiated (``value``, [batch]; its value means nothing) and the bound itself ([batch], nats)."""

    value: PerDatum
    bound: PerDatum


@dataclass(frozen=True)
class Estimator:
    """A bound and the weights with which its gradient is estimated.

    ``total`` says that b = a and c = -beta a: plain automatic differentiation of the bound. ``score`` says whether
    there are weights c at all.
    """

    name: str
    bound: Bound
    weights: Callable[[LogWeights, Scalar | float], Weights]
    total: bool = False
    score: bool = False


def pathwise(bound: Bound) -> Estimator:
    """``a = b = L', c = -beta L'``: the gradient of the bound through the draws (Kingma and Welling 2014).

    >>> from iwax.bounds import iwae
    >>> pathwise(iwae).weights(jnp.zeros(2), 1.0).c
    Array([-0.5, -0.5], dtype=float32)
    """

    def weights(log_w: LogWeights, beta: Scalar | float) -> Weights:
        first, _ = bound.derivatives(log_w)
        return Weights(first, first, -beta * first)

    return Estimator("pathwise", bound, weights, total=True, score=True)


def sticking_the_landing(bound: Bound) -> Estimator:
    """``a = b = L', c = 0``: the score of q left out (Roeder, Wu and Duvenaud 2017, arXiv:1703.09194).

    Unbiased for the ELBO, and biased for every bound that is not linear in the log-weights.
    """

    def weights(log_w: LogWeights, beta: Scalar | float) -> Weights:
        first, _ = bound.derivatives(log_w)
        return Weights(first, first, None)

    return Estimator("sticking_the_landing", bound, weights)


def doubly_reparameterized(bound: Bound) -> Estimator:
    """``a = L', b = L' - beta L'', c = 0`` (Tucker et al. 2019, arXiv:1810.04152); b = w̃^2 for the IWAE bound.

    >>> from iwax.bounds import iwae
    >>> doubly_reparameterized(iwae).weights(jnp.zeros(2), 1.0).b
    Array([0.25, 0.25], dtype=float32)
    """

    def weights(log_w: LogWeights, beta: Scalar | float) -> Weights:
        first, second = bound.derivatives(log_w)
        return Weights(first, first - beta * second, None)

    return Estimator("doubly_reparameterized", bound, weights)


def surrogate(
    model: LatentVariableModel,
    key: PRNGKey,
    x: Datum,
    *,
    k: int,
    estimator: Estimator,
    beta: Scalar | float = 1.0,
) -> Surrogate:
    """A function of the model whose gradient is the estimator's, from k draws of every row of x.

    ``bound`` in the result is the bound of the same draws at beta = 1, nats, without a gradient. An objective is this
    function with k and the estimator filled in: ``partial(surrogate, k=50, estimator=doubly_reparameterized(iwae))``.
    Raises ValueError where k is below 1.
    """
    if k < 1:
        raise ValueError(f"k, the number of draws, must be at least 1, got {k}")
    if estimator.total:
        terms = batched.terms(model, key, x, k=k)
        bound = jax.lax.stop_gradient(estimator.bound(terms.log_w()))
        return Surrogate(estimator.bound(terms.log_w(beta)), bound)
    return _in_two_stages(model, key, x, beta, k, estimator)


@eqx.filter_custom_vjp
def _in_two_stages(
    model: LatentVariableModel, key: PRNGKey, x: Datum, beta: Scalar | float, k: int, estimator: Estimator
) -> Surrogate:
    terms = batched.terms(model, key, x, k=k)
    return Surrogate(estimator.bound(terms.log_w(beta)), estimator.bound(terms.log_w()))


@_in_two_stages.def_fwd
def _forward(
    perturbed: Any, model: LatentVariableModel, key: PRNGKey, x: Datum, beta: Any, k: int, estimator: Estimator
) -> tuple[Surrogate, Any]:
    """Stage 1: model -> (z, log q(z̄)). Stage 2: (model, z) -> log w with q held constant."""
    parameters, static = eqx.partition(model, eqx.is_inexact_array)

    def proposals(parameters: Any) -> tuple[Any, Any]:
        return batched.propose(eqx.combine(parameters, static), key, x, k=k, score=estimator.score)

    def log_weights(parameters: Any, z: Any) -> tuple[LogWeights, LogWeights]:
        terms = batched.terms_at(eqx.combine(parameters, static), key, x, z, k=k)
        return terms.log_w(beta), terms.log_w()

    (z, _), pull_proposals = jax.vjp(proposals, parameters)
    log_w, pull_log_weights, log_w_at_one = jax.vjp(log_weights, parameters, z, has_aux=True)
    value = Surrogate(estimator.bound(log_w), estimator.bound(log_w_at_one))
    return value, (pull_proposals, pull_log_weights, estimator.weights(log_w, beta))


@_in_two_stages.def_bwd
def _backward(
    residuals: Any,
    cotangent: Surrogate,
    perturbed: Any,
    model: LatentVariableModel,
    key: PRNGKey,
    x: Datum,
    beta: Any,
    k: int,
    estimator: Estimator,
) -> Any:
    """Pull a back through stage 2, scale what reaches z by b/a, pull that and c back through stage 1."""
    pull_proposals, pull_log_weights, weights = residuals
    # None where only the bound was differentiated: it is reported, and has no gradient
    outer = jnp.zeros(()) if cotangent.value is None else cotangent.value
    from_model, dz = pull_log_weights(weights.a * outer)
    ratio = _path_over_model(weights).T  # [batch, k], as z
    dz = jax.tree.map(lambda leaf: leaf * ratio.reshape(ratio.shape + (1,) * (leaf.ndim - 2)), dz)
    score = weights.c * outer if estimator.score else None
    (from_proposals,) = pull_proposals((dz, score))
    return jax.tree.map(jnp.add, from_model, from_proposals)


def _path_over_model(weights: Weights) -> LogWeights:
    """b/a: 1 where they are equal, and finite where a is zero or has underflowed (b is then no larger)."""
    tiny = jnp.finfo(weights.a.dtype).tiny
    a = jnp.where(jnp.abs(weights.a) < tiny, jnp.copysign(tiny, weights.a), weights.a)
    return jnp.where(weights.a == weights.b, 1, weights.b / a)


def closed_form_kl(
    model: LatentVariableModel,
    key: PRNGKey,
    x: Datum,
    *,
    k: int,
    beta: Scalar | float = 1.0,
    free_bits: float = 0.0,
) -> Surrogate:
    """``(1/k) sum_i log p(x|z_i) - beta KL(q(z|x) || p(z))``: the ELBO by estimator B of Kingma and Welling (2014).

    With ``free_bits`` a unit whose KL, averaged over the rows of x, lies below that many nats costs exactly that much
    and is not pressed further (Kingma et al. 2016, arXiv:1606.04934). ``bound`` in the result is the ELBO itself.
    Needs a factorised posterior and prior of one family; raises TypeError where the KL has no closed form.
    """
    if k < 1:
        raise ValueError(f"k, the number of draws, must be at least 1, got {k}")
    prior = batched.prepared(model, key)

    def draw(datum: Datum, key: PRNGKey) -> tuple[Any, Any]:
        proposal = model.propose(datum, key)
        q, p = proposal.distribution, prior(datum, key=proposal.keys[0])
        if not (isinstance(q, Factorized) and isinstance(p, Factorized)):
            raise TypeError(
                "the closed-form KL needs a factorised posterior and prior, got "
                f"{type(q).__name__} and {type(p).__name__}: use surrogate(..., estimator=pathwise(elbo)) instead"
            )
        p_x = model.likelihood(proposal.z, key=proposal.keys[1])
        return p_x.log_prob(datum.values, where=datum.observed), q.kl(p)

    def one(key: PRNGKey, datum: Datum) -> tuple[Any, Any]:
        terms = batched.over_draws(lambda key: draw(datum, key), key, k)
        return jax.tree.map(lambda leaf: jnp.mean(leaf, axis=0), terms)

    log_likelihood, kl = batched.over_data(one, key, x)
    free = jnp.mean(kl, axis=0) < free_bits
    cost = jnp.sum(jnp.where(free, free_bits, kl), axis=-1)
    elbo = jax.lax.stop_gradient(log_likelihood - jnp.sum(kl, axis=-1))
    return Surrogate(log_likelihood - beta * cost, elbo)
