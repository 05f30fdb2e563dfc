"""The weights of every bound x estimator are finite numbers in float32, however far apart the log-weights lie."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from iwax import bounds, gradients
from iwax import control_variates as variates
from iwax.parts import Datum

K = 6
BOUNDS = [
    *(bounds.elbo, bounds.iwae, bounds.miwae(2), bounds.ciwae(0.3)),
    *(bounds.renyi(alpha) for alpha in (2.0, 0.5, -1.0, -math.inf)),
    *(bounds.jackknife(1), bounds.cubo(3.0), bounds.sumo(1), bounds.thermodynamic(4)),
]
MORE = [*(bounds.jackknife(order) for order in (2, 3)), bounds.thermodynamic(4, side="right")]


def estimators_of(bound: bounds.Bound) -> list[gradients.Estimator]:
    """Every estimator that serves the bound."""
    made = [gradients.pathwise(bound)]
    if bound.smooth:
        made += [gradients.sticking_the_landing(bound), gradients.doubly_reparameterized(bound)]
    for variate in (variates.none, variates.moving_average(), variates.leave_one_out):
        made.append(gradients.score_function(bound, variate))
    if bound.covariance is not None:
        made.append(gradients.covariance(bound))
    if bound.name == "iwae":
        made += [gradients.wake(), gradients.doubly_reparameterized_wake()]
    return made


def columns() -> np.ndarray:
    """Log-weights [K, n]: all equal, one that dominates or is next to nothing, any mixture of extremes, and ties."""
    rng = np.random.default_rng(0)
    level = [np.full(K, each) for each in (-1e4, 0.0, 1e4)]
    one = [np.where(np.arange(K) == i, high, low) for i in (0, K - 1) for high, low in ((1e4, -1e4), (-1e4, 1e4))]
    few = [rng.choice([-1e4, -9.99e3, -1e3, -88.0, 0.0, 88.0, 1e4], size=K) for _ in range(40)]
    far = [rng.uniform(-1e4, 1e4, size=K) for _ in range(20)]
    return np.stack([*level, *one, *few, *far], axis=1).astype(np.float32)


@pytest.mark.parametrize(
    "bound", [*BOUNDS, *(pytest.param(each, marks=pytest.mark.slow) for each in MORE)], ids=lambda bound: bound.name
)
def test_weights_are_finite(bound: bounds.Bound):
    log_w, x = jnp.asarray(columns()), Datum(values=jnp.zeros((len(columns().T), 1)))
    estimators = estimators_of(bound)

    @jax.jit
    def all_weights(beta, key):
        """The bound's values, and the weights of every estimator."""
        value, found = bound(log_w, key), []
        for estimator in estimators:
            variate, baseline = estimator.control_variate, 0.0
            if variate is not None:
                state = variate.update(variate.init(), value, key, x)
                baseline = variate.baseline(state, bound, log_w, key, x)
            found.append(estimator.weights(log_w, beta, key, baseline))
        return value, found

    for beta in (1.0, 0.4):
        value, found = all_weights(beta, jax.random.key(0))
        assert np.isfinite(value).all()
        for estimator, weights in zip(estimators, found, strict=True):
            for name, weight in zip("abc", weights, strict=True):
                assert weight is None or np.isfinite(weight).all(), (estimator.name, name)
                assert weight is None or weight.dtype == jnp.float32


def test_with_one_dominating_draw_the_weights_are_its_own():
    log_w = jnp.asarray(np.where(np.arange(K) == 2, 1e4, -1e4), jnp.float32)
    only, nothing = np.eye(K)[2], np.zeros(K)
    for estimator, b in ((gradients.pathwise, only), (gradients.doubly_reparameterized, only)):
        weights = estimator(bounds.iwae).weights(log_w, 1.0)
        np.testing.assert_array_equal(weights.a, only)
        np.testing.assert_array_equal(weights.b, b)
    np.testing.assert_array_equal(gradients.doubly_reparameterized_wake().weights(log_w, 1.0).b, nothing)


@pytest.mark.parametrize("gap", [30.0, 200.0, 2e4])
def test_jackknife_leaves_out_the_dominating_draw_to_the_last_digit(gap: float):
    """What is left without it is the bound of five draws by themselves, whose weights are negligible against it."""
    below = np.array([0.3, -1.0, 0.0, 0.7, 0.2])
    log_w = jnp.asarray(np.append(below, gap), jnp.float32)
    share = np.exp(below) / np.exp(below).sum()
    first, second = bounds.jackknife(1).derivatives(log_w, None)
    np.testing.assert_allclose(first[:5], -5 / 6 * share, rtol=2e-5)
    np.testing.assert_allclose(first[5], 6 - 5 / 6 * 5, rtol=1e-5)
    np.testing.assert_allclose(second[:5], -5 / 6 * share * (1 - share), rtol=2e-5)
    value = float(bounds.jackknife(1)(log_w))
    alone = np.log(np.exp(below).mean())
    expected = 6 * (gap - np.log(6)) - 5 / 6 * (5 * (gap - np.log(5)) + alone)
    assert value == pytest.approx(expected, abs=1e-6 * gap + 1e-6)
