"""Images [height, width, channels] without flattening: the same numbers as of the same model on rows."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from iwax import (
    Datum,
    bounds,
    distributions,
    evaluation,
    gradients,
    inference,
    likelihoods,
    nn,
    parts,
    posteriors,
    priors,
    supports,
    training,
)
from iwax.model import LatentVariableModel

KEY = jax.random.key(4)
EVENT, LATENT = (3, 4, 2), 2
FEATURES = int(np.prod(EVENT))
X = np.random.default_rng(0).integers(0, 2, (12, *EVENT))
ROWS = X.reshape(12, FEATURES)


class Picture(parts.Distribution):
    """Independent binary pixels: ``log p(x) = sum x m - log(1 + exp m)`` for logits m [height, width, channels]."""

    reparameterized = False

    logits: jax.Array

    @property
    def mean(self):
        return jax.nn.sigmoid(self.logits)

    def draw(self, key):
        return jax.random.bernoulli(key, self.mean).astype(self.logits.dtype), None

    def log_prob(self, value, trace=None, where=None):
        return jnp.sum(value * self.logits - jax.nn.softplus(self.logits), where=where)


class Painter(parts.Likelihood):
    """p(x|z), with a picture of logits for every latent."""

    weight: jax.Array  # [latent, height, width, channels]
    bias: jax.Array

    @property
    def support(self):
        return supports.binary

    def __call__(self, z, given=None, *, key):
        return Picture(jnp.tensordot(z, self.weight, axes=1) + self.bias)


class Viewer(parts.Posterior):
    """q(z|x), with two pictures of weights for every latent, of its mean and of its log scale."""

    weight: jax.Array  # [height, width, channels, 2 latent]
    bias: jax.Array

    def __call__(self, context, *, key):
        loc, log_scale = jnp.split(jnp.tensordot(parts.values_of(context), self.weight, axes=3) + self.bias, 2)
        return distributions.Normal(loc, jnp.exp(log_scale))


@pytest.fixture(scope="module")
def flat() -> LatentVariableModel:
    return LatentVariableModel(
        priors.StandardNormal(LATENT),
        likelihoods.Bernoulli(nn.Linear(LATENT, FEATURES, key=jax.random.key(1))),
        posteriors.Gaussian(nn.Linear(FEATURES, 2 * LATENT, key=jax.random.key(2))),
    )


def of_pictures(flat: LatentVariableModel) -> LatentVariableModel:
    """The same numbers, as pictures."""
    decoder, encoder = flat.likelihood.network, flat.posterior.network
    return LatentVariableModel(
        flat.prior,
        Painter(decoder.weight.reshape(LATENT, *EVENT), decoder.bias.reshape(EVENT)),
        Viewer(encoder.weight.reshape(*EVENT, 2 * LATENT), encoder.bias),
    )


def same(pictures, rows, tolerance: float = 1e-5) -> None:
    assert np.shape(pictures)[1:] == EVENT
    np.testing.assert_allclose(np.reshape(pictures, rows.shape), rows, rtol=tolerance, atol=tolerance)


@pytest.mark.slow
def test_two_epochs_of_training(flat):
    objective = gradients.Objective(gradients.doubly_reparameterized(bounds.iwae), k=3)

    def fitted(model, x):
        return training.fit(
            model, objective, x, x_valid=x[:4], optimizer=optax.adam(1e-2), epochs=2, batch=6, key=KEY, progress=False
        )

    rows, pictures = fitted(flat, ROWS), fitted(of_pictures(flat), X)
    for one, other in zip(rows.history, pictures.history, strict=True):
        assert one == pytest.approx(other, rel=1e-5)
    expected = of_pictures(rows.model)
    changed = np.abs(pictures.model.likelihood.weight - of_pictures(flat).likelihood.weight)
    assert changed.max() > 1e-2
    for one, other in zip(jax.tree.leaves(pictures.model), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


def test_evidence_and_score(flat):
    pictures, missing = of_pictures(flat), np.where(np.random.default_rng(1).random(X.shape) < 0.3, np.nan, X)
    rows = evaluation.log_evidence(flat, ROWS, k=20, key=KEY)
    for found in (
        evaluation.log_evidence(pictures, X, k=20, key=KEY),
        evaluation.log_evidence(pictures, Datum.of(X), k=20, key=KEY),
        inference.score(pictures, X, k=20, key=KEY),
    ):
        np.testing.assert_allclose(found.log_evidence, rows.log_evidence, rtol=1e-5)
    holed = evaluation.log_evidence(flat, missing.reshape(ROWS.shape), k=20, key=KEY, missing=True)
    found = evaluation.log_evidence(pictures, missing, k=20, key=KEY, missing=True)
    np.testing.assert_allclose(found.log_evidence, holed.log_evidence, rtol=1e-5)


def test_there_and_back(flat):
    pictures = of_pictures(flat)
    means = inference.embed(pictures, X, key=KEY)
    np.testing.assert_allclose(means, inference.embed(flat, ROWS, key=KEY), rtol=1e-4, atol=1e-5)
    same(inference.reconstruct(pictures, X, key=KEY), inference.reconstruct(flat, ROWS, key=KEY))
    same(inference.decode(pictures, means, key=KEY), inference.decode(flat, means, key=KEY))
    drawn, rows = inference.generate(pictures, 5, key=KEY), inference.generate(flat, 5, key=KEY)
    same(drawn.mean, rows.mean)
    same(drawn.sample, rows.sample)


def test_hidden_pixels_of_a_decoder_that_reads_no_latent_are_filled_with_its_means(flat):
    """There E[x_missing | x_observed] is sigmoid(bias), whatever is observed and however few draws there are."""
    pictures = of_pictures(flat)
    bias = jnp.linspace(-2.0, 2.0, FEATURES).reshape(EVENT)
    constant = LatentVariableModel(flat.prior, Painter(0 * pictures.likelihood.weight, bias), pictures.posterior)
    hidden = np.random.default_rng(1).random((2, *EVENT)) < 0.3
    found = inference.impute(constant, np.where(hidden, np.nan, X[:2]), k=2, key=KEY)
    np.testing.assert_allclose(found.values, np.where(hidden, jax.nn.sigmoid(bias), X[:2]), rtol=1e-5)
    np.testing.assert_array_equal(found.missing, hidden)


@pytest.mark.slow
def test_pixels_are_filled_in(flat):
    holed = np.where(np.random.default_rng(1).random(X.shape) < 0.3, np.nan, X)
    holed[3] = np.nan
    pictures, rows = (
        inference.impute(model, x, k=50, key=KEY, draws=2)
        for model, x in ((of_pictures(flat), holed), (flat, holed.reshape(ROWS.shape)))
    )
    for one, other in ((pictures.values, rows.values), (pictures.error, rows.error), (pictures.missing, rows.missing)):
        same(one, other, 1e-4)
    np.testing.assert_array_equal(pictures.draws.reshape(2, *ROWS.shape), rows.draws)
    np.testing.assert_allclose(pictures.known_error.reshape(ROWS.shape), rows.known_error, rtol=1e-3, atol=1e-5)
    assert pictures.warnings() == rows.warnings()


def test_a_picture_of_another_shape_or_no_pixel_is_refused(flat):
    pictures = of_pictures(flat)
    with pytest.raises(ValueError, match=r"x must be \[n, 3, 4, 2\] .* got shape \(12, 24\)"):
        inference.embed(pictures, ROWS, key=KEY)
    with pytest.raises(ValueError, match=r"gives no density to 2.* in row 1, column 0, 3, 1: it needs 0 or 1"):
        evaluation.log_evidence(pictures, np.where(np.arange(48).reshape(2, *EVENT) == 31, 2, 0), k=2, key=KEY)
