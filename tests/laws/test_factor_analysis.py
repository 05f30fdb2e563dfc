"""scikit-learn's FactorAnalysis, fitted and scored by code that is not ours, against the oracle and against iwax."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles.linear_gaussian import LinearGaussian, linear
from sklearn.datasets import load_wine
from sklearn.decomposition import FactorAnalysis

from iwax import evaluation, likelihoods, posteriors, priors, runs
from iwax.model import LatentVariableModel
from iwax.settings import build

LATENT = 3
X = ((wine := load_wine().data) - wine.mean(axis=0)) / wine.std(axis=0) + 0.5  # [178, 13]; a mean that is not zero


@pytest.fixture(scope="module")
def fitted() -> FactorAnalysis:
    return FactorAnalysis(n_components=LATENT, tol=1e-8, max_iter=5000, svd_method="lapack").fit(X)


def oracle_of(fitted: FactorAnalysis) -> LinearGaussian:
    return LinearGaussian(fitted.components_.T, fitted.mean_, fitted.noise_variance_)


@pytest.mark.slow
def test_the_oracle_has_its_log_likelihood_posterior_and_a_flat_optimum(fitted: FactorAnalysis):
    oracle = oracle_of(fitted)
    np.testing.assert_allclose(oracle.log_evidence(X), fitted.score_samples(X), rtol=0, atol=1e-8)
    mean, _ = oracle.posterior(X)
    np.testing.assert_allclose(mean, fitted.transform(X), rtol=0, atol=1e-8)
    for gradient in oracle.gradients(X):  # at the maximum of the likelihood, in nats per datum
        assert np.abs(gradient).max() / len(X) < 1e-3


@pytest.mark.usefixtures("float64")
def test_iwax_estimates_its_log_likelihood_within_the_error(fitted: FactorAnalysis):
    """With an encoder that is a little too wide, and none of the exact numbers."""
    oracle = oracle_of(fitted)
    slope = fitted.transform(np.eye(X.shape[1]) + fitted.mean_)  # [D, latent]: the posterior mean is linear in x
    _, covariance = oracle.posterior(X[:1])
    encoder = np.concatenate([slope, np.zeros_like(slope)], axis=1)
    offsets = np.concatenate([-fitted.mean_ @ slope, np.log(1.2 * np.sqrt(np.diagonal(covariance)))])
    model = LatentVariableModel(
        prior=priors.StandardNormal(LATENT),
        likelihood=likelihoods.Gaussian.fixed(
            linear(fitted.components_, fitted.mean_), jnp.asarray(np.sqrt(fitted.noise_variance_))
        ),
        posterior=posteriors.Gaussian(linear(encoder, offsets)),
    )
    rows = X[:40]
    estimate = evaluation.log_evidence(model, rows, k=4000, key=jax.random.key(0), batch=40, chunk=500)
    difference = estimate.log_evidence - fitted.score_samples(rows)
    assert (np.abs(difference) < 4.5 * estimate.monte_carlo_error).all()
    assert np.abs(difference).max() > 1e-6  # the encoder is not exact: the estimate is one
    error = np.linalg.norm(estimate.monte_carlo_error) / len(rows)
    assert abs(difference.mean()) < 4 * error < 0.01
    assert (estimate.elbo < fitted.score_samples(rows)).all()


@pytest.mark.slow
def test_the_preset_trained_is_what_scikit_learn_fits(tmp_path):
    """Factor analysis as a special case, by stochastic gradients: no better than the maximum of the likelihood on the
    rows it was fitted to, and short of it by less than 0.005 nats per row."""
    np.save(tmp_path / "wine.npy", X[np.random.default_rng(0).permutation(len(X))].astype(np.float32))
    flags = {"data.name": str(tmp_path / "wine.npy"), "model.latent": LATENT, "training.batch": 20}
    flags |= {"training.epochs": 1000, "training.learning_rate": 1e-2}
    config = runs.from_sources(preset="factor-analysis", flags=flags)
    trained = runs.open_run(runs.train(config, tmp_path / "run", reporter=runs.Silent()))
    rows = build.values(trained.config, trained.dataset(), "train", final=True)
    best = FactorAnalysis(n_components=LATENT, tol=1e-8, max_iter=5000, svd_method="lapack").fit(rows)
    (layer,) = trained.model.likelihood.network.layers
    found = LinearGaussian(
        *(np.asarray(leaf, np.float64) for leaf in (layer.weight.T, layer.bias)),
        np.exp(2 * np.asarray(trained.model.likelihood.family.log_scale, np.float64)),
    )
    short = best.score(rows) - found.log_evidence(rows).mean()
    assert 0 < short < 0.005
    covariance = found.weight @ found.weight.T + np.diag(found.variance)
    np.testing.assert_allclose(covariance, best.get_covariance(), rtol=0, atol=0.05)
    elbo = evaluation.log_evidence(trained.model, rows, k=1000, key=jax.random.key(0)).elbo
    assert found.log_evidence(rows).mean() - elbo.mean() < 0.005  # the posterior is in the family
