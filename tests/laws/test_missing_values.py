"""Rows with missing values, against what a linear-Gaussian model says exactly: densities, imputations, and no leak."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from oracles.linear_gaussian import LinearGaussian
from oracles.parts import X, encoded

from iwax import bounds, evaluation, gradients, inference, likelihoods, nn, posteriors, priors, training
from iwax.inference.proposals import has_cheap_density
from iwax.model import LatentVariableModel
from iwax.parts import Datum

ROWS, FEATURES, LATENT, SHARE = 2_800, 6, 2, 0.3
ORACLE = LinearGaussian.random(FEATURES, LATENT, seed=3)


@cache
def rows() -> tuple[np.ndarray, np.ndarray]:
    """Rows [n, D], and where 30 % of their cells are missing; something is observed in every row."""
    x, rng = ORACLE.sample(ROWS, seed=5), np.random.default_rng(7)
    missing = rng.random(x.shape) < SHARE
    missing[missing.all(axis=1), 0] = False
    return x, missing


def model(*, scale: float = 2.0, centre: np.ndarray = ORACLE.bias) -> LatentVariableModel:
    """The oracle; its encoder, exact for whole rows but twice too wide, reads what was not observed as the mean."""
    exact = ORACLE.model(scale=scale)
    network = nn.Linear(FEATURES, 2 * LATENT, key=jax.random.key(0))
    mean = ORACLE.weight / ORACLE.variance[:, None] @ ORACLE.posterior(ORACLE.bias[None])[1]
    weight = jnp.asarray(np.concatenate([mean, 0 * mean], axis=1), float)
    bias = jnp.concatenate([jnp.asarray((centre - ORACLE.bias) @ mean, float), exact.posterior.network.bias[LATENT:]])
    network = jax.tree.map(lambda leaf: weight if leaf.ndim == 2 else bias, network)
    encoding = nn.FeatureEncoding(centre, np.ones(FEATURES))
    return LatentVariableModel(
        prior=exact.prior,
        likelihood=exact.likelihood,
        posterior=posteriors.Encoded(posteriors.Gaussian(network), encoding),
    )


@cache
def exact() -> tuple[np.ndarray, np.ndarray]:
    """log p(x_observed) [n], and E[x_missing | x_observed] [n, D] (x itself where it was observed)."""
    x, missing = rows()
    covariance = ORACLE.weight @ ORACLE.weight.T + np.diag(ORACLE.variance)
    log_p, means = np.empty(len(x)), x.copy()
    for i, (row, absent) in enumerate(zip(x, missing, strict=True)):
        of_seen, off = covariance[np.ix_(~absent, ~absent)], row[~absent] - ORACLE.bias[~absent]
        solved = np.linalg.solve(of_seen, off)
        log_p[i] = -0.5 * (off @ solved + np.linalg.slogdet(2 * np.pi * of_seen)[1])
        means[i, absent] = ORACLE.bias[absent] + covariance[np.ix_(absent, ~absent)] @ solved
    return log_p, means


def incomplete() -> np.ndarray:
    x, missing = rows()
    return np.where(missing, np.nan, x)


@cache
def imputed() -> inference.Imputation:
    return inference.impute(model(), incomplete(), k=500, draws=199, key=jax.random.key(1))


def test_the_density_of_incomplete_rows_is_the_marginal_one():
    found = evaluation.log_evidence(model(), incomplete()[:300], k=2_000, key=jax.random.key(0), missing=True)
    off = (found.log_evidence - exact()[0][:300]) / found.monte_carlo_error
    assert abs(off.mean()) < 4.5 / np.sqrt(300) + 0.05  # the logarithm of a mean is low by half its variance
    assert 0.85 < np.sqrt(np.mean(off**2)) < 1.15
    assert np.abs(off).max() < 6


def test_imputed_means_are_the_conditional_means_within_their_errors():
    found, missing = imputed(), rows()[1]
    off = (found.values - exact()[1])[missing] / found.error[missing]
    assert missing.sum() > 5_000
    assert 0.9 < np.sqrt(np.mean(off**2)) < 1.1
    assert np.mean(np.abs(off) < 4) > 0.999
    assert abs(off.mean()) < 4.5 * 1.1 / np.sqrt(missing.any(axis=1).sum())  # errors of a row are correlated
    assert (found.error[~missing] == 0).all()
    assert not found.warnings()


@pytest.mark.slow
def test_errors_of_an_encoder_that_never_saw_missing_values_are_known_or_unknown():
    """It takes missing values for zeros, and is surer of z than the cells that were observed allow."""
    n, some = 800, rows()[1][:800]
    blind, found = model(scale=1.0, centre=np.zeros(FEATURES)), {}
    for defensive in (False, True):
        each = inference.impute(blind, incomplete()[:n], k=1_000, key=jax.random.key(1), defensive=defensive)
        off = np.where(some, (each.values - exact()[1][:n]) / np.where(some, each.error, 1), 0)
        beyond = (np.abs(off) > 4).any(axis=1)
        known = off[some & ~each.unknown[:, None]]
        found[defensive] = each.unknown.mean(), beyond.sum(), (beyond & each.unknown).sum(), np.sqrt(np.mean(known**2))
    flagged, beyond, caught, spread = found[False]  # the weights of q alone: without variance, and only partly seen
    assert flagged > 0.2
    assert beyond > 30
    assert caught > beyond / 8
    assert spread > 1.5
    flagged, beyond, caught, spread = found[True]
    assert flagged < 0.1
    assert beyond - caught <= 3
    assert spread < 1.1


@pytest.mark.slow
def test_a_mean_of_what_is_heavier_than_the_weights_is_said_to_have_no_known_error():
    """The weights are all alike; but E[exp z] at a spread of 4 is made by draws too rare to have been made."""
    network = jax.tree.map(
        lambda leaf: jnp.array([[0.0, 4.0]]) if leaf.ndim == 2 else 0 * leaf, nn.Linear(1, 2, key=jax.random.key(0))
    )
    encoder = jax.tree.map(jnp.zeros_like, nn.Linear(2, 2, key=jax.random.key(1)))
    heavy = LatentVariableModel(
        prior=priors.StandardNormal(1),
        likelihood=likelihoods.LogNormal.scalar(network),
        posterior=posteriors.Gaussian(encoder),
    )
    x = np.array([[1.0, np.nan]])
    found = inference.impute(heavy, x, k=1_000, key=jax.random.key(2))
    assert found.ess == pytest.approx(1_000)
    assert found.pareto_k > 0.7
    assert np.isnan(found.known_error[0, 1])
    assert "what fills them is unknown for 1 of 1 rows with missing values" in found.warnings()[0]
    evidence = evaluation.log_evidence(heavy, x, k=1_000, key=jax.random.key(2), missing=True)
    assert evidence.known_error == pytest.approx(0, abs=1e-6)


def test_the_prior_proposes_too_where_q_has_a_density_at_any_z_at_hand():
    key, exact = jax.random.key(0), ORACLE.model()
    assert has_cheap_density(exact, key)
    encoder = nn.MLP(FEATURES, (4,), 6, key=key)
    flow = posteriors.planar(encoder, LATENT, steps=1, amortised=False, key=key)
    assert not has_cheap_density(LatentVariableModel(exact.prior, exact.likelihood, flow), key)


def test_nine_tenths_of_the_cells_lie_in_intervals_of_nine_tenths():
    """Between the 10th and the 190th of 199 draws and the value itself, exchangeable all, 0.9 of the values lie."""
    (x, missing), draws = rows(), np.sort(imputed().draws, axis=0)
    inside = ((draws[9] < x) & (x < draws[189]))[missing]
    assert abs(inside.mean() - 0.9) < 0.02


def test_draws_have_the_conditional_mean_and_spread():
    found, missing = imputed(), rows()[1]
    off = (found.draws.mean(axis=0) - exact()[1])[missing]
    residual = (rows()[0] - exact()[1])[missing]
    spread = found.draws.std(axis=0)[missing]
    assert np.mean(residual**2) == pytest.approx(np.mean(spread**2), rel=4.5 * np.sqrt(2 / ROWS))
    assert np.sqrt(np.mean(off**2)) < 3 * np.sqrt(np.mean(spread**2) / 199 + np.mean(found.error[missing] ** 2))


def test_observed_cells_are_those_that_were_given():
    x, missing = rows()
    found = imputed()
    assert (found.values[~missing] == x[~missing]).all()
    assert (found.draws[:, ~missing] == x[~missing]).all()
    assert np.isfinite(found.values).all()
    assert np.isfinite(found.draws).all()
    assert np.isnan(found.ess).sum() == (~missing.any(axis=1)).sum()


@pytest.mark.slow
def test_neither_the_batch_nor_the_neighbours_change_an_imputation():
    few = incomplete()[:9]
    whole = inference.impute(model(), few, k=300, draws=3, key=jax.random.key(2))
    cut = inference.impute(model(), few, k=300, draws=3, key=jax.random.key(2), batch=4)
    alone = inference.impute(model(), few[5:6], k=300, draws=3, rows=np.array([5]), key=jax.random.key(2))
    np.testing.assert_allclose(cut.values, whole.values, rtol=2e-5, atol=2e-6)
    np.testing.assert_allclose(alone.values[0], whole.values[5], rtol=2e-5, atol=2e-6)
    np.testing.assert_allclose(cut.draws, whole.draws, rtol=2e-5, atol=2e-6)


def test_a_value_that_was_not_observed_reaches_nothing():
    """Whatever stands for a missing value: the encoder, log p(x|z) and every gradient are the same to the bit."""
    part = encoded()
    net = nn.MLP(2, (4,), 5, key=jax.random.key(3))
    whole = LatentVariableModel(
        prior=priors.StandardNormal(2),
        likelihood=likelihoods.Scaled(likelihoods.Gaussian.scalar(net), jnp.ones(5), jnp.full(5, 2.0)),
        posterior=part,
    )
    seen = jnp.array([[True, False, True, False, False]])

    def ascended(model: LatentVariableModel, values):
        datum = Datum(values=values, observed=seen)
        estimator = gradients.doubly_reparameterized(bounds.iwae)
        return gradients.Objective(estimator, k=4)(model, jax.random.key(0), datum).value.sum()

    gradient_of = jax.jit(jax.value_and_grad(ascended))
    found = [
        gradient_of(whole, jnp.where(seen, X.values, garbage))
        for garbage in (jnp.zeros(5), jnp.array([9.0, 1e4, -3.0, 2.0, 1.0]))
    ]
    for one, other in zip(*map(jax.tree.leaves, found), strict=True):
        assert (one == other).all()


@pytest.mark.slow
def test_training_on_missing_values_learns_the_model_of_whole_rows():
    """Factor analysis on 30 % missing cells: as likely, for new whole rows, as the truth to a tenth of a nat."""
    start = LatentVariableModel(
        prior=priors.StandardNormal(LATENT),
        likelihood=likelihoods.Gaussian.feature(nn.Linear(LATENT, FEATURES, key=jax.random.key(0)), FEATURES),
        posterior=posteriors.Encoded(
            posteriors.Gaussian(nn.MLP(2 * FEATURES, (32,), 2 * LATENT, key=jax.random.key(1))),
            nn.FeatureEncoding(np.nanmean(incomplete(), axis=0), np.nanstd(incomplete(), axis=0), mask=True),
        ),
    )

    def objective(*args, **kwargs):
        return gradients.Objective(gradients.pathwise(bounds.iwae), k=5)(*args, **kwargs)

    def trained(x: np.ndarray, missing: bool) -> LatentVariableModel:
        adam = optax.adam(optax.cosine_decay_schedule(1e-2, 28 * 60))
        key = jax.random.key(0)
        return training.fit(start, objective, x, optimizer=adam, epochs=60, key=key, missing=missing).model

    new = ORACLE.sample(500, seed=99)
    found = evaluation.log_evidence(trained(incomplete(), True), new, k=500, key=jax.random.key(4))
    assert (ORACLE.log_evidence(new) - found.log_evidence).mean() < 0.1
    guessed = np.where(
        rows()[1], np.nanmean(incomplete(), axis=0), rows()[0]
    )  # the control: missing values filled with means
    of_guesses = evaluation.log_evidence(trained(guessed, False), new, k=500, key=jax.random.key(4))
    gain = found.log_evidence - of_guesses.log_evidence
    assert gain.mean() > 4.5 * gain.std() / np.sqrt(len(gain))


@pytest.mark.parametrize(("scale", "right"), [(1.0, True), pytest.param(0.7, False, marks=pytest.mark.slow)])
def test_iterations_that_draw_are_a_gibbs_sampler_if_the_encoder_is_exact(scale: float, right: bool):
    """From whole draws of p(x), iterations keep the joint distribution; with a wrong encoder they do not."""
    x, absent = ORACLE.sample(20_000, seed=11), np.array([True, False, True, False, False, False])
    incomplete, start = np.where(absent, np.nan, x), x
    filled = inference.impute_gibbs(
        ORACLE.model(scale=scale),
        incomplete,
        iterations=6,
        value="draw",
        start=start,
        key=jax.random.key(3),
        batch=5_000,
    )
    covariance = ORACLE.weight @ ORACLE.weight.T + np.diag(ORACLE.variance)
    centred = filled - ORACLE.bias
    products = centred[:, :, None] * centred[:, None, :]
    off = (products.mean(axis=0) - covariance) / (products.std(axis=0) / np.sqrt(len(x)))
    assert (np.abs(off).max() < 4.5) == right
    assert (filled[:, ~absent] == x[:, ~absent]).all()
    assert np.isnan(incomplete[:, absent]).all()  # what was given is left as it was


def test_iterations_of_means_go_where_the_conditional_mean_is():
    """Their fixed point, for an exact encoder, is the conditional mean; noise of z stays in one iteration."""
    x, absent = ORACLE.sample(400, seed=12), np.array([False, True, False, False, False, False])
    filled = inference.impute_gibbs(ORACLE.model(), np.where(absent, np.nan, x), iterations=30, key=jax.random.key(3))
    covariance = ORACLE.weight @ ORACLE.weight.T + np.diag(ORACLE.variance)
    slope = np.linalg.solve(covariance[np.ix_(~absent, ~absent)], covariance[~absent][:, absent])
    mean = ORACLE.bias[absent] + (x[:, ~absent] - ORACLE.bias[~absent]) @ slope
    off = (filled[:, absent] - mean).ravel()
    assert abs(off.mean()) < 4.5 * off.std() / np.sqrt(len(off))
    assert off.std() < np.sqrt(covariance[1, 1])


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.array([[0.0, np.inf, 0, 0, 0, 0]]), "got inf in row 0, column 1"),
        (np.zeros((1, 5)), r"x must be \[n, 6\]"),
    ],
)
def test_what_cannot_be_imputed_is_refused(x, words):
    with pytest.raises(ValueError, match=words):
        inference.impute(model(), x, k=10, key=jax.random.key(0))
    with pytest.raises(ValueError, match=words):
        inference.impute_gibbs(model(), x, iterations=1, key=jax.random.key(0))


def test_nan_is_refused_where_nobody_said_that_it_means_missing():
    with pytest.raises(ValueError, match="NaN marks a missing value with missing=True"):
        evaluation.log_evidence(model(), incomplete()[:3], k=5, key=jax.random.key(0))
    x = np.where(np.arange(6) == 2, np.nan, np.ones((4, 6)))
    with pytest.raises(ValueError, match="got none in column 2"):
        training.fit(model(), None, x, optimizer=optax.adam(1e-3), epochs=1, key=jax.random.key(0), missing=True)


def test_a_likelihood_of_dependent_features_refuses_missing_values():
    maps = nn.Linear(2, 4, key=jax.random.key(0))
    network = nn.PixelCNN((2, 2), channels=4, layers=1, map_channels=1, key=jax.random.key(1))
    whole = LatentVariableModel(
        prior=priors.StandardNormal(2),
        likelihood=likelihoods.Autoregressive(maps, network),
        posterior=posteriors.Gaussian(nn.Linear(4, 4, key=jax.random.key(2))),
    )
    with pytest.raises(ValueError, match="autoregressive likelihood cannot take missing values"):
        inference.impute(whole, np.array([[0.0, np.nan, 1.0, 0.0]]), k=3, key=jax.random.key(0))


def test_a_missing_class_is_the_most_probable_one_given_the_rest():
    """A number z + noise and a class that depends on z: P(class | number) by quadrature."""
    kinds = ("gaussian", ("categorical", 3))
    net = nn.Linear(1, 5, key=jax.random.key(0))  # loc and log scale of the number, three logits
    weight, bias = jnp.array([[1.0, 0.0, -2.0, 0.0, 2.0]]), jnp.array([0.0, np.log(0.5), 0.0, 0.4, 0.0])
    net = jax.tree.map(lambda leaf: weight if leaf.ndim == 2 else bias, net)
    whole = LatentVariableModel(
        prior=priors.StandardNormal(1),
        likelihood=likelihoods.Scaled(likelihoods.Columns.of_kinds(net, kinds), jnp.zeros(2), jnp.ones(2)),
        posterior=posteriors.Gaussian(nn.Linear(2, 2, key=jax.random.key(1))),
    )
    x = np.array([[-1.3, np.nan], [0.1, np.nan], [0.9, np.nan], [0.0, 2.0]])
    found = inference.impute(whole, x, k=20_000, draws=4_000, key=jax.random.key(2))
    z = np.linspace(-6, 6, 4001)
    logits = z[:, None] * np.array([-2.0, 0.0, 2.0]) + np.array([0.0, 0.4, 0.0])
    p_class = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    for row, (number, _) in enumerate(x[:3]):
        weights = np.exp(-0.5 * z**2 - 0.5 * ((number - z) / 0.5) ** 2)
        p = weights @ p_class / weights.sum()
        assert found.values[row, 1] == p.argmax()
        assert found.error[row, 1] == pytest.approx(1 - p.max(), abs=4.5 * 0.5 / np.sqrt(found.ess[row]))
        shares = np.bincount(found.draws[:, row, 1].astype(int), minlength=3) / 4_000
        np.testing.assert_allclose(shares, p, atol=4.5 * 0.5 / np.sqrt(4_000) + 4.5 * 0.5 / np.sqrt(found.ess[row]))
    assert found.values[3].tolist() == [0.0, 2.0]
