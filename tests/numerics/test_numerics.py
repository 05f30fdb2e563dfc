"""Sums of exponentials against mpmath, and what a scaled gradient is."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import logsumexp

from iwax.numerics import StreamingLogMeanExp, log_mean_exp, softplus


def exact_log_mean_exp(log_w: np.ndarray) -> float:
    with mpmath.workdps(40):
        return float(mpmath.log(mpmath.fsum(mpmath.exp(mpmath.mpf(float(v))) for v in log_w) / len(log_w)))


def stream(log_w: np.ndarray, chunk: int) -> StreamingLogMeanExp:
    result = StreamingLogMeanExp(log_w.shape[1])
    for start in range(0, len(log_w), chunk):
        result.add(log_w[start : start + chunk])
    return result


@pytest.mark.parametrize("offset", [0.0, 1e4, -1e4])
@pytest.mark.parametrize("scale", [0.5, 3.0, 40.0])
def test_streaming_equals_mpmath_whatever_the_chunk(offset: float, scale: float):
    log_w = offset + scale * np.random.default_rng(0).normal(size=(3000, 1))
    expected = exact_log_mean_exp(log_w[:, 0])
    for chunk in (1, 7, 1000, 3000):
        assert abs(stream(log_w, chunk).log_mean_exp[0] - expected) < 1e-9
        rounded = stream(log_w.astype(np.float32), chunk).log_mean_exp[0]
        assert abs(rounded - expected) < 6e-4  # the rounding of the inputs: half an ulp of 1e4 is 5e-4


@pytest.mark.parametrize("offset", [0.0, 1e4, -1e4])
def test_a_million_draws_do_not_depend_on_the_chunk(offset: float):
    log_w = offset + 2.0 * np.random.default_rng(1).normal(size=(1_000_000, 1))
    whole = logsumexp(log_w.astype(np.longdouble), axis=0) - np.log(np.longdouble(len(log_w)))
    for chunk in (1000, 65_537, 1_000_000):
        assert abs(stream(log_w, chunk).log_mean_exp[0] - float(whole[0])) < 1e-9


def test_effective_sample_size_and_error_are_their_formulas():
    log_w = np.random.default_rng(2).normal(size=(500, 3)) - 800.0
    w = np.exp(log_w + 800.0)
    result = stream(log_w, 64)
    np.testing.assert_allclose(result.ess, w.sum(axis=0) ** 2 / (w**2).sum(axis=0), rtol=1e-12)
    error = w.std(axis=0, ddof=1) / np.sqrt(500) / w.mean(axis=0)
    np.testing.assert_allclose(result.relative_error, error, rtol=1e-12)
    assert result.count == 500


def test_streaming_edges():
    impossible = stream(np.full((4, 2), -np.inf), 2)
    assert impossible.log_mean_exp.tolist() == [-np.inf, -np.inf]
    half = stream(np.array([[-np.inf], [0.0]]), 1)
    assert half.log_mean_exp[0] == pytest.approx(-np.log(2))
    assert half.ess[0] == 1.0
    assert np.isnan(stream(np.array([[np.nan], [0.0]]), 1).log_mean_exp[0])
    one = stream(np.array([[3.0]]), 1)
    assert one.log_mean_exp[0] == 3.0
    assert np.isnan(one.relative_error[0])
    empty = stream(np.array([[3.0]]), 1)
    empty.add(np.zeros((0, 1)))
    assert empty.count == 1


finite = st.floats(-1e4, 1e4, width=32)


@given(hnp.arrays(np.float32, st.tuples(st.integers(1, 8), st.integers(1, 3)), elements=finite))
@pytest.mark.slow
def test_log_mean_exp_in_float32(log_w: np.ndarray):
    value = np.asarray(log_mean_exp(jnp.asarray(log_w)), np.float64)
    wide = log_w.astype(np.float64)
    expected = logsumexp(wide, axis=0) - np.log(len(wide))
    np.testing.assert_allclose(value, expected, atol=2e-6, rtol=3e-7)


def test_log_mean_exp_of_log_weights_at_minus_a_thousand():
    log_w = jnp.array([-1000.0, -1001.0, -1002.0], jnp.float32)
    value, gradient = jax.value_and_grad(log_mean_exp)(log_w)
    assert abs(float(value) - exact_log_mean_exp(np.asarray(log_w))) < 1e-3 * 0.1
    np.testing.assert_allclose(gradient, jax.nn.softmax(log_w), rtol=1e-5)


@pytest.mark.parametrize("m", [0.0, 1e-3, -1e-3, 1.0, -5.0, 17.0, -17.0, 80.0, -80.0, 1e4, -1e4])
def test_softplus_and_its_derivatives(m: float):
    value = softplus(jnp.float32(m))
    first = jax.grad(softplus)(jnp.float32(m))
    with mpmath.workdps(40):
        exact = mpmath.log1p(mpmath.exp(mpmath.mpf(m)))
        slope = 1 / (1 + mpmath.exp(-mpmath.mpf(m)))
    assert abs(float(value) - float(exact)) <= 2e-7 * max(1.0, abs(m))
    assert abs(float(first) - float(slope)) <= 2e-7
    curvature = jax.grad(jax.grad(softplus))(jnp.float32(m))
    assert abs(float(curvature) - float(slope * (1 - slope))) <= 2e-7
    assert float(jax.jvp(softplus, (jnp.float32(m),), (jnp.float32(1.0),))[1]) == float(first)
