"""Ratings as parts: the ordinal family, and the convolution and decoder of GC-MC, against their dense formulas."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from iwax import bounds, distributions, families, gradients, likelihoods, nn, posteriors, priors
from iwax.model import LatentVariableModel

KEY = jax.random.key(4)
USERS, ITEMS, LEVELS = 4, 3, 5
PAIRS = np.array([[0, 0], [0, 2], [1, 1], [2, 0], [2, 1], [2, 2]])  # the last user has rated nothing
RATINGS = np.array([4, 0, 2, 3, 1, 4])


@given(st.lists(st.floats(-30, 30), min_size=1, max_size=6), st.floats(1e-3, 5))
def test_levels_are_differences_of_logistic_probabilities(steps, least):
    cuts = np.cumsum(np.abs(steps) + least) + steps[0]
    p = distributions.Ordinal(jnp.asarray(cuts)[None])
    below = np.concatenate([[0], expit(cuts), [1]])
    np.testing.assert_allclose(p.probabilities[0], np.diff(below), atol=2e-6)
    np.testing.assert_allclose(np.exp(np.asarray(p.log_probabilities[0], float)).sum(), 1, atol=1e-5)
    np.testing.assert_allclose(p.mean[0], np.diff(below) @ np.arange(len(cuts) + 1), atol=1e-4)


def test_a_level_far_away_has_a_finite_log_probability_and_gradient():
    def log_p(m):
        return distributions.Ordinal((jnp.array([-1.0, 0.0, 1.0]) - m)[None]).log_prob(jnp.zeros(1))

    value, slope = jax.value_and_grad(log_p)(jnp.float32(500.0))
    assert float(value) == pytest.approx(-501, rel=1e-5)
    assert float(slope) == pytest.approx(-1, rel=1e-5)


def test_draws_of_levels_have_their_probabilities():
    p = distributions.Ordinal(jnp.array([[-1.0, 0.5, 2.0]]))
    draws = jax.vmap(lambda key: p.draw(key)[0])(jax.random.split(KEY, 20_000))[:, 0]
    share = np.bincount(np.asarray(draws, int), minlength=4) / len(draws)
    expected = np.asarray(p.probabilities[0])
    assert (np.abs(share - expected) < 5 * np.sqrt(expected * (1 - expected) / len(draws))).all()


def test_the_family_starts_with_equal_levels_and_learns_its_cuts():
    family = families.ordinal(5)
    np.testing.assert_allclose(family.of_outputs(jnp.zeros(2)).probabilities, 0.2, atol=1e-6)
    p = likelihoods.Likelihood(nn.Linear(2, 3, key=KEY), family)
    slope = jax.grad(lambda family: family.of_outputs(jnp.zeros(1)).log_prob(jnp.ones(1)))
    assert np.abs(slope(family).log_steps).max() > 0
    assert p(jnp.zeros(2), key=KEY).mean.shape == (3,)
    assert str(p.support) == "whole numbers from 0 to 4"
    with pytest.raises(ValueError, match="at least 2 levels, got 1"):
        families.ordinal(1)


def test_a_rating_convolution_is_the_dense_formula():
    width, out = 2, 6
    net = nn.RatingConvolution(PAIRS, USERS, ITEMS, levels=LEVELS, width=width, out=out, heads=2, key=KEY)
    tables, of_users, of_items = (np.asarray(each) for each in (net.tables, net.of_users, net.of_items))
    hidden = np.zeros((USERS + ITEMS, LEVELS, width))
    degree = np.zeros(USERS + ITEMS)
    for (user, item), level in zip(PAIRS, RATINGS, strict=True):
        hidden[user, level] += tables[level, USERS + item]
        hidden[USERS + item, level] += tables[level, user]
        degree[[user, USERS + item]] += 1
    flat = np.maximum(hidden.reshape(USERS + ITEMS, -1) / np.maximum(degree, 1)[:, None], 0)
    expected = np.concatenate([flat[:USERS] @ of_users, flat[USERS:] @ of_items])
    found = np.asarray(net(jnp.asarray(RATINGS, float)))
    first, second = found.reshape(2, USERS + ITEMS, out // 2)
    np.testing.assert_allclose(np.concatenate([first, second], axis=1), expected, rtol=1e-5, atol=1e-6)
    assert (first[3] == 0).all()  # who has rated nothing


def test_dropout_leaves_out_whole_nodes_and_is_unbiased_before_the_activation():
    how = {"levels": LEVELS, "width": 2, "out": 2, "key": KEY}
    net = nn.RatingConvolution(PAIRS, USERS, ITEMS, dropout=0.5, **how)
    x = jnp.asarray(RATINGS, float)
    rest, plain = net.at_rest(), nn.RatingConvolution(PAIRS, USERS, ITEMS, **how)
    np.testing.assert_array_equal(rest(x), plain(x))
    assert np.abs(net(x, key=KEY) - net(x, key=jax.random.key(1))).max() > 0
    with pytest.raises(ValueError, match="needs a key"):
        net(x)
    kept = np.asarray(jax.vmap(net._kept)(jax.random.split(KEY, 2000)))
    np.testing.assert_allclose(kept.mean(axis=0), 1, atol=5 / np.sqrt(2000))


@pytest.mark.parametrize("biases", [False, True])
def test_a_rating_decoder_is_a_sum_of_bilinear_forms(biases):
    net = nn.RatingDecoder(PAIRS, USERS, ITEMS, latent=2, outputs=LEVELS, biases=biases, key=KEY)
    if biases:
        net = eqx.tree_at(lambda net: net.biases, net, jnp.arange(7.0))
    z = np.random.default_rng(0).normal(size=(USERS + ITEMS, 2))
    bases, shares = np.asarray(net.bases), np.asarray(net.shares)
    found = np.asarray(net(jnp.asarray(z.ravel()))).reshape(LEVELS, len(PAIRS))
    for p, (user, item) in enumerate(PAIRS):
        forms = [z[user] @ q @ z[USERS + item] for q in bases]
        expected = shares @ forms + (user + USERS + item if biases else 0)
        np.testing.assert_allclose(found[:, p], expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(bases[0] @ bases[0].T, 1.1**2 * np.eye(2), atol=1e-5)
    other = net.listing(PAIRS[::-1])
    np.testing.assert_allclose(
        np.asarray(other(jnp.asarray(z.ravel()))).reshape(LEVELS, -1), found[:, ::-1], rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("family", ["categorical", "ordinal"])
def test_ratings_are_a_data_point_like_any_other(family):
    latent = 2
    outputs = LEVELS if family == "categorical" else 1
    decoder = nn.RatingDecoder(PAIRS, USERS, ITEMS, latent=latent, outputs=outputs, key=KEY)
    encoder = nn.RatingConvolution(PAIRS, USERS, ITEMS, levels=LEVELS, width=3, out=2 * latent, heads=2, key=KEY)
    of = families.categorical(LEVELS) if family == "categorical" else families.ordinal(LEVELS)
    model = LatentVariableModel(
        prior=priors.StandardNormal((USERS + ITEMS) * latent),
        likelihood=likelihoods.Likelihood(decoder, of),
        posterior=posteriors.Gaussian(encoder),
    )
    objective = gradients.Objective(gradients.doubly_reparameterized(bounds.iwae), k=3)
    found = objective(model, KEY, jnp.asarray(RATINGS, jnp.float32)[None])
    assert np.isfinite(found.bound).all()
    assert float(found.bound[0]) < 0
