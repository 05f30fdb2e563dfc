"""Every bound x estimator x temperature: the expected update against the exact gradient of the expected bound.

One latent and two binary pixels (`one_latent`), k = 2 or 3 draws, float64. The expectation is an integral over the
noise of the draws: the trapezoid rule on 90 nodes from -8.5 to 8.5 per draw (36 for k = 3; 80 Gauss-Legendre nodes
either side of equal draws for the bound that has a kink there). Weights are those of the estimators; what they multiply
is written out by hand, and so is the exact gradient. That `surrogate` applies weights as it should is `test_surrogate`.
"""

import itertools
import math
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import bounds_by_definition as definition
from oracles import one_latent as oracle
from scipy.special import ndtri

from iwax import bounds, gradients
from iwax import control_variates as variates
from iwax.parts import Datum

BETAS = (1.0, 0.4)
EXACT = 1e-8
BIASED = 1e-3  # by which an estimator that is biased must be seen to be
LEFT, RIGHT = bounds.thermodynamic(3, first=0.2), bounds.thermodynamic(3, first=0.2, side="right")
LARGEST = bounds.renyi(-math.inf)
SMOOTH = [  # with two draws
    (bounds.elbo, definition.elbo),
    (bounds.iwae, definition.log_mean_exp),
    (bounds.miwae(2), partial(definition.miwae, 2)),
    (bounds.ciwae(0.3), partial(definition.ciwae, 0.3)),
    *((bounds.renyi(alpha), partial(definition.renyi, alpha)) for alpha in (1.0, 0.5, 2.0, -1.0)),
    (bounds.jackknife(1), partial(definition.jackknife, 1)),
    (bounds.cubo(2.0), partial(definition.cubo, 2.0)),
    (LEFT, partial(definition.thermodynamic, 3, 0.2, "left")),
    (RIGHT, partial(definition.thermodynamic, 3, 0.2, "right")),
]
LINEAR = {"elbo", "miwae(2)", "renyi(1)"}  # in the log-weights, with two draws: L'' = 0
BY_NAME = {bound.name: (bound, exact) for bound, exact in SMOOTH}
REPARAMETERISED = (gradients.pathwise, gradients.sticking_the_landing, gradients.doubly_reparameterized)


@cache
def plain(draws: int):
    return oracle.plain_noise(draws, points={2: 90, 3: 36}[draws])


@cache
def exact_gradient(name: str, beta: float) -> np.ndarray:
    return oracle.expected_gradient(BY_NAME[name][1], oracle.PARAMETERS, *plain(2), beta)


def baseline_of(estimator, log_w, key):
    """From log-weights [k, nodes]; a moving average has seen one batch."""
    variate = estimator.control_variate
    if variate is None:
        return 0.0
    x = Datum(values=jnp.zeros((log_w.shape[1], 1)))
    state = variate.update(variate.init(), jnp.full(3, -1.3), key, x)
    return variate.baseline(state, estimator.bound, log_w, key, x)


def expected_update(estimator, beta: float, *, p=oracle.PARAMETERS, quadrature=None, key=None) -> np.ndarray:
    """E of what the estimator's weights ascend: [6]."""
    nodes, weights = plain(2) if quadrature is None else quadrature
    log_w = jnp.asarray(oracle.log_w(p, oracle.draw(p, nodes), beta))
    found = estimator.weights(log_w, beta, key, baseline_of(estimator, log_w, key))
    assert (found.b is None) == (not estimator.path), "path says whether there are weights b"
    assert (found.c is None) == (not estimator.score), "score says whether there are weights c"
    return oracle.update(p, nodes, beta, found) @ weights


def error(found: np.ndarray, exact: np.ndarray, which=slice(None)) -> float:
    return float(np.abs(found - exact)[which].max())


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("beta", [BETAS[0], *(pytest.param(beta, marks=pytest.mark.slow) for beta in BETAS[1:])])
@pytest.mark.parametrize("name", BY_NAME)
def test_the_table_of_estimators(name: str, beta: float):
    bound, exact = BY_NAME[name][0], exact_gradient(name, beta)
    for make in (gradients.pathwise, gradients.doubly_reparameterized):
        assert error(expected_update(make(bound), beta), exact) < EXACT, make
    for variate in (variates.none, variates.leave_one_out, variates.moving_average(0.9)):
        assert error(expected_update(gradients.score_function(bound, variate), beta), exact) < EXACT, variate
    stuck = expected_update(gradients.sticking_the_landing(bound), beta)
    assert error(stuck, exact, oracle.OF_THE_MODEL) < EXACT
    if name in LINEAR:
        assert error(stuck, exact) < EXACT
    else:
        assert error(stuck, exact) > BIASED


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("beta", BETAS)
def test_the_largest_weight(beta: float):
    exact = oracle.expected_gradient_of_the_largest(oracle.RISING, beta)
    estimators = [gradients.pathwise(LARGEST), gradients.score_function(LARGEST, variates.none)]
    estimators.append(gradients.score_function(LARGEST, variates.leave_one_out))
    for estimator in estimators:
        found = expected_update(estimator, beta, p=oracle.RISING, quadrature=oracle.ordered_noise())
        assert error(found, exact) < EXACT, estimator.name


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.slow
def test_the_jackknife_of_second_order(beta: float):
    bound, quadrature = bounds.jackknife(2), plain(3)
    exact = oracle.expected_gradient(partial(definition.jackknife, 2), oracle.PARAMETERS, *quadrature, beta)
    found = {make: expected_update(make(bound), beta, quadrature=quadrature) for make in REPARAMETERISED}
    assert error(found[gradients.pathwise], exact) < EXACT
    assert error(found[gradients.doubly_reparameterized], exact) < EXACT
    assert error(found[gradients.sticking_the_landing], exact) > BIASED
    score = gradients.score_function(bound, variates.leave_one_out)
    assert error(expected_update(score, beta, quadrature=quadrature), exact) < EXACT


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.slow
def test_sumo_over_both_places_where_it_may_be_cut(beta: float):
    """Of three draws from the first on, J is 1 or 2 with equal probability, and the mean bound that of iwae."""
    bound, quadrature = bounds.sumo(1), plain(3)
    two = jnp.array([0.0, 1.0, -2.0])
    keys = {round(float(bound(two, key)), 6): key for key in jax.random.split(jax.random.key(0), 12)}
    assert len(keys) == 2

    def each_alike(estimator, key):
        """One key for all nodes: as for a single datum."""

        def weights(log_w, beta, key, baseline):
            def one(log_w):
                return estimator.weights(log_w[:, None], beta, key, 0.3)

            found = jax.vmap(one, in_axes=1, out_axes=1)(log_w)
            return gradients.Weights(*(None if each is None else each[:, :, 0] for each in found))

        alike = gradients.Estimator("", bound, weights, path=estimator.path, score=estimator.score)
        return expected_update(alike, beta, quadrature=quadrature, key=key)

    exact = oracle.expected_gradient(definition.log_mean_exp, oracle.PARAMETERS, *quadrature, beta)
    made = [make(bound) for make in REPARAMETERISED] + [gradients.score_function(bound, variates.none)]
    for estimator in made:
        both = [each_alike(estimator, key) for key in keys.values()]
        assert error(both[0], both[1]) > BIASED
        wrong = error(sum(both) / 2, exact)
        assert wrong > BIASED if estimator.name == "sticking_the_landing" else wrong < EXACT, estimator.name


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("beta", BETAS)
def test_wake_has_another_target_for_the_posterior_and_its_two_forms_share_it(beta: float):
    exact = exact_gradient("iwae", beta)
    score, path = (expected_update(make(), beta) for make in (gradients.wake, gradients.doubly_reparameterized_wake))
    assert error(score, path) < EXACT
    for found in (score, path):
        assert error(found, exact, oracle.OF_THE_MODEL) < EXACT
        assert error(found, exact, oracle.OF_THE_POSTERIOR) > BIASED


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("bound", [LEFT, RIGHT], ids=lambda bound: bound.name)
def test_the_covariance_gradient_is_biased_at_few_draws(bound, beta: float):
    exact = exact_gradient(bound.name, beta)
    found = expected_update(gradients.covariance(bound), beta)
    assert error(found, exact, oracle.OF_THE_MODEL) < EXACT
    assert error(found, exact, oracle.OF_THE_POSTERIOR) > BIASED


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("beta", BETAS)
def test_the_covariance_gradient_is_right_as_k_grows(beta: float):
    """Against differences of sum_s width_s E_{pi_b} log w, with 200,000 draws on the quantiles of q.

    q is as wide as the prior, so that the weights are bounded.
    """
    p = oracle.RISING
    nodes = ndtri((np.arange(200_000) + 0.5) / 200_000)[:, None]
    grid = np.linspace(-8.5, 8.5, 2001)

    def integrated(p, side):
        v, total = oracle.log_w(p, oracle.draw(p, grid), beta), 0.0
        for ends in itertools.pairwise([0.0, 0.2, math.sqrt(0.2), 1.0]):
            shares = np.exp(ends[side] * v - 0.5 * grid**2)
            total += (ends[1] - ends[0]) * (shares @ v) / shares.sum()
        return total

    log_w = jnp.asarray(oracle.log_w(p, oracle.draw(p, nodes), beta))
    for side, bound in enumerate((LEFT, RIGHT)):
        weights = gradients.covariance(bound).weights(log_w, beta)
        found = oracle.update(p, nodes, beta, weights)[:, 0]
        for j, unit in enumerate(1e-4 * np.eye(6)):
            slope = (integrated(p + unit, side) - integrated(p - unit, side)) / 2e-4
            assert found[j] == pytest.approx(slope, abs=1e-3), (bound.name, j)


PAIRS = {  # model target, posterior target, the estimator
    "jackknife for p, elbo for q": (
        "jackknife(1)",
        "elbo",
        gradients.paired(
            model=gradients.pathwise(bounds.jackknife(1)), posterior=gradients.sticking_the_landing(bounds.elbo)
        ),
    ),
    "PIWAE": (
        "iwae",
        "miwae(2)",
        gradients.paired(
            model=gradients.doubly_reparameterized(bounds.iwae),
            posterior=gradients.doubly_reparameterized(bounds.miwae(2)),
        ),
    ),
    "iwae for p, VIMCO of renyi for q": (
        "iwae",
        "renyi(0.5)",
        gradients.paired(
            model=gradients.pathwise(bounds.iwae),
            posterior=gradients.score_function(bounds.renyi(0.5), variates.leave_one_out),
        ),
    ),
}


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("pair", PAIRS)
def test_pairs_have_a_target_each(pair: str, beta: float):
    model, posterior, estimator = PAIRS[pair]
    if estimator.control_variate is not None:  # its baseline is made of the model's bound, and independent of the draw
        assert estimator.bound.name == model
    found = expected_update(estimator, beta)
    assert error(found, exact_gradient(model, beta), oracle.OF_THE_MODEL) < EXACT
    assert error(found, exact_gradient(posterior, beta), oracle.OF_THE_POSTERIOR) < EXACT
    assert error(exact_gradient(model, beta), exact_gradient(posterior, beta)) > BIASED
