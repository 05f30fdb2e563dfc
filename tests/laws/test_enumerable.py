"""Binary latents, where every expectation is a finite sum: bounds, estimators and log p(x) against exact numbers.

An estimator's update is sum_i a_i d_theta log w_i + c_i d_phi log q(z_i|x) with weights that depend on the log-weights
alone. So its expectation is a sum over the outcomes of k draws of weights times fixed directions: every bound and
control variate is tried on the same few arrays, in one compilation; a few go all the way through `surrogate`.
"""

from functools import cache, partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from oracles import enumerable
from oracles.known_noise import keys_of_draws

from iwax import bounds, control_variates, evaluation, gradients, nn
from iwax.parts import Datum

LATENT, FEATURES = 2, 3
X = np.array([1.0, 0.0, 1.0])
KEY = jax.random.key(3)
THETA, PHI = ("prior", "weight", "bias"), ("encoder", "offset")

pytestmark = pytest.mark.usefixtures("float64")


@cache
def parameters() -> enumerable.Parameters:
    return enumerable.random(LATENT, FEATURES, seed=0)


def bounds_at(k: int) -> list[bounds.Bound]:
    """One of each kind, and the corners of those that have some."""
    return [
        bounds.elbo,
        bounds.iwae,
        bounds.miwae(k),
        bounds.ciwae(0.3),
        bounds.renyi(0.5),
        bounds.renyi(2.0),
        bounds.renyi(-1.0),
        bounds.renyi(-np.inf),
        bounds.cubo(2.0),
        bounds.jackknife(1),
        *([bounds.jackknife(2)] if k > 2 else []),
        bounds.thermodynamic(3, first=0.2),
        bounds.thermodynamic(3, first=0.2, side="right"),
    ]


def control_variates_at_hand() -> list[tuple[str, control_variates.ControlVariate, object]]:
    """Each with a state that is not that at the beginning."""
    average = control_variates.moving_average(0.5)
    datum, key = Datum(values=jnp.asarray(X)[None], index=jnp.arange(1)), KEY
    after_one = average.update(average.init(), jnp.array([-3.0]), key, datum)
    learned = control_variates.Learned(nn.Linear(FEATURES, 1, key=KEY))
    learned_state = learned.update(learned.init(), jnp.array([-3.0]), key, datum)
    return [
        ("none", control_variates.none, None),
        ("leave_one_out", control_variates.leave_one_out, None),
        ("moving_average", average, after_one),
        ("learned", learned, learned_state),
    ]


@cache
def outcomes(k: int, beta: float):
    """log w [k, n], probabilities [n], and d log w of theta's leaves and d log q of phi's, [n, k, ...] each."""
    z = enumerable.tuples(LATENT, k)

    @jax.jit
    def arrays(parameters, beta):
        of_log_w = jax.jacfwd(partial(enumerable.log_w, beta=beta))(parameters, X, z)
        of_log_q = jax.jacfwd(enumerable.log_q)(parameters, X, z)
        directions = {name: of_log_w[name] for name in THETA} | {name: of_log_q[name] for name in PHI}
        log_w = enumerable.log_w(parameters, X, z, beta).T
        return log_w, enumerable.probability(parameters, X, z), directions

    return arrays(parameters(), beta)


def weights_of(estimator, log_w, *, beta, state=None) -> gradients.Weights:
    baseline = 0.0
    if estimator.control_variate is not None:
        n = log_w.shape[1]
        x = Datum(values=jnp.tile(jnp.asarray(X), (n, 1)), index=jnp.zeros(n, int))
        baseline = estimator.control_variate.baseline(state, estimator.bound, log_w, KEY, x)
    weights = estimator.weights(log_w, beta, KEY, baseline)
    assert weights.b is None  # there is no path through a discrete draw
    return weights


def expectation(weights: gradients.Weights, *, k: int, beta: float) -> enumerable.Parameters:
    """The update that these weights make of every outcome, in the mean."""
    _, probability, directions = (jax.tree.map(np.asarray, each) for each in outcomes(k, beta))
    each = dict.fromkeys(THETA, np.asarray(weights.a)) | dict.fromkeys(PHI, np.asarray(weights.c))
    return {
        name: np.einsum("kn,n,nk...->...", each[name], probability, direction) for name, direction in directions.items()
    }


def expected_update(estimator, *, k: int, beta: float) -> enumerable.Parameters:
    log_w, _, _ = outcomes(k, beta)
    return expectation(weights_of(estimator, log_w, beta=beta), k=k, beta=beta)


STEP = 1e-3
STENCIL = {-3: -1 / 60, -2: 3 / 20, -1: -3 / 4, 1: 3 / 4, 2: -3 / 20, 3: 1 / 60}  # of a first derivative, to order 6


@cache
def _expectations(k: int):
    """A function of parameters (flat, [points, size]) and beta: by bound, its exact expectation at every point."""
    _, unravel = ravel_pytree(parameters())
    z = enumerable.tuples(LATENT, k)

    @jax.jit
    def found(points, beta):
        log_w = jax.vmap(lambda p: enumerable.log_w(unravel(p), X, z, beta))(points)  # [points, n, k]
        probability = jax.vmap(lambda p: enumerable.probability(unravel(p), X, z))(points)
        together = jnp.moveaxis(log_w, -1, 0)
        return {bound.name: (probability * bound.value(together, None)).sum(axis=-1) for bound in bounds_at(k)}

    return found


@cache
def exact(k: int, beta: float) -> dict[str, tuple[float, enumerable.Parameters]]:
    """By bound, its expectation and the gradient of that: finite differences of exact sums, right to 1e-11."""
    flat, unravel = ravel_pytree(parameters())
    moves = STEP * np.array(list(STENCIL))[:, None, None] * np.eye(flat.size)  # [6, size, size]
    points = np.concatenate([flat[None], (flat + moves).reshape(-1, flat.size)])
    found = {}
    for name, values in _expectations(k)(points, beta).items():
        around = np.asarray(values[1:]).reshape(len(STENCIL), flat.size)
        slope = np.array(list(STENCIL.values())) @ around / STEP
        found[name] = float(values[0]), unravel(jnp.asarray(slope))
    return found


def exact_gradient(name: str, k: int, beta: float) -> enumerable.Parameters:
    return exact(k, beta)[name][1]


def largest_error(got: enumerable.Parameters, wanted: enumerable.Parameters, names=THETA + PHI) -> float:
    return max(float(jnp.abs(got[name] - wanted[name]).max()) for name in names)


# -- the oracle -----------------------------------------------------------------------------------------------------


def test_the_oracle_agrees_with_itself():
    """p(x) sums to 1 over all x, p(z|x) over all z, the probabilities over all outcomes; the mean weight is p(x)."""

    @jax.jit
    def sums(parameters):
        p_x = jnp.exp(jax.vmap(partial(enumerable.log_evidence, parameters))(enumerable.states(FEATURES))).sum()
        weight = enumerable.expected(lambda w: jnp.exp(w).mean(axis=0), parameters, X, k=2)
        total = enumerable.probability(parameters, X, enumerable.tuples(LATENT, 3)).sum()
        return p_x, enumerable.posterior(parameters, X).sum(), total, jnp.log(weight)

    *ones, log_mean_weight = sums(parameters())
    np.testing.assert_allclose(ones, 1, atol=1e-12)
    assert log_mean_weight == pytest.approx(float(enumerable.log_evidence(parameters(), X)), abs=1e-12)


def test_lower_bounds_lie_below_log_p_and_iwae_rises_with_k_exactly():
    log_p = float(enumerable.log_evidence(parameters(), X))
    values = {k: {name: value for name, (value, _) in exact(k, 1.0).items()} for k in (2, 3)}
    for k, by_name in values.items():
        for bound in bounds_at(k):
            assert bound.kind != "lower" or by_name[bound.name] < log_p
    assert values[2]["elbo"] == pytest.approx(values[3]["elbo"], abs=1e-12)
    assert values[2]["elbo"] < values[2]["iwae"] - 0.01
    assert values[2]["iwae"] < values[3]["iwae"] - 0.01


def test_log_evidence_is_the_exact_one_within_its_error():
    every = enumerable.states(FEATURES)
    estimate = evaluation.log_evidence(enumerable.model(parameters()), every, k=5000, key=KEY, chunk=1000)
    log_p = np.array([float(enumerable.log_evidence(parameters(), x)) for x in every])
    assert (np.abs(estimate.log_evidence - log_p) < 4.5 * estimate.monte_carlo_error).all()
    z = enumerable.states(LATENT)
    elbo = [np.exp(enumerable.log_q(parameters(), x, z)) @ enumerable.log_w(parameters(), x, z) for x in every]
    assert (np.abs(estimate.elbo - elbo) < 4.5 * estimate.elbo_error).all()


# -- estimators -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [2, pytest.param(3, marks=pytest.mark.slow)])
@pytest.mark.slow
def test_the_score_function_is_unbiased_for_every_bound_and_control_variate(k: int):
    @jax.jit
    def all_weights(log_w, beta):
        return {
            (bound.name, name): weights_of(gradients.score_function(bound, variate), log_w, beta=beta, state=state)
            for bound in bounds_at(k)
            for name, variate, state in control_variates_at_hand()[: 4 if k == 2 else 2]
        }

    for beta in (1.0, 0.4):
        found = all_weights(outcomes(k, beta)[0], beta)
        assert len(found) == (4 if k == 2 else 2) * len(bounds_at(k))
        for (bound, variate), weights in found.items():
            error = largest_error(expectation(weights, k=k, beta=beta), exact_gradient(bound, k, beta))
            assert error < 1e-10, f"{bound}, {variate}, beta={beta}"


@pytest.mark.parametrize("beta", [1.0, pytest.param(0.4, marks=pytest.mark.slow)])
def test_a_baseline_that_sees_its_own_draw_is_caught(beta: float):
    """The bound itself as a baseline leaves -beta L' alone: the test above has to see it."""

    class Cheating(type(control_variates.none)):
        def baseline(self, state, bound, log_w, key, x):
            return bound.value(log_w, key)[None]

    update = expected_update(gradients.score_function(bounds.iwae, Cheating()), k=2, beta=beta)
    assert largest_error(update, exact_gradient("iwae", 2, beta), PHI) > 0.01


@pytest.mark.slow
def test_leaving_one_out_makes_the_gradient_less_noisy():
    def second_moment(variate) -> float:
        log_w, probability, directions = outcomes(3, 1.0)
        estimator = gradients.score_function(bounds.iwae, variate)
        c = estimator.weights(log_w, 1.0, KEY, variate.baseline(None, bounds.iwae, log_w, KEY, None)).c
        each = jnp.einsum("kn,nkj->nj", c, directions["offset"])
        return float(probability @ (each**2).sum(axis=1))

    assert second_moment(control_variates.leave_one_out) < 0.5 * second_moment(control_variates.none)


@pytest.mark.parametrize("k", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_wake_ascends_iwae_in_the_model_and_the_weighted_score_in_the_posterior(k: int):
    update = expected_update(gradients.wake(), k=k, beta=1.0)
    assert largest_error(update, exact_gradient("iwae", k, 1.0), THETA) < 1e-10
    log_w, probability, directions = outcomes(k, 1.0)
    share = np.exp(log_w) / np.exp(log_w).sum(axis=0)
    for name in PHI:
        wanted = np.einsum("kn,n,nk...->...", share, probability, directions[name])
        np.testing.assert_allclose(update[name], wanted, atol=1e-12)
    # towards q = p(z|x): as k grows, minus the gradient of KL(p || q)
    score = jax.jacobian(lambda p: enumerable.log_q(p, X, enumerable.states(LATENT)))(parameters())
    limit = {name: enumerable.posterior(parameters(), X) @ score[name].reshape(4, -1) for name in PHI}
    assert sum(float((update[name].ravel() * limit[name]).sum()) for name in PHI) > 0


def test_the_covariance_gradient_is_biased_at_few_draws_and_right_in_the_model():
    bound = bounds.thermodynamic(3, first=0.2)
    for k in (2, 3):
        update = expected_update(gradients.covariance(bound), k=k, beta=1.0)
        wanted = exact_gradient(bound.name, k, 1.0)
        assert largest_error(update, wanted, THETA) < 1e-10
        assert largest_error(update, wanted, PHI) > 1e-3


def test_pairs_take_the_model_from_one_and_the_posterior_from_another():
    posterior = gradients.score_function(bounds.miwae(2), control_variates.leave_one_out)
    pair = gradients.paired(model=gradients.pathwise(bounds.iwae), posterior=posterior)
    update = expected_update(pair, k=2, beta=1.0)
    assert largest_error(update, exact_gradient("iwae", 2, 1.0), THETA) < 1e-10
    assert largest_error(update, exact_gradient("miwae(2)", 2, 1.0), PHI) < 1e-10


# -- all the way through `surrogate` --------------------------------------------------------------------------------

THROUGH = {
    "vimco": lambda: gradients.score_function(bounds.iwae, control_variates.leave_one_out),
    "reinforce": lambda: gradients.score_function(bounds.ciwae(0.3), control_variates.none),
    "wake": gradients.wake,
}


@partial(jax.jit, static_argnums=(0, 1))
def expected_by_surrogate(name: str, k: int, words, beta):
    """E of the surrogate's gradient over every table of draws, and of the bound that it reports."""
    estimator = THROUGH[name]()
    x = Datum(values=jnp.asarray(X)[None])

    def at(table):
        def value(model):
            found = gradients.Objective(estimator, k=k)(model, KEY, x, beta=beta)
            return found.value[0], found.bound[0]

        model = enumerable.model(parameters(), table=table, words=words)
        (_, reported), gradient = eqx.filter_value_and_grad(value, has_aux=True)(model)
        return enumerable.parameters_of(gradient), reported

    z = enumerable.tuples(LATENT, k)
    probability = enumerable.probability(parameters(), X, z)
    found = jax.vmap(at)(jnp.asarray(z))
    return jax.tree.map(lambda each: jnp.tensordot(probability, each, axes=1), found)


@pytest.mark.parametrize("name", THROUGH)
def test_surrogate_makes_the_expected_update(name: str):
    k = 2
    blank = enumerable.model(parameters(), table=jnp.zeros((k, LATENT)), words=jnp.zeros((k, 2), jnp.uint32))
    words = keys_of_draws(blank, KEY, Datum(values=jnp.asarray(X)[None]), k=k)
    estimator = THROUGH[name]()
    for beta in (1.0, 0.4):
        update, reported = expected_by_surrogate(name, k, words, beta)
        assert largest_error(update, expected_update(estimator, k=k, beta=beta)) < 1e-10
        assert float(reported) == pytest.approx(exact(k, 1.0)[estimator.bound.name][0], abs=1e-12)
        if name != "wake":
            assert largest_error(update, exact_gradient(estimator.bound.name, k, beta)) < 1e-10


@pytest.mark.parametrize(
    "estimator", [gradients.pathwise, gradients.sticking_the_landing, gradients.doubly_reparameterized]
)
def test_estimators_through_the_draws_are_refused(estimator):
    """There is no path: what they would give is not the gradient."""
    x = Datum(values=jnp.asarray(X)[None])
    with pytest.raises(ValueError, match=r"posterior's are discrete: use score_function or wake"):
        gradients.Objective(estimator(bounds.iwae), k=2)(enumerable.model(parameters()), KEY, x)


def test_the_closed_form_kl_is_refused():
    x = Datum(values=jnp.asarray(X)[None])
    with pytest.raises((TypeError, ValueError), match="closed-form KL needs"):
        gradients.closed_form_kl(k=1)(enumerable.model(parameters()), KEY, x)


def test_the_divergence_of_bernoulli_units_is_the_sum_over_states():
    model, x = enumerable.model(parameters()), X[None]
    z = enumerable.states(LATENT)
    log_q, prior = enumerable.log_q(parameters(), X, z), enumerable.log_joint(parameters(), X, z)
    log_likelihood = enumerable.log_joint(parameters(), X, z, 0.0)
    exact = float(np.exp(log_q) @ (log_q - (prior - log_likelihood)))
    (each,) = evaluation.kl_per_unit(model, x, key=KEY)
    assert each.sum() == pytest.approx(exact, abs=1e-12)


@pytest.mark.slow
def test_discrete_latents_are_resampled_and_calibrated():
    """q is wrong and refused; resampled by its weights it is the exact posterior."""
    model = enumerable.model(parameters())
    arguments = {"simulations": 1000, "draws": 19, "key": KEY}
    assert not evaluation.simulation_based_calibration(model, evaluation.posterior_sampler, **arguments).accepted()
    repaired = evaluation.simulation_based_calibration(model, evaluation.resampling_sampler(100), **arguments)
    assert repaired.accepted(0.01)
