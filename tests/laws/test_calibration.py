"""Simulation-based calibration accepts the exact posterior and what importance weights repair, and refuses the rest."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles.linear_gaussian import LinearGaussian
from scipy import stats

from iwax import distributions, evaluation, likelihoods, nn, posteriors, priors
from iwax.evaluation.calibration import posterior_sampler, resampling_sampler, uniformity
from iwax.model import LatentVariableModel

ORACLE = LinearGaussian.random(10, 8, seed=3)
KEY = jax.random.key(0)


def calibrated(scale: float = 1.0, shift: float = 0.0, *, sampler=posterior_sampler, **options):
    model = ORACLE.model(scale=scale, shift=shift)
    return evaluation.simulation_based_calibration(model, sampler, key=KEY, **options)


def test_the_exact_posterior_is_accepted():
    found = calibrated()
    assert found.counts.shape == (8, 20)
    assert (found.counts.sum(axis=1) == 1000).all()
    assert found.accepted(0.01)
    assert np.abs(np.concatenate([found.location, found.spread])).max() < 4
    assert found.summary()[0].startswith("calibrated")


@pytest.mark.parametrize(
    ("scale", "shift", "message"),
    [(0.8, 0.0, "spread too little"), (1.25, 0.0, "spread too widely"), (1.0, 0.2, "too high"), (1.0, -0.2, "too low")],
)
def test_a_wrong_posterior_is_refused_and_its_fault_is_named(scale: float, shift: float, message: str):
    found = calibrated(scale, shift)
    assert not found.accepted(1e-3)
    verdict, *faults = found.summary()
    assert verdict.startswith("not calibrated")
    assert faults
    assert all(message in line for line in faults)


@pytest.mark.parametrize(("scale", "shift"), [(0.8, 0.0), (1.4, 0.3)])
@pytest.mark.slow
def test_resampling_repairs_a_wrong_posterior(scale: float, shift: float):
    options = {"simulations": 400, "draws": 39, "batch": 100}
    assert calibrated(scale, shift, sampler=resampling_sampler(200), **options).accepted(0.01)


def test_the_ranks_do_not_depend_on_the_batch():
    first, second = (calibrated(simulations=100, batch=batch) for batch in (100, 33))
    np.testing.assert_array_equal(first.counts, second.counts)


def test_discrete_latents_have_uniform_ranks_too():
    """A latent rounded to one digit has ties; a sampler of its exact posterior, the prior of data that say nothing."""

    class Rounded(distributions.Normal):
        def draw(self, key):
            z, trace = super().draw(key)
            return jnp.round(z), trace

    class Prior(priors.StandardNormal):
        def __call__(self, given=None, *, key):
            return Rounded(jnp.zeros(2), jnp.ones(2))

    model = LatentVariableModel(
        prior=Prior(2),
        likelihood=likelihoods.Gaussian.fixed(lambda z, *, key: jnp.zeros(3), 1.0),
        posterior=posteriors.Prior(),
    )
    assert evaluation.simulation_based_calibration(model, posterior_sampler, key=KEY).accepted(0.01)


def test_chains_have_ranks_in_every_layer():
    """Both layers are independent of x and of each other, so that the prior is the posterior."""
    zero = jax.tree.map(jnp.zeros_like, nn.Linear(2, 6, key=KEY))
    above = jax.tree.map(jnp.zeros_like, nn.Linear(3, 4, key=KEY))
    data = jax.tree.map(jnp.zeros_like, nn.Linear(5, 6, key=KEY))
    model = LatentVariableModel(
        prior=priors.Chain(priors.StandardNormal(2), (posteriors.Gaussian(zero),)),
        likelihood=likelihoods.Chain(likelihoods.Bernoulli(nn.Linear(3, 5, key=KEY))),
        posterior=posteriors.Chain(posteriors.Gaussian(data), (posteriors.Gaussian(above),)),
    )
    found = evaluation.simulation_based_calibration(model, posterior_sampler, simulations=200, draws=19, key=KEY)
    assert found.counts.shape == (5, 20)
    assert found.p_values[3:].min() > 1e-3  # z_2 says nothing about x; z_1 does, and q does not know it


def test_the_statistic_is_that_of_scipy():
    ranks = np.random.default_rng(0).integers(0, 100, size=(300, 2))
    found = uniformity(ranks, draws=99, bins=10)
    for unit in range(2):
        expected = stats.chisquare(np.bincount(ranks[:, unit] // 10, minlength=10))
        assert found.statistic[unit] == pytest.approx(expected.statistic)
        assert found.p_values[unit] == pytest.approx(expected.pvalue)
    assert found.p_value == pytest.approx(min(1, 2 * found.p_values.min()))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"draws": 100}, r"draws=100 and bins=20"),
        ({"simulations": 99}, "ask for 100 or more"),
        ({"bins": 1}, "bins must be at least 2"),
        ({"draws": 0}, "draws must be at least 1"),
        ({"sampler": lambda model, key, x, draws: jnp.zeros((draws, 8))}, r"\(100, 99, 8\).*got \(99, 8\)"),
    ],
)
def test_bad_arguments(options: dict, message: str):
    with pytest.raises(ValueError, match=message):
        calibrated(**options)
