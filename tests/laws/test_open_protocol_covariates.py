"""A label that is given to a decoder and an encoder that are networks, against quadrature over z: Monte Carlo.

Estimates are means of draws, and are compared within 4.5 of their standard errors.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from iwax import Datum, distributions, evaluation, inference, nn, parts, priors
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


def test_a_label_that_is_not_there_is_asked_for(conditional):
    with pytest.raises(ValueError, match=r"Pixels needs the covariate 'label' of shape \(\) .* got no covariates"):
        evaluation.log_evidence(conditional, np.zeros((2, FEATURES)), k=2, key=KEY)
    with pytest.raises(ValueError, match="'label'"):
        inference.generate(conditional, 2, key=KEY)
