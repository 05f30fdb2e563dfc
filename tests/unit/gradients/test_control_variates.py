"""Baselines by their formulas: what they are made of, what they never see, and how their states move on."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from oracles.linear_gaussian import linear

from iwax import bounds, control_variates, gradients, likelihoods, posteriors, priors
from iwax.model import LatentVariableModel
from iwax.parts import Datum

K, ROWS = 4, 3
KEY = jax.random.key(0)


def log_weights() -> jax.Array:
    return jnp.asarray(np.random.default_rng(1).normal(size=(K, ROWS)) * 3)


def data() -> Datum:
    return Datum(values=jnp.asarray(np.random.default_rng(2).integers(0, 2, size=(ROWS, 2)), float))


def log_mean(v):
    return np.log(np.mean(np.exp(v), axis=0))


@pytest.mark.usefixtures("float64")
def test_leave_one_out_is_the_baseline_of_vimco():
    """Mnih and Rezende (2016), equation 7: w_i replaced by the geometric mean of the others."""
    log_w = np.asarray(log_weights())
    baseline = jax.jit(lambda log_w: control_variates.leave_one_out.baseline(None, bounds.iwae, log_w, KEY, data()))
    found = np.asarray(baseline(log_w))
    for i in range(K):
        others = np.delete(log_w, i, axis=0)
        np.testing.assert_allclose(found[i], log_mean([*others, others.mean(axis=0)]), rtol=1e-12)
    weights = gradients.score_function(bounds.iwae, control_variates.leave_one_out).weights(log_w, 1.0, None, found)
    shares = np.exp(log_w) / np.exp(log_w).sum(axis=0)
    np.testing.assert_allclose(weights.c, log_mean(log_w) - found - shares, rtol=1e-12)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("k", [2, *(pytest.param(k, marks=pytest.mark.slow) for k in (65, 130))])
def test_leave_one_out_of_a_draw_does_not_depend_on_it(k: int):
    log_w = jnp.asarray(np.random.default_rng(k).normal(size=(k, 2)))
    for i in (0, k - 1):
        before, after = (
            control_variates.leave_one_out.baseline(None, bounds.renyi(0.5), each, KEY, data())
            for each in (log_w, log_w.at[i].set(7.0))
        )
        np.testing.assert_allclose(before[i], after[i], rtol=1e-12)
        assert (np.asarray(before) != np.asarray(after)).any()


@pytest.mark.usefixtures("float64")
def test_the_moving_average_is_that_of_past_bounds():
    average, steps = control_variates.moving_average(0.8), [-3.0, -5.0, 1.0, 0.5]
    state = average.init()
    assert float(average.baseline(state, bounds.iwae, log_weights(), KEY, data()).max()) == 0.0
    for number in range(1, len(steps) + 1):
        state = average.update(state, jnp.array([steps[number - 1] - 1, steps[number - 1] + 1]), KEY, data())
        decayed = 0.8 ** np.arange(number)[::-1]
        expected = decayed @ steps[:number] / decayed.sum()
        baseline = average.baseline(state, bounds.iwae, log_weights(), KEY, data())
        np.testing.assert_allclose(np.broadcast_to(baseline, (K, ROWS)), expected, rtol=1e-12)


@pytest.mark.usefixtures("float64")
def test_a_learned_baseline_takes_a_step_of_adam_down_its_squared_error():
    network = linear(np.array([[0.3], [-0.2]]), np.array([0.1]))
    learned = control_variates.Learned(network, learning_rate=0.05, decay=0.9)
    x, value = data(), jnp.array([-2.0, -3.5, -1.0])
    start = learned.init()
    features = np.asarray(x.values)
    predicted = features @ np.array([0.3, -0.2]) + 0.1
    baseline = learned.baseline(start, bounds.iwae, log_weights(), KEY, x)
    np.testing.assert_allclose(baseline[0], predicted, rtol=1e-12)  # no mean yet
    after = eqx.filter_jit(learned.update)(start, value, KEY, x)
    miss = predicted - np.asarray(value)
    slope = np.array([*(2 / ROWS * miss @ features), 2 / ROWS * miss.sum()])
    adam = optax.adam(0.05)
    change, _ = jax.jit(lambda slope: adam.update(slope, adam.init(jnp.zeros(3))))(slope)
    moved = np.array([0.3, -0.2, 0.1]) + np.asarray(change)
    expected = features @ moved[:2] + moved[2] + np.mean(value)
    np.testing.assert_allclose(learned.baseline(after, bounds.iwae, log_weights(), KEY, x)[0], expected, rtol=1e-10)


@pytest.mark.usefixtures("float64")
def test_a_baseline_is_made_of_the_past_and_the_state_given_back_holds_the_present():
    average = control_variates.moving_average(0.5)
    model = LatentVariableModel(
        priors.StandardNormal(1),
        likelihoods.Bernoulli(linear(np.array([[0.9, -0.7]]), np.zeros(2))),
        posteriors.Gaussian(linear(np.array([[0.2, 0.1], [0.3, -0.1]]), np.zeros(2))),
    )
    x = data()

    @eqx.filter_jit
    def run(state):
        estimator = gradients.score_function(bounds.iwae, average)

        def value(model):
            made = gradients.Objective(estimator, k=K)(model, KEY, x, control=state)
            return jnp.sum(made.value), made

        (_, made), gradient = eqx.filter_value_and_grad(value, has_aux=True)(model)
        return made, gradient.posterior.network.bias

    def at(past):
        state = average.update(average.init(), jnp.full(ROWS, past), KEY, x)
        return run(state)

    (first, slope), (second, other), (_, third) = at(0.0), at(1.0), at(2.0)
    np.testing.assert_allclose(second.bound, first.bound, rtol=1e-12)  # what is reported knows no baseline
    assert np.abs(slope - other).max() > 1e-3
    np.testing.assert_allclose(other - slope, third - other, rtol=1e-9)  # each nat subtracts as much
    mean = float(np.mean(first.bound))
    for made, past in ((first, 0.0), (second, 1.0)):
        now = average.baseline(made.control, bounds.iwae, log_weights(), KEY, x)
        assert float(now.ravel()[0]) == pytest.approx((0.5 * past + mean) / 1.5, rel=1e-9)
