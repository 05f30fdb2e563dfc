"""Activity and KL of the latent units against closed forms on linear models."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles.linear_gaussian import LinearGaussian, linear

from iwax import evaluation, likelihoods, posteriors, priors
from iwax.model import LatentVariableModel

ORACLE = LinearGaussian.random(5, 3, seed=1)


def two_layers() -> LatentVariableModel:
    """q(z_1|x) = N(a x, 0.5^2), q(z_2|z_1) = N(0.7 z_1, 0.3^2), p(z_1|z_2) = N(0.4 z_2, 0.8^2)."""

    def head(slope: float, scale: float):
        return linear(np.array([[slope, 0.0]]), np.array([0.0, np.log(scale)]))

    return LatentVariableModel(
        prior=priors.Chain(priors.StandardNormal(1), (likelihoods.Gaussian.of_network(head(0.4, 0.8)),)),
        likelihood=likelihoods.Chain(likelihoods.Bernoulli(linear(np.ones((1, 1)), np.zeros(1)))),
        posterior=posteriors.Chain(posteriors.Gaussian(head(1.5, 0.5)), (posteriors.Gaussian(head(0.7, 0.3)),)),
    )


@pytest.mark.usefixtures("float64")
def test_activity_is_the_variance_of_the_posterior_means():
    x = ORACLE.sample(230, seed=2)  # more than are taken at once, and no multiple of it
    mean, _ = ORACLE.posterior(x)
    (activity,) = evaluation.unit_activity(ORACLE.model(), x, key=jax.random.key(0))
    np.testing.assert_allclose(activity, mean.var(axis=0), rtol=1e-9)
    (means,) = evaluation.posterior_means(ORACLE.model(), x, key=jax.random.key(0))
    np.testing.assert_allclose(means, mean, rtol=1e-9, atol=1e-12)


@pytest.mark.usefixtures("float64")
def test_kl_is_the_closed_form():
    x = ORACLE.sample(130, seed=2)
    mean, covariance = ORACLE.posterior(x)
    variance = np.diagonal(covariance)
    (kl,) = evaluation.kl_per_unit(ORACLE.model(), x, key=jax.random.key(0))
    expected = 0.5 * (variance + mean**2 - 1 - np.log(variance)).mean(axis=0)
    np.testing.assert_allclose(kl, expected, rtol=1e-9)


@pytest.mark.usefixtures("float64")
@pytest.mark.slow
def test_the_layers_of_a_chain_stand_from_the_data_upwards():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4000, 1))
    lower, upper = evaluation.unit_activity(two_layers(), x, key=jax.random.key(0))
    assert lower[0] == pytest.approx(1.5**2 * x.var(), rel=1e-9)
    # z_1 = 1.5 x + 0.5 e, so that 0.7 z_1 varies by 0.49 (2.25 + 0.25), of which the noise of one draw is a part
    assert upper[0] == pytest.approx(0.49 * (2.25 * x.var() + 0.25), rel=0.1)
    (_, averaged) = evaluation.unit_activity(two_layers(), x, key=jax.random.key(0), draws=50)
    assert averaged[0] == pytest.approx(0.49 * (2.25 * x.var() + 0.25 / 50), rel=0.02)

    def log_density(value, loc, scale):
        return -0.5 * ((value - loc) / scale) ** 2 - np.log(scale)

    z_1 = 1.5 * x + 0.5 * rng.normal(size=(4000, 200))
    z_2 = 0.7 * z_1 + 0.3 * rng.normal(size=(4000, 200))
    first, second = evaluation.kl_per_unit(two_layers(), x, key=jax.random.key(0), draws=20)
    # the terms of the ELBO: p(z_1|z_2) at the z_1 from which z_2 was drawn
    lower = log_density(z_1, 1.5 * x, 0.5) - log_density(z_1, 0.4 * z_2, 0.8)
    upper = log_density(z_2, 0.7 * z_1, 0.3) - log_density(z_2, 0.0, 1.0)
    for found, each in ((first, lower), (second, upper)):
        expected = each.mean()
        error = each.std(axis=1).mean() / np.sqrt(4000 * 20)
        assert found.shape == (1,)
        assert abs(found[0] - expected) < 5 * error


def test_active_units_are_counted_above_the_threshold():
    activity = [np.array([0.02, 0.01, 0.0099, 3.0]), np.array([0.0])]
    assert evaluation.active_units(activity) == [2, 0]
    assert evaluation.active_units(activity, threshold=0.0) == [4, 0]


def test_a_layer_that_is_no_product_has_one_number():
    model = LatentVariableModel(
        prior=priors.StandardNormal(1),
        likelihood=likelihoods.Bernoulli(linear(np.ones((1, 1)), np.zeros(1))),
        posterior=posteriors.Bernoulli(lambda x, *, key: jnp.zeros(1)),
    )
    (found,) = evaluation.kl_by_row(model, np.zeros((2, 1)), key=jax.random.key(0), draws=4000)
    assert found.shape == (2, 1)
    # z is 0 or 1, a half each: log (1/2) less the mean of log N(z; 0, 1)
    exact = np.log(0.5) + 0.5 * np.log(2 * np.pi) + 0.25
    assert np.abs(found - exact).max() < 4.5 * 0.25 / np.sqrt(4000)


@pytest.mark.usefixtures("float64")
def test_a_second_call_compiles_nothing(monkeypatch: pytest.MonkeyPatch):
    calls = []
    counted = evaluation.latents._means
    monkeypatch.setattr(evaluation.latents, "_means", lambda *given: calls.append(1) or counted(*given))
    x, model = ORACLE.sample(4, seed=2), ORACLE.model()
    found = [evaluation.posterior_means(model, x, key=jax.random.key(seed))[0] for seed in (0, 1)]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-12)
    assert calls == [1]
