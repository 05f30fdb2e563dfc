"""The objective of a bound and an estimator of its gradient: k draws of every row, forward and backward."""

from dataclasses import KW_ONLY, dataclass, field, fields
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from iwax import batched, samplers, streams
from iwax._typing import LogWeights, PRNGKey
from iwax.gradients.estimators import Estimator, Weights
from iwax.gradients.protocol import AbstractObjective, Beta, Penalty, Rows, Surrogate, less
from iwax.gradients.stages import gradient_in_pieces, pull, two_stages
from iwax.model import LatentVariableModel
from iwax.parts import Datum

__all__ = ["Objective"]


@dataclass(frozen=True, repr=False)
class Objective(AbstractObjective):
    """A function of the model whose gradient is the estimator's, from k draws per row.

    ``objective(model, key, x)`` takes x as a `Datum`, or as an array of complete rows [batch, *event] (``Datum.of(x,
    missing=True)`` where some are not), and gives a `Surrogate`: ``value`` [batch] is to be differentiated, and means
    nothing by itself; ``bound`` [batch] is the bound of the same draws at beta = 1, nats, without a gradient.

    Args:
        estimator: a bound and how its gradient is estimated, such as ``gradients.pathwise(bounds.iwae)``.
        k: draws of z per row.
        sampler: how the draws are made (`iwax.samplers`). Those other than `samplers.independent` exclude ``backward``
            and ``chunk``, and take the pathwise estimator, some also `sticking_the_landing` and `wake`.
        backward: m of the k draws that are differentiated (None: all). All k are made and weighted; m of them are
            chosen at random, draw i with a probability proportional to ``|a_i| + |b_i| + |c_i|``, its three weights in
            the gradient (`gradients.estimators`), and divided by it: the gradient stays unbiased, and the backward
            pass costs m draws (m = 1, pathwise: Burda, Grosse and Salakhutdinov 2016, section 3).
        chunk: draws of a row that are in memory at once (None: all k); the forward pass is then made twice.
        penalties: functions of (model, key, x), nats per data point, subtracted from the value and not from the bound.

    Raises ValueError if k does not suit the bound, backward is not in 1..k, chunk is below 1, or the sampler does not
    go with the others; and, when it is called, if the draws of the posterior have no derivative and the estimator needs
    one, or the state of a control variate is missing.

    >>> from iwax import bounds, gradients
    >>> Objective(gradients.doubly_reparameterized(bounds.iwae), k=50)
    Objective(doubly_reparameterized(iwae), k=50)
    """

    estimator: Estimator
    k: int = field()  # pyright: ignore[reportIncompatibleVariableOverride]
    _: KW_ONLY
    sampler: samplers.Sampler = samplers.independent
    backward: int | None = None
    chunk: int | None = None
    penalties: tuple[Penalty, ...] = ()

    def __post_init__(self) -> None:
        _refuse(self.k, self.estimator, self.backward, self.chunk)
        if self.sampler == samplers.independent:
            return
        serves = self.estimator.total or self.estimator.hold in self.sampler.holds
        if not serves or self.backward is not None or self.at_once < self.k:
            others = ", sticking_the_landing or wake" if self.sampler.holds else ""
            raise ValueError(
                f"the {self.sampler} sampler needs a pathwise{others} estimator and all draws at once, got "
                f"{self.estimator} with backward={self.backward} and chunk={self.chunk}"
            )

    def __repr__(self) -> str:
        others = (each for each in fields(self)[2:] if getattr(self, each.name) != each.default)
        return (
            f"Objective({self.estimator}, k={self.k}"
            + "".join(f", {each.name}={getattr(self, each.name)!r}" for each in others)
            + ")"
        )

    @property
    def at_once(self) -> int:
        """Draws of a row that are in memory at once."""
        return min(self.chunk or self.k, self.k)

    def init(self) -> Any:
        """The state of the estimator's control variate before the first step; None where there is none."""
        variate = self.estimator.control_variate
        return None if variate is None else variate.init()

    def decoded(self, model: LatentVariableModel, x: Datum) -> int:
        """k, times the states of a layer that the sampler enumerates."""
        return self.k * self.sampler.states_per_draw(model, x)

    def ascend(self, model: LatentVariableModel, key: PRNGKey, x: Rows, beta: Beta, control: Any) -> Surrogate:
        """The surrogate of every row, less the penalties, and the bound."""
        found = self._ascend(model, key, batched.rows(model, x), beta, control)
        return less(found, self.penalties, model, key, x)

    def _ascend(self, model: LatentVariableModel, key: PRNGKey, x: Datum, beta: Beta, control: Any) -> Surrogate:
        estimator, variate = self.estimator, self.estimator.control_variate
        if control is None and variate is not None and eqx.filter_eval_shape(variate.init) is not None:
            raise ValueError(
                f"the {estimator.name} gradient has a control variate with a state: give control=, at first the "
                "objective's init(). Training does so for a gradients.Objective, and not for a function around one"
            )
        if estimator.path and not self.sampler.reparameterized(model, key, x):
            raise ValueError(
                f"the {estimator.name} gradient needs draws with a derivative, and the posterior's are discrete: "
                "use score_function or wake"
            )
        call = _Call(key, jax.random.fold_in(key, streams.Step.BOUND), x, beta, control, self)
        if self.backward is not None or self.at_once < self.k:
            return _recomputed(model, call)
        if not estimator.total and self.sampler == samplers.independent:
            return _in_two_stages(model, call)
        hold, sampler = None if estimator.total else estimator.hold, self.sampler
        args = (model, key, x)
        terms = sampler.terms(*args, k=self.k) if hold is None else sampler.terms_holding(hold, *args, k=self.k)
        bound = jax.lax.stop_gradient(sampler.close(estimator.bound, terms, call.key_of_bound))
        if hold == "draws":
            return Surrogate(sampler.wake(terms, beta), bound, control)
        return Surrogate(sampler.close(estimator.bound, terms, call.key_of_bound, beta), bound, control)


def _refuse(k: int, estimator: Estimator, backward: int | None, chunk: int | None) -> None:
    if not isinstance(estimator, Estimator):
        raise TypeError(f"estimator needs to be one, such as gradients.pathwise(bounds.iwae), got {estimator!r}")
    if k < 1:
        raise ValueError(f"k, the number of draws, must be at least 1, got {k}")
    for bound in (estimator.bound, estimator.posterior_bound):
        if bound is not None and k < bound.least_k:
            raise ValueError(f"{bound.name} needs k of at least {bound.least_k}, got k={k}")
    if backward is not None and not 1 <= backward <= k:
        raise ValueError(f"backward, the number of draws differentiated, must lie in 1..k={k}, got {backward}")
    if chunk is not None and chunk < 1:
        raise ValueError(f"chunk, the number of draws in memory at once, must be at least 1, got {chunk}")


class _Call(NamedTuple):
    """The arguments of an objective, with the key of the bound apart."""

    key: PRNGKey
    key_of_bound: PRNGKey
    x: Datum
    beta: Beta
    control: Any
    objective: Objective

    def assess(self, log_w: LogWeights, at_one: LogWeights) -> tuple[Surrogate, Weights]:
        """The bound and the weights of its gradient, and the control variate's state after them."""
        estimator = self.objective.estimator
        bound, variate, control, baseline = estimator.bound, estimator.control_variate, self.control, 0.0
        value = bound(log_w, self.key_of_bound)
        if variate is not None:
            target = estimator.posterior_bound or bound  # what the posterior ascends
            baseline = variate.baseline(control, target, log_w, self.key_of_bound, self.x)
            control = variate.update(control, target(log_w, self.key_of_bound), self.key_of_bound, self.x)
        weights = estimator.weights(log_w, self.beta, self.key_of_bound, baseline)
        return Surrogate(value, bound(at_one, self.key_of_bound), control), weights


@eqx.filter_custom_vjp
def _in_two_stages(model: LatentVariableModel, call: _Call) -> Surrogate:
    """All k draws at once; the backward pass uses what the forward pass left."""
    terms = batched.terms(model, call.key, call.x, k=call.objective.k)
    return call.assess(terms.log_w(call.beta), terms.log_w())[0]


@_in_two_stages.def_fwd
def _stages_forward(perturbed: Any, model: LatentVariableModel, call: _Call) -> tuple[Surrogate, Any]:
    stages = two_stages(model, call.key, call.x, jnp.arange(call.objective.k), call.beta, call.objective.estimator)
    value, weights = call.assess(stages.log_w, stages.log_w_at_one)
    return value, (stages, weights)


@_in_two_stages.def_bwd
def _stages_backward(
    residuals: Any, cotangent: Surrogate, perturbed: Any, model: LatentVariableModel, call: _Call
) -> Any:
    stages, weights = residuals
    return pull(stages, weights, _outer(cotangent))


@eqx.filter_custom_vjp
def _recomputed(model: LatentVariableModel, call: _Call) -> Surrogate:
    """Draws in pieces, or fewer of them backward than forward: the backward pass makes what it needs again."""
    return _in_pieces(model, call)[0]


@_recomputed.def_fwd
def _recomputed_forward(perturbed: Any, model: LatentVariableModel, call: _Call) -> tuple[Surrogate, Any]:
    value, weights = _in_pieces(model, call)
    if call.objective.backward is None:
        return value, (jnp.arange(call.objective.k), weights)
    return value, _chosen(call.key, call.x, weights, call.objective.backward)


@_recomputed.def_bwd
def _recomputed_backward(
    residuals: Any, cotangent: Surrogate, perturbed: Any, model: LatentVariableModel, call: _Call
) -> Any:
    draws, weights = residuals
    at = (call.key, call.x, draws, call.beta, call.objective.estimator)
    return gradient_in_pieces(model, *at, weights, _outer(cotangent), call.objective.at_once)


def _in_pieces(model: LatentVariableModel, call: _Call) -> tuple[Surrogate, Weights]:
    """The k log-weights, ``chunk`` of them in memory at a time, and what comes of them."""

    def piece(first: Array) -> tuple[LogWeights, LogWeights]:
        terms = batched.terms(model, call.key, call.x, k=call.objective.at_once, first=first)
        return terms.log_w(call.beta), terms.log_w()

    pieces = jax.lax.map(piece, call.objective.at_once * jnp.arange(-(-call.objective.k // call.objective.at_once)))
    log_w, at_one = jax.tree.map(lambda leaf: leaf.reshape(-1, leaf.shape[-1])[: call.objective.k], pieces)
    return call.assess(log_w, at_one)


def _chosen(key: PRNGKey, x: Datum, weights: Weights, m: int) -> tuple[Int[Array, "batch m"], Weights]:
    """m of the k draws of every row, by systematic sampling, and their weights over m times their probability.

    One uniform number per row: draw i is taken floor or ceil of m p_i times, m p_i in the mean.
    """
    size = jnp.abs(weights.a).T  # [batch, k]
    for other in (weights.b, weights.c):
        size = size if other is None else size + jnp.abs(other).T
    ends = jnp.cumsum(size, axis=-1)

    def places(key: PRNGKey, datum: Datum, ends: Array) -> Array:
        points = (jnp.arange(m) + jax.random.uniform(key)) / m * ends[-1]
        return jnp.minimum(jnp.searchsorted(ends, points, side="right"), ends.shape[0] - 1)

    draws = batched.over_data(places, jax.random.fold_in(key, streams.Step.BACKWARD), x, ends)
    expected = m * jnp.take_along_axis(size, draws, axis=-1) / ends[:, -1:]
    return draws, jax.tree.map(lambda each: (jnp.take_along_axis(each.T, draws, axis=-1) / expected).T, weights)


def _outer(cotangent: Surrogate) -> Any:
    # None where only the bound was differentiated: it is reported, and has no gradient
    return jnp.zeros(()) if cotangent.value is None else cotangent.value
