"""Binary rows seen through noise, against sums over everything they may have been; and rows that the encoder reads."""

import itertools
from functools import cache

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.nn import sigmoid
from oracles import enumerable

from iwax import distributions, inference, likelihoods, nn, posteriors, priors
from iwax.model import LatentVariableModel

FEATURES, LATENT, FLIPS, COPIES = 4, 2, 0.3, 25
PARAMETERS = enumerable.random(LATENT, FEATURES, seed=4)
PARAMETERS |= {name: 0.3 * PARAMETERS[name] for name in ("encoder", "offset")}  # no state is rarely drawn
EVERY = np.array(list(itertools.product((0.0, 1.0), repeat=FEATURES)))
KEY = jax.random.key(3)


def flip_probability(clean: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """P(seen | clean), value by value: a coin replaces a value with chance FLIPS; 1 where nothing was seen."""
    return np.where(np.isnan(seen), 1.0, (1 - FLIPS) * (clean == seen) + FLIPS / 2)


def by_enumeration(seen: np.ndarray) -> np.ndarray:
    """P(x_j = 1 | seen), from sums over all states z and all rows x that may be behind what is seen."""
    z = enumerable.states(LATENT)
    joint = np.exp(np.stack([np.asarray(enumerable.log_joint(PARAMETERS, x, z)) for x in EVERY])).sum(axis=1)
    weights = joint * flip_probability(EVERY, seen).prod(axis=1)
    return weights @ EVERY / weights.sum()


@cache
def of_bits() -> LatentVariableModel:
    return LatentVariableModel(
        prior=eqx.tree_at(lambda p: p.logits, priors.Bernoulli(LATENT), PARAMETERS["prior"]),
        likelihood=likelihoods.Bernoulli(_linear(PARAMETERS["weight"], PARAMETERS["bias"])),
        posterior=posteriors.Bernoulli(_linear(PARAMETERS["encoder"], PARAMETERS["offset"])),
    )


def _linear(weight, bias) -> nn.Linear:
    net = nn.Linear(*weight.shape, key=KEY)
    return jax.tree.map(lambda leaf: jnp.asarray(weight if leaf.ndim == 2 else bias, float), net)


def rows() -> np.ndarray:
    """All binary rows, and some of which not all was seen; several copies, for as many independent answers."""
    incomplete = np.where(np.arange(FEATURES) == np.arange(3)[:, None], np.nan, EVERY[5:8])
    return np.tile(np.concatenate([EVERY, incomplete]), (COPIES, 1))


@pytest.mark.parametrize("iterations", [pytest.param(0, marks=pytest.mark.slow), 3])
def test_denoised_means_are_those_of_enumeration_within_their_errors(iterations: int):
    seen = rows()
    exact = np.tile([by_enumeration(row) for row in seen[: len(seen) // COPIES]], (COPIES, 1))
    found = inference.denoise(of_bits(), seen, flips=FLIPS, k=600, iterations=iterations, key=KEY)
    off = (found.values - exact) / found.error
    of_copies = off.reshape(COPIES, -1).mean(axis=0) * np.sqrt(COPIES)
    assert np.abs(of_copies).max() < 4.5
    assert 0.9 < np.sqrt(np.mean(off**2)) < 1.1
    assert ((found.ess > 10) & (found.ess < 600)).all()
    assert not found.warnings()


@pytest.mark.slow
def test_draws_of_what_was_behind_have_its_probabilities():
    seen = rows()[: len(EVERY) + 3]
    found = inference.denoise(of_bits(), seen, flips=FLIPS, k=4_000, draws=1_000, key=KEY)
    exact = np.array([by_enumeration(row) for row in seen])
    error = np.sqrt(exact * (1 - exact) / 1_000 + found.error**2)
    assert np.abs((found.draws.mean(axis=0) - exact) / error).max() < 4.5
    assert set(np.unique(found.draws)) == {0.0, 1.0}


def test_two_normal_latents_by_quadrature():
    weight, bias = np.array([[1.5, -2.0, 0.5], [0.5, 1.0, -2.0]]), np.array([0.2, -0.5, 0.0])
    whole = LatentVariableModel(
        prior=priors.StandardNormal(2),
        likelihood=likelihoods.Bernoulli(_linear(weight, bias)),
        posterior=posteriors.Gaussian(_linear(np.zeros((3, 4)), np.array([0.0, 0.0, 0.2, 0.2]))),
    )
    seen = np.array([[1.0, 0.0, np.nan], [0.0, 1.0, 1.0]])
    found = inference.denoise(whole, np.tile(seen, (30, 1)), flips=FLIPS, k=1_000, iterations=2, key=KEY)
    nodes = np.linspace(-8, 8, 161)
    z = np.array(list(itertools.product(nodes, repeat=2)))
    pi = np.asarray(sigmoid(z @ weight + bias))
    density, clean = np.exp(-0.5 * (z**2).sum(axis=1)), np.array(list(itertools.product((0.0, 1.0), repeat=3)))
    p_clean = np.array([density @ np.where(x == 1, pi, 1 - pi).prod(axis=1) for x in clean])
    for row in range(2):
        weights = p_clean * flip_probability(clean, seen[row]).prod(axis=1)
        off = (found.values[row::2] - weights @ clean / weights.sum()) / found.error[row::2]
        assert np.abs(off.mean(axis=0)).max() < 4.5 / np.sqrt(30)


@pytest.mark.slow
def test_imputation_is_the_same_whatever_the_encoder_reads():
    """Weights are right for any proposal: rows filled by iterations, or zeros; iterations by themselves are not."""
    seen = np.tile([[1.0, np.nan, 0.0, np.nan]], (200, 1))
    each = [inference.impute(of_bits(), seen, k=500, key=KEY, iterations=iterations) for iterations in (0, 4)]
    z = enumerable.states(LATENT)
    fits = EVERY[(EVERY[:, 0] == 1) & (EVERY[:, 2] == 0)]
    weights = np.exp(np.stack([np.asarray(enumerable.log_joint(PARAMETERS, x, z)) for x in fits])).sum(axis=1)
    exact = (weights @ fits / weights.sum())[[1, 3]]
    for found in each:
        values = found.values[:, [1, 3]]
        assert np.abs((values.mean(axis=0) - exact) / (values.std(axis=0) / np.sqrt(200))).max() < 4.5
        assert values.std(axis=0) == pytest.approx(found.error[:, [1, 3]].mean(axis=0), rel=0.25)
    assert not np.array_equal(each[0].values, each[1].values)


def test_the_distribution_of_observed_and_of_clean_values():
    p = distributions.FlippedBernoulli(jnp.array([0.4, -2.0]), jnp.array(FLIPS))
    seen = np.array(list(itertools.product((0.0, 1.0), repeat=2)))
    log_p = jax.vmap(p.log_prob)(seen)
    assert float(np.exp(log_p).sum()) == pytest.approx(1, rel=1e-6)
    np.testing.assert_allclose(np.exp(log_p) @ seen, p.mean, rtol=1e-5)
    pi = np.asarray(sigmoid(p.logits))
    for value in (0.0, 1.0):
        one, zero = (
            pi * flip_probability(np.ones(2), np.full(2, value)),
            (1 - pi) * flip_probability(np.zeros(2), np.full(2, value)),
        )
        np.testing.assert_allclose(p.clean(np.full(2, value)).mean, one / (one + zero), rtol=1e-5)
    np.testing.assert_allclose(p.clean(seen[3], np.array([False, True])).mean[0], pi[0], rtol=1e-6)
    drawn = np.mean(jax.vmap(lambda key: p.draw(key)[0])(jax.random.split(KEY, 4_000)), axis=0)
    assert np.abs((drawn - p.mean) / np.sqrt(p.mean * (1 - p.mean) / 4_000)).max() < 4.5


def test_extreme_logits_keep_finite_densities_and_gradients():
    def log_p(logits):
        return distributions.FlippedBernoulli(logits, jnp.array(1e-6)).log_prob(jnp.array([1.0, 0.0, 1.0]))

    value, gradient = jax.value_and_grad(log_p)(jnp.array([-1e4, 1e4, 0.0]))
    assert float(value) == pytest.approx(2 * np.log(5e-7) + np.log(0.5), rel=1e-5)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize(
    ("x", "flips", "words"),
    [
        (EVERY[:2], 1.0, "must lie in 0 < p < 1: got 1.0"),
        (EVERY[:2] / 2 + 0.25, 0.2, "no density to 0.25 in row 0, column 0: it needs 0 or 1"),
        (EVERY[:2, :3], 0.2, r"x must be \[n, 4\]"),
        (np.full((1, 4), np.nan), 0.2, "at least one observed value in every row"),
    ],
)
def test_what_cannot_be_denoised_is_refused(x, flips, words):
    with pytest.raises(ValueError, match=words):
        inference.denoise(of_bits(), x, flips=flips, k=3, key=KEY)


def test_real_values_are_sent_to_imputation():
    real = eqx.tree_at(lambda m: m.likelihood, of_bits(), likelihoods.Gaussian.scalar(of_bits().likelihood.network))
    with pytest.raises(ValueError, match=r"need a Bernoulli likelihood, got Gaussian; .* make it NaN and impute it"):
        inference.denoise(real, EVERY[:2], flips=0.2, k=3, key=KEY)
    told_of_holes = LatentVariableModel(
        prior=real.prior,
        likelihood=real.likelihood,
        posterior=real.posterior,
        missingness=likelihoods.SelfMasking(jnp.zeros(4), jnp.ones(4)),
    )
    with pytest.raises(ValueError, match="without one of missingness"):
        inference.denoise(told_of_holes, EVERY[:2], flips=0.2, k=3, key=KEY)


def test_iterations_read_grey_values_and_refuse_what_is_beyond_them():
    grey = np.array([[0.3, np.nan, 1.0, 0.0], [0.9, 0.1, np.nan, np.nan]])
    found = inference.impute_gibbs(of_bits(), grey, iterations=4, key=KEY)
    seen = ~np.isnan(grey)
    np.testing.assert_array_equal(found[seen], grey[seen])
    assert ((found > 0) & (found < 1))[~seen].all()
    with pytest.raises(ValueError, match=r"got 1\.5 in row 0, column 1; divide grey values 0..255 by 255"):
        inference.impute_gibbs(of_bits(), np.array([[0.3, 1.5, np.nan, 1.0]]), iterations=4, key=KEY)
