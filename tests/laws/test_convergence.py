"""The curve of the IWAE bound in k against the same draws grouped by hand, and against what is known exactly."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles.linear_gaussian import LinearGaussian
from scipy.special import logsumexp

from iwax import batched, evaluation
from iwax.evaluation import evidence
from iwax.evaluation.convergence import ladder
from iwax.parts import Datum

ORACLE = LinearGaussian.random(6, 2, seed=1)
X = ORACLE.sample(8, seed=2)
K = 400
KEY = jax.random.key(5)


def wrong():
    """A posterior 1.3 times too wide, with means 0.4 of its standard deviations off."""
    return ORACLE.model(scale=1.3, shift=0.4)


@cache
def measured() -> evaluation.Convergence:
    with jax.enable_x64(True):
        return evaluation.convergence_in_k(wrong(), X, k=K, key=KEY, chunk=50)


@cache
def log_weights() -> np.ndarray:
    """[K, rows]: the same draws."""
    with jax.enable_x64(True):
        datum = Datum(values=jnp.asarray(X), index=jnp.arange(len(X)))
        return np.asarray(jax.jit(lambda: batched.log_weights(wrong(), KEY, datum, k=K))())


def test_the_ladder():
    assert ladder(5000)[-4:] == [500, 1000, 2000, 5000]
    assert ladder(1) == [1]
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        ladder(0)


def test_every_point_is_the_mean_over_disjoint_groups():
    found = measured()
    assert found.ks.tolist() == [1, 2, 5, 10, 20, 50, 100, 200, 400]
    for point, k in enumerate(found.ks):
        groups = logsumexp(log_weights().reshape(K // k, k, -1), axis=1) - np.log(k)
        assert found.groups[point] == len(groups)
        np.testing.assert_allclose(found.per_row[point], groups.mean(axis=0), rtol=1e-12)
        if len(groups) > 1:
            expected = groups.std(axis=0, ddof=1) / np.sqrt(len(groups))
            np.testing.assert_allclose(found.per_row_error[point], expected, rtol=1e-9)
    assert (found.per_row_error[-1] < found.per_row_error[0]).all()


@pytest.mark.usefixtures("float64")
def test_pieces_of_any_length_give_the_same_groups(monkeypatch: pytest.MonkeyPatch):
    """Groups straddle the calls in which log-weights come, and what is left over at the end is no group."""
    monkeypatch.setattr(evidence, "_DRAWS_PER_CALL", 50)
    found = evaluation.convergence_in_k(wrong(), X, k=K, ks=[1, 7, 64, 130, 201], key=KEY, chunk=50)
    alone = evaluation.log_evidence(wrong(), X, k=201, key=KEY, chunk=50)
    np.testing.assert_allclose(found.per_row_error[-1], alone.monte_carlo_error, rtol=1e-9)
    for point, k in enumerate((1, 7, 64, 130)):
        groups = logsumexp(log_weights()[: K // k * k].reshape(K // k, k, -1), axis=1) - np.log(k)
        np.testing.assert_allclose(found.per_row[point], groups.mean(axis=0), rtol=1e-12)
        expected = groups.std(axis=0, ddof=1) / np.sqrt(len(groups))
        np.testing.assert_allclose(found.per_row_error[point], expected, rtol=1e-9)


@pytest.mark.usefixtures("float64")
def test_its_ends_are_the_elbo_and_log_evidence():
    estimate = evaluation.log_evidence(wrong(), X, k=K, key=KEY, chunk=50)
    np.testing.assert_allclose(measured().per_row[0], estimate.elbo, rtol=1e-12)
    np.testing.assert_allclose(measured().per_row_error[0], estimate.elbo_error, rtol=1e-9)
    np.testing.assert_allclose(measured().per_row[-1], estimate.log_evidence, rtol=1e-12)
    np.testing.assert_allclose(measured().per_row_error[-1], estimate.monte_carlo_error, rtol=1e-9)


def test_it_rises_towards_log_p_from_the_known_elbo():
    found, exact = measured(), ORACLE.log_evidence(X)
    divergence = 0.5 * (1.3**2 + 0.4**2 - 1) - np.log(1.3)  # a latent
    assert abs(found.mean[0] - (exact.mean() - 2 * divergence)) < 4.5 * found.monte_carlo_error[0]
    assert (found.gain[1:] > 0).all()
    assert (found.mean[:-1] < exact.mean() + 4 * found.monte_carlo_error[:-1]).all()
    assert found.mean[-1] == pytest.approx(exact.mean(), abs=0.02)
    paired = np.diff(found.per_row, axis=0)
    np.testing.assert_allclose(found.gain_error[1:], paired.std(axis=1, ddof=1) / np.sqrt(len(X)), rtol=1e-9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": 0}, "k must be at least 1, got 0"),
        ({"ks": [1, 30]}, r"ks must be from 1 to k=20, the draws there are, got \[1, 30\]"),
        ({"ks": []}, r"got \[\]"),
        ({"x": np.zeros(6)}, r"got shape \(6,\)"),
    ],
)
def test_bad_arguments(arguments: dict, message: str):
    given = {"x": X, "k": 20, "key": KEY} | arguments
    with pytest.raises(ValueError, match=message):
        evaluation.convergence_in_k(wrong(), **given)
