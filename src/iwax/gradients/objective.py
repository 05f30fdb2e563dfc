"""What is ascended: functions of the model whose gradient is an estimator's, and the bound that goes with them."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from iwax import batched
from iwax._typing import AnyArray, LogWeights, PerDatum, PRNGKey, Scalar
from iwax.gradients.estimators import Estimator, Weights
from iwax.gradients.stages import gradient_in_pieces, pull, two_stages
from iwax.model import LatentVariableModel
from iwax.parts import Datum, as_datum

__all__ = ["Surrogate", "surrogate"]

_OF_THE_BOUND, _OF_THE_CHOICE = 2**32 - 2, 2**32 - 3  # rows that no data has: keys of what is drawn beside the draws


class Surrogate(NamedTuple):
    """What is differentiated (``value``, [batch]; its value means nothing) and the bound itself ([batch], nats).

    ``control`` is the control variate's state after these data; None where it has none.
    """

    value: PerDatum
    bound: PerDatum
    control: Any = None


def surrogate(
    model: LatentVariableModel,
    key: PRNGKey,
    x: Datum | AnyArray,
    *,
    k: int,
    estimator: Estimator,
    beta: Scalar | float = 1.0,
    backward: int | None = None,
    chunk: int | None = None,
    control: Any = None,
    mixture: bool = False,
) -> Surrogate:
    """A function of the model whose gradient is the estimator's, from k draws of every row of x.

    x is a `Datum`, or an array of complete rows [batch, features]: ``Datum.of(x, missing=True)`` where some are not.
    ``bound`` in the result is the bound of the same draws at beta = 1, nats, without a gradient. With ``backward`` = m
    the gradient is that of m of the k draws, chosen with probability in proportion to their weights |a| + |b| + |c| and
    weighed by its inverse: unbiased, and forward for k but backward for m (m = 1, pathwise: Burda, Grosse and
    Salakhutdinov 2016, section 3). With ``chunk`` at most so many draws of a row are in memory at once; the forward
    pass is then made twice. ``control`` is the control variate's state (its ``init()`` at first). An objective is this
    function with k and the estimator filled in: ``partial(surrogate, k=50, estimator=doubly_reparameterized(iwae))``.
    With ``mixture`` a draw is weighed against the mean of all k posteriors of its datum, which differ where networks
    are random (`batched.mixture_terms`): a pathwise estimator and all draws at once are needed. Raises ValueError
    where k cannot serve the bound, backward is not in 1..k, chunk is below 1, or the draws of the posterior have no
    derivative and the estimator needs one.
    """
    _refuse(k, estimator, backward, chunk)
    x = as_datum(x, axes=2)
    if mixture and (not estimator.total or backward is not None or (chunk or k) < k):
        raise ValueError(
            "weights against the mixture of posteriors need a pathwise estimator and all draws at once, got "
            f"{estimator.name} with backward={backward} and chunk={chunk}"
        )
    variate = estimator.control_variate
    if control is None and variate is not None and eqx.filter_eval_shape(variate.init) is not None:
        raise ValueError(
            f"the {estimator.name} gradient has a control variate with a state: give control=, at first its init(). "
            "Training does so where the objective is a functools.partial of gradients.surrogate with its estimator"
        )
    if estimator.path and not batched.reparameterized(model, key, x):
        raise ValueError(
            f"the {estimator.name} gradient needs draws with a derivative, and the posterior's are discrete: "
            "use score_function or wake"
        )
    chunk = k if chunk is None else min(chunk, k)
    ask = _Ask(key, jax.random.fold_in(key, _OF_THE_BOUND), x, beta, control, k, estimator, backward, chunk)
    if backward is not None or chunk < k:
        return _recomputed(model, ask)
    if not estimator.total:
        return _in_two_stages(model, ask)
    terms = (batched.mixture_terms if mixture else batched.terms)(model, key, x, k=k)
    bound = jax.lax.stop_gradient(estimator.bound(terms.log_w(), ask.key_of_bound))
    return Surrogate(estimator.bound(terms.log_w(beta), ask.key_of_bound), bound, control)


def _refuse(k: int, estimator: Estimator, backward: int | None, chunk: int | None) -> None:
    if not isinstance(estimator, Estimator):
        raise TypeError(f"estimator needs to be one, such as gradients.pathwise(bounds.iwae), got {estimator!r}")
    if k < 1:
        raise ValueError(f"k, the number of draws, must be at least 1, got {k}")
    for bound in (estimator.bound, estimator.beside):
        if bound is not None and k < bound.least_k:
            raise ValueError(f"{bound.name} needs k of at least {bound.least_k}, got k={k}")
    if backward is not None and not 1 <= backward <= k:
        raise ValueError(f"backward, the number of draws differentiated, must lie in 1..k={k}, got {backward}")
    if chunk is not None and chunk < 1:
        raise ValueError(f"chunk, the number of draws in memory at once, must be at least 1, got {chunk}")


class _Ask(NamedTuple):
    """What is asked of `surrogate`, its keys told apart."""

    key: PRNGKey
    key_of_bound: PRNGKey
    x: Datum
    beta: Scalar | float
    control: Any
    k: int
    estimator: Estimator
    backward: int | None
    chunk: int

    def assess(self, log_w: LogWeights, at_one: LogWeights) -> tuple[Surrogate, Weights]:
        """The bound and the weights of its gradient, and the control variate's state after them."""
        bound, variate, control, baseline = self.estimator.bound, self.estimator.control_variate, self.control, 0.0
        value = bound(log_w, self.key_of_bound)
        if variate is not None:
            target = self.estimator.beside or bound  # what the posterior ascends
            baseline = variate.baseline(control, target, log_w, self.key_of_bound, self.x)
            control = variate.update(control, target(log_w, self.key_of_bound), self.key_of_bound, self.x)
        weights = self.estimator.weights(log_w, self.beta, self.key_of_bound, baseline)
        return Surrogate(value, bound(at_one, self.key_of_bound), control), weights


@eqx.filter_custom_vjp
def _in_two_stages(model: LatentVariableModel, ask: _Ask) -> Surrogate:
    """All k draws at once; the backward pass uses what the forward pass left."""
    terms = batched.terms(model, ask.key, ask.x, k=ask.k)
    return ask.assess(terms.log_w(ask.beta), terms.log_w())[0]


@_in_two_stages.def_fwd
def _stages_forward(perturbed: Any, model: LatentVariableModel, ask: _Ask) -> tuple[Surrogate, Any]:
    stages = two_stages(model, ask.key, ask.x, jnp.arange(ask.k), ask.beta, ask.estimator)
    value, weights = ask.assess(stages.log_w, stages.log_w_at_one)
    return value, (stages, weights)


@_in_two_stages.def_bwd
def _stages_backward(
    residuals: Any, cotangent: Surrogate, perturbed: Any, model: LatentVariableModel, ask: _Ask
) -> Any:
    stages, weights = residuals
    return pull(stages, weights, _outer(cotangent))


@eqx.filter_custom_vjp
def _recomputed(model: LatentVariableModel, ask: _Ask) -> Surrogate:
    """Draws in pieces, or fewer of them backward than forward: the backward pass makes what it needs again."""
    return _in_pieces(model, ask)[0]


@_recomputed.def_fwd
def _recomputed_forward(perturbed: Any, model: LatentVariableModel, ask: _Ask) -> tuple[Surrogate, Any]:
    value, weights = _in_pieces(model, ask)
    if ask.backward is None:
        return value, (jnp.arange(ask.k), weights)
    return value, _chosen(ask.key, ask.x, weights, ask.backward)


@_recomputed.def_bwd
def _recomputed_backward(
    residuals: Any, cotangent: Surrogate, perturbed: Any, model: LatentVariableModel, ask: _Ask
) -> Any:
    draws, weights = residuals
    at = (ask.key, ask.x, draws, ask.beta, ask.estimator)
    return gradient_in_pieces(model, *at, weights, _outer(cotangent), ask.chunk)


def _in_pieces(model: LatentVariableModel, ask: _Ask) -> tuple[Surrogate, Weights]:
    """The k log-weights, ``chunk`` of them in memory at a time, and what comes of them."""

    def piece(first: Array) -> tuple[LogWeights, LogWeights]:
        terms = batched.terms(model, ask.key, ask.x, k=ask.chunk, first=first)
        return terms.log_w(ask.beta), terms.log_w()

    pieces = jax.lax.map(piece, ask.chunk * jnp.arange(-(-ask.k // ask.chunk)))
    log_w, at_one = jax.tree.map(lambda leaf: leaf.reshape(-1, leaf.shape[-1])[: ask.k], pieces)
    return ask.assess(log_w, at_one)


def _chosen(key: PRNGKey, x: Datum, weights: Weights, m: int) -> tuple[Int[Array, "batch m"], Weights]:
    """m of the k draws of every row, by systematic sampling, and their weights over m times their probability.

    One uniform number a row: draw i is taken floor or ceil of m p_i times, m p_i in the mean.
    """
    size = jnp.abs(weights.a).T  # [batch, k]
    for other in (weights.b, weights.c):
        size = size if other is None else size + jnp.abs(other).T
    ends = jnp.cumsum(size, axis=-1)

    def places(key: PRNGKey, datum: Datum, ends: Array) -> Array:
        points = (jnp.arange(m) + jax.random.uniform(key)) / m * ends[-1]
        return jnp.minimum(jnp.searchsorted(ends, points, side="right"), ends.shape[0] - 1)

    draws = batched.over_data(places, jax.random.fold_in(key, _OF_THE_CHOICE), x, ends)
    expected = m * jnp.take_along_axis(size, draws, axis=-1) / ends[:, -1:]
    return draws, jax.tree.map(lambda each: (jnp.take_along_axis(each.T, draws, axis=-1) / expected).T, weights)


def _outer(cotangent: Surrogate) -> Any:
    # None where only the bound was differentiated: it is reported, and has no gradient
    return jnp.zeros(()) if cotangent.value is None else cotangent.value
