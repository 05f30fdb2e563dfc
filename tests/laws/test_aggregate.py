"""Mutual information and the distance of the aggregate posterior, against integrals and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles.linear_gaussian import linear
from oracles.quadrature import grid
from scipy.special import logsumexp

from iwax import evaluation, likelihoods, posteriors, priors
from iwax.model import LatentVariableModel

KEY = jax.random.key(0)
SLOPE, SCALE = 1.5, 0.5


def encoder(slope: float, scale: float, inputs: int = 1):
    return posteriors.Gaussian(linear(np.array([[slope, 0.0]] * inputs), np.array([0.0, np.log(scale)])))


def one_layer(slope: float = SLOPE, scale: float = SCALE) -> LatentVariableModel:
    """q(z|x) = N(slope x, scale^2), p(z) = N(0, 1)."""
    return LatentVariableModel(
        prior=priors.StandardNormal(1),
        likelihood=likelihoods.Gaussian.scalar(linear(np.ones((1, 1)), np.zeros(1))),
        posterior=encoder(slope, scale),
    )


def two_layers() -> LatentVariableModel:
    """The same q(z_1|x), with q(z_2|z_1) and p(z_1|z_2) above."""
    return LatentVariableModel(
        prior=priors.Chain(
            priors.StandardNormal(1),
            (likelihoods.Gaussian.of_network(linear(np.array([[0.4, 0.0]]), np.array([0.0, np.log(0.8)]))),),
        ),
        likelihood=likelihoods.Chain(likelihoods.Gaussian.scalar(linear(np.ones((1, 1)), np.zeros(1)))),
        posterior=posteriors.Chain(encoder(SLOPE, SCALE), (encoder(0.7, 0.3),)),
    )


def normal(z, loc, scale):
    return -0.5 * ((z - loc) / scale) ** 2 - np.log(scale) - 0.5 * np.log(2 * np.pi)


def by_quadrature(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What every row adds to I(n; z) and to KL(q(z) || p(z)), the mixture over these rows exact."""
    z, step = grid(4000, 15.0)
    own = normal(z, SLOPE * x, SCALE)  # [n, nodes]
    aggregate = logsumexp(own, axis=0) - np.log(len(x))
    weights = np.exp(own) * step
    return (weights * (own - aggregate)).sum(axis=1), (weights * (aggregate - normal(z, 0.0, 1.0))).sum(axis=1)


@pytest.mark.usefixtures("float64")
def test_every_row_is_its_integral():
    x = np.random.default_rng(1).normal(size=(23, 1))
    found = evaluation.aggregate_posterior(one_layer(), x, key=KEY, draws=4000, batch=10)
    information, divergence = by_quadrature(x)
    assert (np.abs(found.mutual_information - information) < 4.5 * found.mutual_information_error).all()
    assert (np.abs(found.divergence - divergence) < 4.5 * found.divergence_error).all()
    np.testing.assert_allclose(found.mutual_information + found.divergence, found.kl, rtol=1e-9)
    closed = 0.5 * (SCALE**2 + (SLOPE * x[:, 0]) ** 2 - 1) - np.log(SCALE)
    assert (np.abs(found.kl - closed) < 4.5 * found.kl_error).all()
    assert found.summary()["mutual_information"]["monte_carlo_error"] < 0.005


@pytest.mark.usefixtures("float64")
def test_many_rows_give_the_closed_form_of_all_data():
    """x ~ N(0, 1): q(z) = N(0, a^2 + s^2) and I = log(1 + a^2 / s^2) / 2."""
    n = 3000
    x = np.random.default_rng(1).normal(size=(n, 1))
    found = evaluation.aggregate_posterior(one_layer(), x, key=KEY, draws=2, batch=500).summary()
    variance = SLOPE**2 + SCALE**2
    expected = {
        "mutual_information": 0.5 * np.log(variance / SCALE**2),
        "divergence": 0.5 * (variance - 1 - np.log(variance)),
    }
    for name, value in expected.items():
        error = np.hypot(found[name]["standard_error"], found[name]["monte_carlo_error"])
        assert abs(found[name]["mean"] - value) < 4 * error + 20 / n  # a mixture of n is off by some components over n


@pytest.mark.usefixtures("float64")
def test_rows_far_apart_are_distinguished_and_that_is_reported():
    """I = log N exactly, and never more; with an encoder that ignores x, 0 exactly."""
    x = np.arange(30.0)[:, None]
    apart = evaluation.aggregate_posterior(one_layer(100.0, 0.01), x, key=KEY, draws=2, batch=7)
    np.testing.assert_allclose(apart.mutual_information, np.log(30), rtol=1e-12)
    (warning,) = apart.warnings()
    assert "log N = 3.40" in warning
    blind = evaluation.aggregate_posterior(one_layer(0.0, 0.3), x, key=KEY, draws=2, batch=7)
    np.testing.assert_allclose(blind.mutual_information, 0.0, atol=1e-12)
    assert blind.warnings() == []


@pytest.mark.usefixtures("float64")
@pytest.mark.slow
def test_all_layers_are_taken_together():
    """z_2 is made of z_1 alone and says nothing more of x: the information is that of z_1."""
    x = np.random.default_rng(1).normal(size=(23, 1))
    found = evaluation.aggregate_posterior(two_layers(), x, key=KEY, draws=1000, batch=10).summary()
    information, _ = by_quadrature(x)
    part = found["mutual_information"]
    assert abs(part["mean"] - information.mean()) < 4.5 * part["monte_carlo_error"]
    units = evaluation.kl_per_unit(two_layers(), x, key=KEY, draws=1000)
    assert found["kl"]["mean"] == pytest.approx(sum(layer.sum() for layer in units), abs=0.02)


def test_bad_arguments():
    with pytest.raises(ValueError, match="draws must be at least 1, got 0"):
        evaluation.aggregate_posterior(one_layer(), np.zeros((2, 1)), key=KEY, draws=0)
    one = evaluation.aggregate_posterior(one_layer(), np.zeros((1, 1), np.float32), key=KEY, draws=1)
    assert one.mutual_information[0] == 0
    assert np.isnan(one.summary()["kl"]["standard_error"])
    assert np.isnan(one.kl_error).all()
    assert isinstance(one.limit, float)
    assert jnp.isnan(one.summary()["kl"]["monte_carlo_error"])
