"""What bounds of many draws promise: digits of the jackknife, the mean of its random subsets, and the mean of SUMO."""

import importlib
from functools import partial

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from oracles.bounds_by_definition import log_mean_exp

from iwax import bounds

jackknife = importlib.import_module("iwax.bounds.jackknife")  # the function hides its module


def leave_out(weights: list, order: int):
    """The jackknife of order 1 or 2 in the precision at hand: leave-one-out and leave-two-out sums by subtraction."""
    k, total = len(weights), mpmath.fsum(weights)
    orders = [[total / k], [(total - w) / (k - 1) for w in weights]]
    pairs = [(total - weights[i] - weights[j]) / (k - 2) for i in range(k) for j in range(i)]
    means = [mpmath.fsum(mpmath.log(mean) for mean in each) / len(each) for each in [*orders, pairs][: order + 1]]
    k = mpmath.mpf(k)
    if order == 1:
        return k * means[0] - (k - 1) * means[1]
    return k**2 / 2 * means[0] - (k - 1) ** 2 * means[1] + (k - 2) ** 2 / 2 * means[2]


@pytest.mark.usefixtures("float64")
def test_float64_keeps_nine_decimals_at_32_draws():
    rng = np.random.default_rng(3)
    log_w = rng.normal(size=(32, 5)) * np.array([0.5, 2.0, 10.0, 1.0, 1.0]) + np.array([0.0, -90.0, 0.0, 1e3, 0.0])
    log_w[4, 4] += 60.0  # one weight dominates: what is left out is not lost in it
    found = {order: np.asarray(jax.jit(bounds.jackknife(order))(jnp.asarray(log_w))) for order in (1, 2)}
    with mpmath.workdps(120):
        for column in range(log_w.shape[1]):
            weights = [mpmath.exp(mpmath.mpf(float(v))) for v in log_w[:, column]]
            for order in (1, 2):
                assert abs(float(leave_out(weights, order) - float(found[order][column]))) < 1e-9, (order, column)


def within(found: np.ndarray, expected, errors: float = 4.0):
    """The mean over the first axis is the expected one within a few of its standard errors."""
    error = found.std(axis=0) / np.sqrt(len(found))
    assert (error > 0).all()
    assert (np.abs(found.mean(axis=0) - expected) < errors * error).all()


@pytest.mark.usefixtures("float64")
@pytest.mark.slow
def test_random_subsets_have_the_mean_of_all():
    k = 200
    log_w = np.random.default_rng(4).normal(size=k) * 1.5
    weights = np.exp(log_w)
    alone, pairs = weights.sum() - weights, np.triu_indices(k, 1)
    both = weights.sum() - weights[pairs[0]] - weights[pairs[1]]
    terms = [np.log(weights.mean()), np.log(alone / (k - 1)).mean(), np.log(both / (k - 2)).mean()]
    exact = k**2 / 2 * terms[0] - (k - 1) ** 2 * terms[1] + (k - 2) ** 2 / 2 * terms[2]
    of_one = weights / alone[:, None] * (1 - np.eye(k))  # [left out, draw]
    shares = np.zeros(k)
    for i in range(k):
        rest = np.delete(np.arange(k), i)
        shares[i] = (weights[i] / (alone[rest][:, None] - weights[rest])[np.triu_indices(k - 1, 1)]).sum()
    slope = k**2 / 2 * weights / weights.sum() - (k - 1) ** 2 * of_one.mean(axis=0)
    slope = slope + (k - 2) ** 2 / 2 * shares / len(both)
    assert slope.sum() == pytest.approx(1.0, abs=1e-8)

    bound, keys = bounds.jackknife(2, subsets=40), jax.random.split(jax.random.key(0), 400)
    value, first = jax.jit(
        jax.vmap(lambda key: (bound(jnp.asarray(log_w), key), bound.derivatives(jnp.asarray(log_w), key)[0]))
    )(keys)
    within(np.asarray(value), exact)
    within(np.asarray(first)[:, [0, 50, int(log_w.argmax())]], slope[[0, 50, int(log_w.argmax())]])


def test_random_subsets_hold_different_draws_and_all_alike():
    chosen = np.asarray(jackknife._random_subsets(jax.random.key(1), 5, 2, 20_000))
    assert (chosen[:, 0] != chosen[:, 1]).all()
    pairs = np.bincount(np.sort(chosen, axis=1) @ np.array([5, 1]), minlength=25).reshape(5, 5)[np.triu_indices(5, 1)]
    assert np.abs(pairs - 2000).max() < 4.5 * np.sqrt(20_000 * 0.1 * 0.9)


def test_subsets_are_all_taken_while_they_are_few():
    for k, order, random in ((31, 3, False), (32, 3, True), (99, 2, False), (100, 2, True), (10_000, 1, False)):
        assert bounds.jackknife(order).random(k) == random
    left_out = jackknife._left_out(6, 2, 1000, None)
    assert int((np.asarray(left_out.factor) != 0).sum()) == 1 + 6 + 15
    assert float(np.asarray(left_out.factor, np.float64).sum()) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize(("k", "order"), [(2, 1), (8, 2), (32, 2), (32, 5), (50, 4)])
def test_jackknife_coefficients_add_up_to_one_and_cancel_powers(k: int, order: int):
    sizes = k - np.arange(order + 1.0)
    found = np.array(jackknife.coefficients(k, order))
    scale = np.abs(found).sum()
    assert found.sum() == pytest.approx(1.0, abs=1e-14 * scale)
    for power in range(1, order + 1):
        assert (found / sizes**power).sum() == pytest.approx(0.0, abs=1e-14 * scale)


@pytest.mark.usefixtures("float64")
@pytest.mark.slow
def test_the_mean_of_sumo_is_iwae_of_all_draws():
    rows = 40_000
    for m, k in ((1, 6), (2, 6), (1, 90)):
        log_w = np.random.default_rng(k).normal(size=k)
        table = jnp.broadcast_to(jnp.asarray(log_w)[:, None], (k, rows))
        value = np.asarray(jax.jit(bounds.sumo(m))(table, jax.random.key(m)))
        within(value, log_mean_exp(log_w))


@pytest.mark.usefixtures("float64")
@pytest.mark.slow
def test_sumo_is_cut_with_the_probabilities_that_it_divides_by():
    """With log w = 0, ..., 0, -inf, ... only the reach matters: iwae of i draws is log(1/i) beyond the first."""
    rows, k = 40_000, 86
    log_w = jnp.full((k, rows), -jnp.inf).at[0].set(0.0)
    value = np.asarray(jax.jit(bounds.sumo(1))(log_w, jax.random.key(2)))
    j = np.arange(1, k)
    survival = np.where(j <= 80, 1 / j, 0.9 ** (j - 80.0) / 80)
    sums = np.cumsum((np.log(j) - np.log(j + 1)) / survival)  # the value where J = j
    reached = np.array([(value <= each + 1e-9).mean() for each in sums])  # J >= j, cut at k - 1
    at_sums = np.abs(value[:, None] - sums).min(axis=1)
    assert at_sums.max() < 1e-9
    error = np.sqrt(survival * (1 - survival) / rows)
    assert (np.abs(reached - survival) <= 4.5 * error + 1e-12).all()


def test_randomness_is_that_of_the_key():
    log_w = jnp.asarray(np.random.default_rng(0).normal(size=(6, 50)), jnp.float32)
    sumo = jax.jit(partial(bounds.sumo(1)))
    again = [np.asarray(sumo(log_w, jax.random.key(seed))) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(again[0], again[1])
    assert (again[0] != again[2]).any()
