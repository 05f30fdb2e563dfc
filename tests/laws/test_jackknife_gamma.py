"""The jackknife on weights w ~ Gamma(a, 1/a), of which everything is known: E w = 1, and log p(x) = 0.

The mean of n weights is Gamma(n a, 1/(n a)), so that iwae of n draws has the mean psi(n a) - log(n a), and the estimate
of order m the mean sum_j c_j [psi((K - j) a) - log((K - j) a)]: its bias.
"""

import importlib
import math
from functools import cache

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from scipy.special import digamma

from iwax import bounds

K, MANY, FEW, BLOCK = 8, 1_000_000, 100_000, 12_500
coefficients = importlib.import_module("iwax.bounds.jackknife").coefficients  # the function hides its module


def bias(k: int, a: float, order: int) -> float:
    """In 50 digits, since the terms cancel."""
    with mpmath.workdps(50):
        sizes = [mpmath.mpf(k - j) * a for j in range(order + 1)]
        terms = [c * (mpmath.psi(0, n) - mpmath.log(n)) for c, n in zip(coefficients(k, order), sizes, strict=True)]
        return float(mpmath.fsum(terms))


@cache
def estimates(draws: int) -> np.ndarray:
    """Estimates of log p(x) = 0 from the same 8 draws, of orders 0, 1 and 2: [3, draws]."""
    weights = np.random.default_rng(20).exponential(size=(draws // BLOCK, K, BLOCK))

    @jax.jit
    def block(log_w):
        return jnp.stack([bounds.jackknife(order)(log_w) for order in (0, 1, 2)])

    with jax.enable_x64(True):
        return np.concatenate([np.asarray(block(jnp.asarray(each))) for each in np.log(weights)], axis=1)


def test_the_exact_bias_falls_by_a_power_of_k_with_every_order():
    known = [bias(K, 1.0, order) for order in (0, 1, 2)]
    assert known[0] == pytest.approx(digamma(8.0) - math.log(8.0), rel=1e-12)
    np.testing.assert_allclose(known, [-6.4e-2, 1.5e-3, 1.0e-5], rtol=0.05)  # to the digits given
    for a in (0.5, 1.0, 3.0):  # psi(n) - log n has no power n^-3: order 2 leaves k^-4
        for order, power in ((0, 1), (1, 2), (2, 4)):
            halved = bias(512, a, order) / bias(256, a, order)
            assert halved == pytest.approx(0.5**power, rel=0.02), (a, order)


@pytest.mark.slow
def test_a_million_estimates_have_the_exact_bias():
    found = estimates(MANY)
    errors = found.std(axis=1) / np.sqrt(MANY)
    for order in (0, 1, 2):
        assert abs(found[order].mean() - bias(K, 1.0, order)) < 4 * errors[order]
        assert errors[order] < 6e-4


@pytest.mark.parametrize(("draws", "orders"), [(FEW, (0,)), pytest.param(MANY, (0, 1), marks=pytest.mark.slow)])
def test_what_an_order_takes_away_is_known_far_better_on_common_draws(draws: int, orders: tuple[int, ...]):
    found = estimates(draws)
    for order in orders:
        step = found[order + 1] - found[order]
        error = step.std() / np.sqrt(draws)
        exact = bias(K, 1.0, order + 1) - bias(K, 1.0, order)
        assert abs(step.mean() - exact) < 4 * error
        assert error < 0.05 * abs(exact)
