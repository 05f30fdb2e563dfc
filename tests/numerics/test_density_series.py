"""The series in the densities of features, in float64 against mpmath: every coefficient of them."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import scipy.stats

from iwax import distributions as d
from iwax.distributions import saddle_point

pytestmark = pytest.mark.usefixtures("float64")
SIZES = np.array([1e-8, 0.3, 1.0, 9.9, 10.1, 11.0, 15.0, 31.9, 32.1, 33.0, 60.0, 1e3, 1e8])
PARTS = np.array([0.0, 1e-8, 1e-3, 0.05, 0.099, 0.101, 0.3, 0.49, 0.51])


def exactly(function, *columns) -> np.ndarray:
    with mpmath.workdps(50):
        return np.array([float(function(*map(mpmath.mpf, map(float, row)))) for row in zip(*columns, strict=True)])


def test_stirlings_error():
    def exact(n):
        return mpmath.loggamma(n + 1) - (n + 0.5) * mpmath.log(n) + n - mpmath.log(2 * mpmath.pi) / 2

    found = saddle_point.stirling_error(jnp.asarray(SIZES), jnp.log(SIZES))
    np.testing.assert_allclose(found, exactly(exact, SIZES), rtol=1e-12, atol=1e-14)


def test_error_of_the_digamma_functions_logarithm():
    found = saddle_point.digamma_error(jnp.asarray(SIZES), jnp.log(SIZES))
    expected = exactly(lambda n: n * (mpmath.log(n) - mpmath.digamma(n)), SIZES)
    np.testing.assert_allclose(found, expected, rtol=3e-14)


def test_deviance():
    x = np.array([1.0, 7.0, 1e6])[:, None]
    mean = (x * (1 + np.concatenate([PARTS, -PARTS]))).ravel()
    x = np.broadcast_to(x, (3, 2 * len(PARTS))).ravel()
    with mpmath.workdps(50):
        log_ratio = np.array([float(mpmath.log(mpmath.mpf(a) / mpmath.mpf(b))) for a, b in zip(x, mean, strict=True)])
    found = saddle_point.deviance(*map(jnp.asarray, (x, mean, x - mean, log_ratio)))
    expected = exactly(lambda x, m: x * mpmath.log(x / m) + m - x, x, mean)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-30)


def test_logarithm_less_its_argument():
    t = np.concatenate([PARTS, -PARTS, [0.99, 1.01, -0.99, 50.0]])
    found = saddle_point.log1p_minus(jnp.asarray(t), jnp.log1p(t), jnp.full_like(t, 3.0), jnp.asarray(3 * t))
    expected = exactly(lambda t: 3 * (mpmath.log1p(t) - t), t)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-30)


def test_the_constant_of_student_t():
    def exact(df):
        return mpmath.loggamma((df + 1) / 2) - mpmath.loggamma(df / 2) - mpmath.log(mpmath.pi * df) / 2

    at_zero = d.StudentT(jnp.asarray(SIZES), jnp.zeros(len(SIZES)), jnp.ones(len(SIZES))).each(jnp.zeros(len(SIZES)))
    np.testing.assert_allclose(at_zero, exactly(exact, SIZES), rtol=1e-14, atol=3e-15)


def test_the_mean_of_a_continuous_bernoulli_variable():
    logits = np.concatenate([PARTS[1:], -PARTS[1:], [5.0, -5.0, 800.0, -800.0]])
    exact = exactly(lambda m: 1 / (1 - mpmath.exp(-m)) - 1 / m, logits)
    np.testing.assert_allclose(d.ContinuousBernoulli(jnp.asarray(logits)).mean, exact, rtol=1e-14)


@pytest.mark.parametrize("rate", [0.7, 65.0, *(pytest.param(each, marks=pytest.mark.slow) for each in (63.0, 400.0))])
def test_poisson_draws_are_the_quantiles_of_what_they_are_made_from(rate: float):
    """A uniform number below a rate of 64 and a normal one above, but for the expansion's error, 1e-6 of the draws."""
    key, shape = jax.random.key(3), (50_000,)
    draws, _ = d.Poisson(jnp.full(shape, jnp.log(rate))).draw(key)
    held = float(jnp.exp(jnp.log(rate)))
    if rate < 64:
        level = jax.random.uniform(jax.random.fold_in(key, 0), shape, jnp.float64)
    else:
        level = scipy.stats.norm.cdf(jax.random.normal(jax.random.fold_in(key, 1), shape, jnp.float64))
    assert (np.asarray(draws) != scipy.stats.poisson.ppf(np.asarray(level), held)).sum() <= 2
