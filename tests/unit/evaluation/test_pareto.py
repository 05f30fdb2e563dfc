"""Pareto k-hat against arviz-stats, against known tails, and at its edges."""

import math

import numpy as np
import pytest
from arviz_stats.base import array_stats
from hypothesis import given
from hypothesis import strategies as st

from iwax.evaluation.pareto import pareto_k, tail_size


def log_weights(kind: str, k: int, seed: int) -> np.ndarray:
    """[k, 1] log-weights of a few kinds of tail."""
    rng = np.random.default_rng(seed)
    if kind == "normal":
        return rng.normal(scale=2.0, size=(k, 1))
    if kind == "pareto":
        return np.log(rng.pareto(1 / 0.8, size=(k, 1)))
    if kind == "bounded":
        return np.log(rng.uniform(size=(k, 1)))
    return -0.5 * rng.normal(size=(k, 1)) ** 2 - 400.0


# arviz-stats rounds the tail's size down, the paper up: they agree where it is whole
@pytest.mark.parametrize("k", [25, 100, 225, 400, 2500, 10_000])
@pytest.mark.parametrize("kind", ["normal", "pareto", "bounded", "narrow"])
def test_equals_arviz_stats(kind: str, k: int):
    log_w = log_weights(kind, k, seed=k)
    _, expected = array_stats.psislw(-log_w[:, 0])  # it takes negated log-weights
    np.testing.assert_allclose(pareto_k(log_w, k), expected, rtol=0, atol=1e-10)


@given(st.integers(1, 10**12))
def test_tail_size_is_the_papers_formula_in_exact_arithmetic(k: int):
    m = tail_size(k)
    fits = 5 * m >= k or m * m >= 9 * k  # m >= min(k/5, 3 sqrt k)
    smaller = 5 * (m - 1) >= k or (m - 1) ** 2 >= 9 * k
    assert fits
    assert not smaller


@pytest.mark.parametrize("shape", [0.3, 0.7, 1.1])
def test_recovers_the_shape_of_a_pareto_tail(shape: float):
    log_w = np.log(np.random.default_rng(1).pareto(1 / shape, size=(5000, 200)))
    k_hat = pareto_k(log_w, 5000)
    # the prior pulls by 10 observations of 223; the fit's own bias is of order 1/M
    centre = (213 * shape + 10 * 0.5) / 223
    assert abs(k_hat.mean() - centre) < 4 * k_hat.std() / math.sqrt(200) + 0.01
    assert 0.5 < k_hat.std() / ((1 + shape) / math.sqrt(213)) < 1.5


def test_invariance_to_order_shift_extra_rows_and_pieces(monkeypatch: pytest.MonkeyPatch):
    k = 2500
    log_w = np.concatenate([log_weights(kind, k, seed=3) for kind in ("normal", "pareto", "bounded")], axis=1)
    whole = pareto_k(log_w, k)
    top = np.sort(log_w, axis=0)[-(tail_size(k) + 1) :]
    np.testing.assert_array_equal(pareto_k(top, k), whole)
    np.testing.assert_array_equal(pareto_k(np.random.default_rng(0).permutation(top), k), whole)
    np.testing.assert_allclose(pareto_k(top - 1e4, k), whole, atol=1e-9)
    monkeypatch.setattr("iwax.evaluation.pareto.PIECE", 1)
    np.testing.assert_allclose(pareto_k(top, k), whole, atol=1e-13)


def test_a_proposal_half_too_narrow_is_flagged_and_one_a_tenth_too_narrow_is_not():
    # log w = (1 - s^2) e^2 / 2 summed over 4 latents: the limiting shape is 1 - s^2, 0.75 and 0.19
    squares = (np.random.default_rng(5).normal(size=(5000, 50, 4)) ** 2).sum(axis=-1)
    assert (pareto_k((1 - 0.5**2) / 2 * squares, 5000) > 0.7).mean() > 0.7
    assert (pareto_k((1 - 0.9**2) / 2 * squares, 5000) < 0.5).all()


def test_no_tail_no_draws_no_numbers():
    assert pareto_k(np.full((100, 2), -3.0), 100).tolist() == [-np.inf, -np.inf]
    assert np.isnan(pareto_k(np.zeros((20, 1)), 20)).all()
    assert pareto_k(np.zeros((21, 0)), 21).shape == (0,)
    bad = np.random.default_rng(0).normal(size=(100, 4))
    bad[5, 0], bad[6, 1], bad[:, 2] = np.nan, np.inf, -np.inf
    assert np.isnan(pareto_k(bad, 100)).tolist() == [True, True, True, False]


@pytest.mark.parametrize("rounding", [1e-16, 1e-15, 1e-14, 1e-13])
@pytest.mark.parametrize("k", [25, 100, 5000])
def test_weights_that_differ_by_rounding_alone_have_no_tail(rounding: float, k: int):
    """As the exact posterior gives them in double precision."""
    log_w = -6.0 + rounding * np.random.default_rng(0).integers(-3, 4, size=(k, 50))
    assert (pareto_k(log_w, k) == -np.inf).all()


def test_uneven_beyond_the_range_of_exp_is_flagged():
    log_w = np.random.default_rng(0).normal(scale=1000.0, size=(5000, 3))
    assert (pareto_k(log_w, 5000) > 1.0).all()
    ties = np.zeros((100, 2))
    ties[0] = [50.0, 1e-6]
    assert (pareto_k(ties, 100) > 0.7).tolist() == [True, False]
    some_impossible = np.random.default_rng(0).normal(size=(100, 1))
    some_impossible[:90] = -np.inf
    assert np.isfinite(pareto_k(some_impossible, 100)).all()


def test_bad_arguments():
    with pytest.raises(ValueError, match="need their 21 largest log-weights, got 20"):
        pareto_k(np.zeros((20, 3)), 100)
    with pytest.raises(ValueError, match=r"\[m, n\], got shape \(30,\)"):
        pareto_k(np.zeros(30), 100)
    with pytest.raises(ValueError, match="at least 1"):
        tail_size(0)
