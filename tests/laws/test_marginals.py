"""Scores of rows with missing cells, against what a linear-Gaussian model says exactly of every set of features."""

from functools import cache

import equinox as eqx
import jax
import numpy as np
import pytest
from oracles.linear_gaussian import LinearGaussian

from iwax import evaluation, inference, likelihoods, nn, posteriors
from iwax.evaluation import marginals

FEATURES, LATENT, ROWS = 6, 2, 400
ORACLE = LinearGaussian.random(FEATURES, LATENT, seed=3)
SETS = np.random.default_rng(0).random((40, FEATURES)) < 0.6
SETS = np.concatenate([np.ones((1, FEATURES), bool), np.eye(FEATURES, dtype=bool), SETS[SETS.any(axis=1)]])


def normal(marks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of the marked features."""
    covariance = ORACLE.weight @ ORACLE.weight.T + np.diag(ORACLE.variance)
    return ORACLE.bias[marks], covariance[np.ix_(marks, marks)]


def log_p(x: np.ndarray) -> np.ndarray:
    """Exact log p of the values of each row that are not NaN."""
    found = []
    for row in x:
        mean, covariance = normal(~np.isnan(row))
        off = row[~np.isnan(row)] - mean
        found.append(-0.5 * (off @ np.linalg.solve(covariance, off) + np.linalg.slogdet(2 * np.pi * covariance)[1]))
    return np.array(found)


@cache
def exact() -> tuple[np.ndarray, np.ndarray]:
    """Of log p(x_S): minus the entropy of a normal, and sqrt(|S| / 2), for -2 log p is a chi-squared variable."""
    means = [-0.5 * (m.sum() + np.linalg.slogdet(2 * np.pi * normal(m)[1])[1]) for m in SETS]
    return np.array(means), np.sqrt(SETS.sum(axis=1) / 2)


@pytest.mark.parametrize("scale", [1.0, 0.5, 2.0])
def test_mean_and_deviation_of_every_set_are_those_of_the_normal(scale):
    """Also where q(z|x) is half as wide as p(z|x), of which alone the weights would have no variance."""
    found = evaluation.marginal_moments(ORACLE.model(scale=scale), SETS, key=jax.random.key(1), rows=ROWS, k=100)
    mean, deviation = exact()
    low = 1 / (2 * found.ess)  # the logarithm of a mean is low by half its variance
    assert (np.abs(found.mean - mean) < 4.5 * found.error + low).all()
    np.testing.assert_allclose(found.error, found.deviation / np.sqrt(ROWS))
    # the variance of the square of a chi-squared deviation: kurtosis 3 + 12 / |S|
    of_deviation = deviation * np.sqrt((2 + 12 / SETS.sum(axis=1)) / ROWS) / 2
    assert (np.abs(found.deviation - deviation) < 4.5 * of_deviation + 2 * low).all()
    assert (found.ess > 30).all()
    assert found.warnings() == []
    differences = (found.mean - found.mean[0]) - (mean - mean[0])
    assert (np.abs(differences) < 4.5 * found.error).all()


@pytest.mark.slow
def test_one_table_of_draws_serves_a_set_as_well_as_draws_of_its_own(monkeypatch):
    """The same rows, drawn from the same key, with weights by q(z|x_S) of each set: within the noise of both."""
    of_model, key, sets = ORACLE.model(scale=1.3), jax.random.key(2), SETS[:4]
    shared, ess = marginals._log_marginals(of_model, sets, key, 40, 400, None, None)
    monkeypatch.setattr(marginals, "_shares_draws", lambda *_: False)
    directly, _ = marginals._log_marginals(of_model, sets, key, 40, 400, None, None)
    assert np.abs(shared - directly)[:, 0].max() < 0.5
    assert np.abs((shared - directly)[:, 0].mean()) < 0.05
    assert np.median(ess) > 100
    # of less than a whole row this encoder, which takes 0 for what is missing, is wrong: only the shared draws are near
    assert np.corrcoef(shared[:, 1], directly[:, 1])[0, 1] > 0.9


def test_a_set_has_the_same_moments_alone_and_among_others():
    model, key = ORACLE.model(scale=1.3), jax.random.key(2)
    among = evaluation.marginal_moments(model, SETS, key=key, rows=40, k=20)
    alone = evaluation.marginal_moments(model, SETS[9:10], key=key, rows=40, k=20)
    np.testing.assert_array_equal(alone.mean, among.mean[9:10])


def test_scores_of_rows_do_not_follow_how_many_cells_are_missing():
    """Where log p does: comparable scores of all numbers of cells have the mean and deviation of whole rows."""
    x, rng = ORACLE.sample(3_000, seed=5), np.random.default_rng(7)
    holed = np.where(rng.random(x.shape) < rng.random((len(x), 1)) * 0.8, np.nan, x)
    holed[:200], holed[-1] = x[:200], np.nan
    there = ~np.isnan(holed).all(axis=1)
    log_prob = np.zeros(len(x))
    log_prob[there] = log_p(holed[there])
    scores, warnings = inference.comparable_scores(ORACLE.model(), holed, log_prob, key=jax.random.key(0), rows=400)
    missing = np.isnan(holed).sum(axis=1)
    assert warnings == []
    assert np.corrcoef(log_prob[there], missing[there])[0, 1] > 0.6
    assert abs(np.corrcoef(scores[there], missing[there])[0, 1]) < 4.5 / np.sqrt(there.sum()) + 0.03
    whole = missing == 0
    np.testing.assert_array_equal(scores[whole], log_prob[whole])
    mean, deviation = exact()[0][0], exact()[1][0]
    for count in range(1, FEATURES):
        of_count = scores[missing == count]
        assert abs(of_count.mean() - mean) < 4.5 * deviation * (1 / np.sqrt(len(of_count)) + 1 / np.sqrt(400))
        assert 0.8 < of_count.std() / deviation < 1.25
    assert abs(scores[-1] - mean) < 4.5 * deviation / np.sqrt(400)  # of a row without a value nothing is unusual


def test_what_has_no_such_moments_is_refused():
    model, key = ORACLE.model(), jax.random.key(0)
    for sets, words in ((SETS[:, :5], r"marks \[P, 6\]"), (SETS[:0], r"got shape \(0, 6\)")):
        with pytest.raises(ValueError, match=words):
            evaluation.marginal_moments(model, sets, key=key)
    with pytest.raises(ValueError, match="rows must be at least 2, got 1"):
        evaluation.marginal_moments(model, SETS, key=key, rows=1)
    hidden = eqx.tree_at(
        lambda m: m.missingness,
        model,
        likelihoods.SelfMasking(np.zeros(FEATURES), np.ones(FEATURES)),
        is_leaf=lambda x: x is None,
    )
    with pytest.raises(ValueError, match=r"missing at random: needed a model without .* got SelfMasking"):
        evaluation.marginal_moments(hidden, SETS, key=key)
    with pytest.raises(ValueError, match=r"log_prob must be \[2\], one per row of x, got shape \(3,\)"):
        inference.comparable_scores(model, np.full((2, 6), np.nan), np.zeros(3), key=key)


def test_a_posterior_without_a_density_at_a_given_z_is_asked_set_by_set():
    model = ORACLE.model()
    trunk, reverse = (nn.MLP(*sizes, key=jax.random.key(0)) for sizes in ((FEATURES, (4,), 3), (3 + LATENT, (4,), 4)))
    walk = posteriors.hamiltonian(trunk, LATENT, steps=1, reverse=reverse, key=jax.random.key(1))
    walk = eqx.tree_at(lambda m: m.posterior, model, walk)
    assert not marginals._shares_draws(walk, jax.random.key(0), SETS, None)
    assert marginals._shares_draws(model, jax.random.key(0), SETS, None)


def test_the_posterior_has_no_part_in_the_moments():
    """A flow, whose draws have a density only with what they passed through, gives the same rows as the exact q."""
    model, key = ORACLE.model(), jax.random.key(5)
    flow = posteriors.planar(nn.MLP(FEATURES, (4,), 3, key=key), LATENT, steps=1, key=key)
    other = eqx.tree_at(lambda m: m.posterior, model, flow)
    ours, theirs = (evaluation.marginal_moments(m, SETS[:7], key=key, rows=100, k=400) for m in (model, other))
    low = 1 / np.minimum(ours.ess, theirs.ess)
    assert (theirs.ess > 20).all()
    assert (np.abs(ours.mean - theirs.mean) < 4.5 * np.sqrt(low / 100) + low).all()


# -- rows without a value ---------------------------------------------------------------------------------------


def test_a_row_without_a_value_is_filled_from_the_model():
    """Unconditional means, and draws with the covariance of p(x); q of nothing has no part in it."""
    x = np.full((40, FEATURES), np.nan)
    x[0] = ORACLE.bias
    found = inference.impute(ORACLE.model(scale=0.1), x, k=500, draws=50, key=jax.random.key(4))
    np.testing.assert_allclose(found.ess[1:], 500, rtol=1e-5)
    assert found.warnings() == []
    off = (found.values[1:] - ORACLE.bias) / found.error[1:]
    assert np.abs(off).max() < 5
    drawn = found.draws[:, 1:].reshape(-1, FEATURES)
    _, covariance = normal(np.ones(FEATURES, bool))
    assert (np.abs(np.cov(drawn.T) - covariance) < 4.5 * 2 * covariance.max() / np.sqrt(len(drawn))).all()
