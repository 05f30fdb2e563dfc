"""A label that is given to a decoder and an encoder that are networks, against quadrature over z: Monte Carlo.

Estimates are means of draws, and are compared within 4.5 of their standard errors.
"""

import dataclasses
import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from iwax import Datum, distributions, evaluation, inference, likelihoods, nn, parts, priors
from iwax.model import LatentVariableModel

KEY = jax.random.key(5)
CLASSES, FEATURES = 2, 3
LABEL = {"label": jax.ShapeDtypeStruct((), jnp.int32)}
GRID = np.linspace(-8, 8, 401)  # z
MASS = np.exp(-0.5 * GRID**2) / np.exp(-0.5 * GRID**2).sum()


class Pixels(parts.Likelihood):
    """p(x|z, y) of binary features, a network of z and y."""

    network: nn.MLP

    @property
    def needs(self):
        return LABEL

    def __call__(self, z, given=None, *, key):
        y = jax.nn.one_hot(given["label"], CLASSES)
        return distributions.Bernoulli(self.network(jnp.concatenate([z, y]), key=key))


class Encoder(parts.Posterior):
    """q(z|x, y), a network of x and y."""

    network: nn.MLP

    @property
    def needs(self):
        return LABEL

    def __call__(self, context, *, key):
        y = jax.nn.one_hot(context.given["label"], CLASSES)
        loc, log_scale = jnp.split(self.network(jnp.concatenate([context.values, y]), key=key), 2)
        return distributions.Normal(loc, jnp.exp(log_scale))


@pytest.fixture(scope="module")
def conditional() -> LatentVariableModel:
    likelihood = Pixels(jax.tree.map(lambda leaf: 2 * leaf, nn.MLP(1 + CLASSES, (4,), FEATURES, key=KEY)))
    posterior = Encoder(nn.MLP(FEATURES + CLASSES, (4,), 2, key=jax.random.key(6)))
    return LatentVariableModel(priors.StandardNormal(1), likelihood, posterior)


def means(model: LatentVariableModel, label: int) -> np.ndarray:
    """P(x_j = 1|z, y) [grid, features]."""
    given = {"label": jnp.int32(label)}
    return np.asarray(jax.vmap(lambda z: model.likelihood(z, given, key=KEY).mean)(jnp.float32(GRID)[:, None]), float)


def test_log_p_of_x_given_y_within_the_error_of_draws(conditional):
    x, labels = np.array([[0, 1, 1], [1, 1, 0], [0, 1, 1]]), np.array([0, 1, 1])
    found = evaluation.log_evidence(conditional, Datum.of(x, given={"label": labels}), k=2000, key=KEY)
    exact = [
        np.log(MASS @ np.where(x[i], m := means(conditional, y), 1 - m).prod(axis=1)) for i, y in enumerate(labels)
    ]
    assert (np.abs(found.log_evidence - exact) < 4.5 * found.monte_carlo_error).all()
    assert (found.monte_carlo_error < 0.03).all()


def test_what_is_generated_is_of_the_label_that_is_given(conditional):
    labels = np.repeat([0, 1], 1000)
    drawn = inference.generate(conditional, 2000, key=KEY, given={"label": labels})
    for label in range(CLASSES):
        expected, sample = MASS @ means(conditional, label), drawn.sample[labels == label]
        assert (np.abs(sample.mean(axis=0) - expected) < 4.5 * np.sqrt(expected * (1 - expected) / 1000)).all()
    assert not np.allclose(MASS @ means(conditional, 0), MASS @ means(conditional, 1), atol=0.05)


def test_what_is_missing_is_filled_in_given_the_label(conditional):
    x, labels = np.array([[0, np.nan, 1], [0, np.nan, 1]]), np.array([0, 1])
    datum = dataclasses.replace(Datum.of(x, missing=True), given={"label": labels})
    found = inference.impute(conditional, datum, k=2000, key=KEY)
    for i, label in enumerate(labels):
        m = means(conditional, label)
        weight = MASS * (1 - m[:, 0]) * m[:, 2]
        expected = weight @ m[:, 1] / weight.sum()
        assert abs(found.values[i, 1] - expected) < 4.5 * found.error[i, 1] < 0.1
    assert found.values[:, [0, 2]].tolist() == [[0, 1], [0, 1]]


def test_noisy_values_are_denoised_given_the_label(conditional):
    y, labels, flips = np.array([[0, 1, 1], [0, 1, 1]]), np.array([0, 1]), 0.3
    found = inference.denoise(
        conditional, Datum.of(y, given={"label": labels}), flips=flips, k=2000, key=KEY, iterations=2
    )
    for i, label in enumerate(labels):
        m = means(conditional, label)
        chance = np.where(y[i], (1 - flips) * m + flips / 2, (1 - flips) * (1 - m) + flips / 2)  # P(y_j|z)
        clean = m * np.where(y[i], 1 - flips / 2, flips / 2) / chance  # P(x_j = 1|y_j, z)
        weight = MASS * chance.prod(axis=1)
        assert (np.abs(found.values[i] - weight @ clean / weight.sum()) < 4.5 * found.error[i]).all()
    assert np.abs(found.values[0] - found.values[1]).max() > 0.02


def test_encoding_and_decoding_again_and_again_keeps_the_label(conditional):
    blind = eqx.tree_at(lambda model: model.likelihood, conditional, Label(conditional.likelihood.network))
    x, labels = np.full((2, FEATURES), np.nan), np.array([0, 1])
    datum = dataclasses.replace(Datum.of(x, missing=True), given={"label": labels})
    found = inference.impute_gibbs(blind, datum, key=KEY, iterations=2)
    np.testing.assert_allclose(found, jax.nn.sigmoid(jnp.array([[-2.0] * FEATURES, [2.0] * FEATURES])), rtol=1e-6)


class Label(Pixels):
    """p(x|y), whatever z is."""

    def __call__(self, z, given=None, *, key):
        return distributions.Bernoulli(jnp.full(FEATURES, 4.0 * given["label"] - 2))


def test_scores_are_compared_with_rows_of_the_same_label(conditional):
    """By enumeration of x: mean and deviation of log p(x_S|y), x ~ p(x|y)."""
    x, labels = np.array([[np.nan, 1, 1], [np.nan, 1, 1], [0, 1, 1]]), np.array([0, 1, 0])
    datum = dataclasses.replace(Datum.of(x, missing=True), given={"label": labels})
    log_prob = np.array([-0.5, -0.5, -2.5])
    found, _ = inference.comparable_scores(conditional, datum, log_prob, key=KEY, rows=2000, k=500)
    corners, exact = np.array(list(itertools.product([0, 1], repeat=FEATURES))), []
    for label in labels[:2]:
        m = means(conditional, label)
        each = np.where(corners[:, None], m, 1 - m)  # P(x_j|z, y) [corner, grid, feature]
        p, of_seen = (each.prod(axis=2) @ MASS, each[:, :, 1:].prod(axis=2) @ MASS)
        (mean, deviation), (mean_seen, deviation_seen) = (moments(p, np.log(q)) for q in (p, of_seen))
        exact.append(mean + deviation * (-0.5 - mean_seen) / deviation_seen)
    assert found[2] == -2.5
    np.testing.assert_allclose(found[:2], exact, atol=0.2)  # 4.5 errors of 2 deviations, 1.6 % each
    assert abs(exact[0] - exact[1]) > 1


def moments(p: np.ndarray, values: np.ndarray) -> tuple[float, float]:
    mean = p @ values
    return mean, np.sqrt(p @ (values - mean) ** 2)


def test_slots_are_those_that_the_rows_of_a_label_read():
    """An encoder that gives z from the label alone: what is read depends on it."""
    decoder = nn.MemoryMLP(1, (4,), FEATURES, slots=(3,), key=KEY)
    model = LatentVariableModel(priors.StandardNormal(1), likelihoods.Bernoulli(decoder), OfLabel())
    datum = Datum.of(np.zeros((4, FEATURES)), given={"label": np.array([0, 1, 0, 1])})
    (found,) = inference.slot_preferences(model, datum, [0, 1, 0, 1], key=KEY)
    expected = [decoder.attention(jnp.array([z]))[0] for z in (-3.0, 3.0)]
    np.testing.assert_allclose(found.mean, expected, atol=1e-4)
    (picture,) = inference.slot_pictures(model, datum, key=KEY)
    assert picture.shape == (3, FEATURES)


class OfLabel(parts.Posterior):
    """q(z|y), a normal of next to no width at -3 or 3."""

    @property
    def needs(self):
        return LABEL

    def __call__(self, context, *, key):
        return distributions.Normal(6.0 * context.given["label"][None] - 3, jnp.full(1, 1e-6))


def test_a_label_that_is_not_there_is_asked_for(conditional):
    with pytest.raises(ValueError, match=r"Pixels needs the covariate 'label' of shape \(\) .* got no covariates"):
        evaluation.log_evidence(conditional, np.zeros((2, FEATURES)), k=2, key=KEY)
    with pytest.raises(ValueError, match="'label'"):
        inference.generate(conditional, 2, key=KEY)
