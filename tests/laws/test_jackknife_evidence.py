"""Jackknife estimates of log p(x) against the same draws taken by hand, and against what is known exactly."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles.linear_gaussian import LinearGaussian

from iwax import batched, bounds, evaluation
from iwax.parts import Datum

ORACLE = LinearGaussian.random(6, 3, seed=1)
X = ORACLE.sample(5, seed=2)
K, REPEATS = 8, 600
KEY = jax.random.key(5)


@cache
def measured() -> evaluation.JackknifeEvidence:
    with jax.enable_x64(True):
        return evaluation.jackknife_evidence(wrong(), X, k=K, repeats=REPEATS, key=KEY, batch=3)


def wrong():
    """A posterior 1.3 times too wide, with means 0.4 of its standard deviations off."""
    return ORACLE.model(scale=1.3, shift=0.4)


@pytest.mark.usefixtures("float64")
@pytest.mark.slow
def test_every_estimate_is_the_mean_over_sets_of_the_same_draws():
    datum = Datum(values=jnp.asarray(X), index=jnp.arange(len(X)))
    log_w = jax.jit(lambda: batched.log_weights(wrong(), KEY, datum, k=K * REPEATS))()
    sets = jnp.moveaxis(log_w.reshape(REPEATS, K, len(X)), 1, 0)
    found = measured()
    assert found.orders == (0, 1, 2)
    assert found.kind == ("lower", "estimate", "estimate")
    for order in found.orders:
        values = np.asarray(bounds.jackknife(order)(sets))
        np.testing.assert_allclose(found.estimate[order], values.mean(axis=0), rtol=1e-10)
        np.testing.assert_allclose(found.error[order], values.std(axis=0, ddof=1) / np.sqrt(REPEATS), rtol=1e-8)


def test_the_bias_falls_with_the_order():
    """Paired: all orders are of the same draws, and their differences are far surer than themselves."""
    found, exact = measured(), ORACLE.log_evidence(X)
    bias = found.mean - exact.mean()
    error = found.monte_carlo_error
    assert bias[0] < -6 * error[0], "the IWAE bound of 8 draws is seen to be too low"
    assert abs(bias[1]) < 0.3 * abs(bias[0])
    assert abs(bias[2]) < 0.3 * abs(bias[0])
    assert (np.abs(found.estimate[2] - exact) < 4.5 * found.error[2] + 0.01).all()
    assert found.standard_error[0] == pytest.approx(found.estimate[0].std(ddof=1) / np.sqrt(5))


@pytest.mark.slow
def test_single_precision_loses_no_digits_to_the_coefficients():
    """At order 2 and k = 32 they reach 500: log-weights of -10,000 may lose what float32 lacks, and no more."""
    log_w = np.float32(-10_000.0) + np.random.default_rng(0).normal(size=(32, 2)).astype(np.float32)
    chosen = [bounds.jackknife(order) for order in (0, 1, 2)]
    found = evaluation.jackknife._estimates(chosen, log_w, 32, KEY)
    with jax.enable_x64(True):
        expected = np.stack([bound(jnp.asarray(log_w, jnp.float64)) for bound in chosen])
    assert found.dtype == np.float64
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-12)


def test_a_single_repeat_has_no_error():
    found = evaluation.jackknife_evidence(
        ORACLE.model(), X[:2].astype(np.float32), k=4, orders=(1,), repeats=1, key=KEY
    )
    assert np.isnan(found.error).all()
    np.testing.assert_allclose(found.estimate[0], ORACLE.log_evidence(X[:2]), atol=1e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"orders": (1, 8)}, "a jackknife of k=8 draws needs an order of 0 to 7, got 8"),
        ({"orders": (-1,)}, "got -1"),
        ({"orders": ()}, "orders must be at least 1, got 0"),
        ({"repeats": 0}, "repeats must be at least 1, got 0"),
        ({"x": np.zeros(6)}, r"got shape \(6,\)"),
    ],
)
def test_bad_arguments(arguments: dict, message: str):
    with pytest.raises(ValueError, match=message):
        evaluation.jackknife_evidence(wrong(), **{"x": X, "k": 8, "key": KEY} | arguments)
