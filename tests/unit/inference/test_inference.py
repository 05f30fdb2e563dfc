"""Inference against a model of which everything is known; and no result that depends on the batch it was worked in."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles.linear_gaussian import LinearGaussian

from iwax import inference, likelihoods, nn, posteriors, priors
from iwax.model import LatentVariableModel

ORACLE = LinearGaussian.random(5, 2, seed=0)
KEY = jax.random.key(7)
X = ORACLE.sample(40, seed=1)


def chain_model() -> LatentVariableModel:
    """Two stochastic layers of widths 3 and 2 over 5 features."""
    keys = jax.random.split(jax.random.key(3), 4)
    return LatentVariableModel(
        prior=priors.Chain(priors.StandardNormal(2), (posteriors.Gaussian(nn.Linear(2, 6, key=keys[0])),)),
        likelihood=likelihoods.Chain(likelihoods.Bernoulli(nn.Linear(3, 5, key=keys[1]))),
        posterior=posteriors.Chain(
            posteriors.Gaussian(nn.Linear(5, 6, key=keys[2])), (posteriors.Gaussian(nn.Linear(3, 4, key=keys[3])),)
        ),
    )


def assert_within(draws: np.ndarray, expected: np.ndarray, *, errors: float = 5.0) -> None:
    """The mean of draws [n, ...] is within a few standard errors of the expected."""
    error = draws.std(axis=0, ddof=1) / np.sqrt(len(draws))
    np.testing.assert_array_less(np.abs(draws.mean(axis=0) - expected), errors * error)


def test_embeds_at_the_exact_posterior_mean():
    mean, _ = ORACLE.posterior(X)
    np.testing.assert_allclose(inference.embed(ORACLE.model(), X, key=KEY), mean, atol=2e-5)


def test_embeds_at_the_exact_posterior_mean_in_double_precision(float64):
    mean, _ = ORACLE.posterior(X)
    np.testing.assert_allclose(inference.embed(ORACLE.model(), X, key=KEY), mean, atol=1e-12)


def test_reconstructs_through_the_posterior_mean():
    mean, _ = ORACLE.posterior(X)
    expected = mean @ ORACLE.weight.T + ORACLE.bias
    np.testing.assert_allclose(inference.reconstruct(ORACLE.model(), X, key=KEY), expected, atol=5e-5)


def test_decodes_given_latents():
    z = np.random.default_rng(0).normal(size=(30, 2))
    expected = z @ ORACLE.weight.T + ORACLE.bias
    decoded = inference.decode(ORACLE.model(), z, key=KEY, batch=7)
    np.testing.assert_allclose(decoded, expected, atol=5e-5)


def test_generates_with_the_moments_of_the_model():
    mean, sample, z = inference.generate(ORACLE.model(), 20_000, key=KEY, batch=3000)
    np.testing.assert_allclose(mean, z @ ORACLE.weight.T + ORACLE.bias, atol=1e-4)
    assert_within(z, np.zeros(2))
    assert_within(sample, ORACLE.bias)
    centred = sample - ORACLE.bias
    products = centred[:, :, None] * centred[:, None, :]
    assert_within(products, ORACLE.weight @ ORACLE.weight.T + np.diag(ORACLE.variance))
    assert_within((sample - mean) ** 2, ORACLE.variance)


@pytest.mark.parametrize(("scale", "shift"), [pytest.param(1.4, 0.5, marks=pytest.mark.slow), (2.0, 0.0)])
def test_resampling_a_wrong_posterior_gives_the_exact_one(scale: float, shift: float):
    """Rows with the same x are independent draws of q_IW, whose bias at k = 400 is far below the error of 2,000."""
    model = ORACLE.model(scale=scale, shift=shift)
    same = np.repeat(X[:1], 2000, axis=0)
    mean, covariance = ORACLE.posterior(X[:1])
    z, decoded = inference.resample(model, same, key=KEY, k=400)
    assert_within(z, mean[0])
    centred = z - mean
    assert_within(centred[:, :, None] * centred[:, None, :], covariance)
    assert_within(decoded, mean[0] @ ORACLE.weight.T + ORACLE.bias)
    np.testing.assert_allclose(decoded, z @ ORACLE.weight.T + ORACLE.bias, atol=1e-4)


def test_one_draw_resampled_is_a_draw_of_the_posterior_part():
    model = ORACLE.model(scale=1.5, shift=1.0)
    same = np.repeat(X[:1], 4000, axis=0)
    z, _ = inference.resample(model, same, key=KEY, k=1)
    _, covariance = ORACLE.posterior(X[:1])
    at = inference.embed(model, X[:1], key=KEY)[0]
    assert_within(z, at)
    assert_within((z - at) ** 2, 1.5**2 * np.diagonal(covariance))


def test_resampling_chooses_by_the_weights():
    """With all mass of the likelihood on one of two far points, the draw near it is the one chosen."""
    model = LatentVariableModel(
        prior=priors.StandardNormal(1),
        likelihood=likelihoods.Gaussian.fixed(lambda z, *, key: z, 0.01),
        posterior=posteriors.Prior(),
    )
    x = np.linspace(-1, 1, 20)[:, None]
    z, _ = inference.resample(model, x, key=KEY, k=5000)
    np.testing.assert_allclose(z, x, atol=0.06)


VERBS = {
    "generate": lambda model, x, batch: inference.generate(model, len(x), key=KEY, batch=batch),
    "embed": lambda model, x, batch: inference.embed(model, x, key=KEY, batch=batch),
    "posterior": lambda model, x, batch: inference.reconstruct(model, x, key=KEY, batch=batch),
    "resample": lambda model, x, batch: inference.resample(model, x, key=KEY, k=150, batch=batch),
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.slow
def test_no_result_depends_on_the_batch(verb: str, layers: int):
    model = ORACLE.model(scale=1.5) if layers == 1 else chain_model()
    x = X if layers == 1 else (X > 0).astype(np.uint8)
    together = jax.tree.leaves(VERBS[verb](model, x, 40))
    for batch in (1, 7) if layers == 1 else (7,):
        apart = jax.tree.leaves(VERBS[verb](model, x, batch))
        for a, b in zip(together, apart, strict=True):
            assert len(a) == len(b) == len(x)
            np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6)


def test_rows_have_noise_of_their_own_and_keys_matter():
    model = ORACLE.model()
    same = np.repeat(X[:1], 3, axis=0)
    z, _ = inference.resample(model, same, key=KEY, k=5)
    other, _ = inference.resample(model, same, key=jax.random.key(8), k=5)
    assert len(np.unique(np.concatenate([z, other])[:, 0])) == 6


def test_chains_embed_layer_by_layer():
    model, x = chain_model(), (X > 0).astype(np.uint8)
    assert inference.embed(model, x, key=KEY).shape == (40, 3)
    above = inference.embed(model, x, key=KEY, layer=2)
    first, second = model.posterior.first, model.posterior.conditionals[0]
    below = first(jnp.asarray(x[0], float), key=KEY).mean
    np.testing.assert_allclose(above[0], second(below, key=KEY).mean, rtol=1e-5)
    drawn = inference.generate(model, 6, key=KEY)
    assert [layer.shape for layer in drawn.z] == [(6, 3), (6, 2)]
    np.testing.assert_allclose(inference.decode(model, drawn.z, key=KEY), drawn.mean, rtol=1e-5)
    with pytest.raises(ValueError, match="layer must be at most 2"):
        inference.embed(model, x, key=KEY, layer=3)
    with pytest.raises(ValueError, match=r"tuple of 2 layers.*got 1 in a ndarray"):
        inference.decode(model, drawn.z[0], key=KEY)
    with pytest.raises(ValueError, match=r"equally many rows: got \[6, 5\]"):
        inference.decode(model, (drawn.z[0], drawn.z[1][:5]), key=KEY)


def test_scores_the_exact_log_evidence():
    """With the exact posterior every weight is p(x): one draw is enough."""
    scores = inference.score(ORACLE.model(), X, k=10, key=KEY)
    np.testing.assert_allclose(scores.log_evidence, ORACLE.log_evidence(X), atol=1e-3)


def test_scores_within_their_error():
    scores = inference.score(ORACLE.model(scale=1.3, shift=0.3), X, k=2000, key=KEY)
    np.testing.assert_array_less(np.abs(scores.log_evidence - ORACLE.log_evidence(X)), 5 * scores.monte_carlo_error)


NAN = np.where(np.arange(10).reshape(2, 5) == 8, np.nan, 0.0)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m: inference.embed(m, X[:, :4], key=KEY), ValueError, r"x must be \[n, 5\].*got shape \(40, 4\)"),
        (lambda m: inference.embed(m, X[0], key=KEY), ValueError, r"x must be \[n, 5\].*got shape \(5,\)"),
        (lambda m: inference.embed(m, X[:0], key=KEY), ValueError, r"got shape \(0, 5\)"),
        (lambda m: inference.embed(m, NAN, key=KEY), ValueError, "got nan in row 1, column 3"),
        (lambda m: inference.embed(m, [["a"] * 5], key=KEY), TypeError, "x must hold numbers"),
        (lambda m: inference.embed(m, X, key=3), TypeError, r"jax\.random\.key\(seed\): got 3"),
        (lambda m: inference.embed(m, X, key=jax.random.split(KEY)), TypeError, r"got an array key<fry>\[2\]"),
        (lambda m: inference.embed(m, X, key=KEY, layer=2), ValueError, "layer must be at most 1, .* got 2"),
        (lambda m: inference.embed(m, X, key=KEY, batch=0), ValueError, "batch must be at least 1"),
        (lambda m: inference.generate(m, 0, key=KEY), ValueError, "n must be at least 1, got 0"),
        (lambda m: inference.generate(m, 2.5, key=KEY), TypeError, "n must be a whole number, got 2.5"),
        (lambda m: inference.generate(m, 3, key=0), TypeError, "got 0"),
        (lambda m: inference.reconstruct(m, X, key=KEY, method="best"), ValueError, "'resample': got 'best'"),
        (lambda m: inference.reconstruct(m, X, key=KEY, method="resample", k=0), ValueError, "k must be at least 1"),
        (lambda m: inference.reconstruct(m, NAN, key=KEY), ValueError, "row 1, column 3"),
        (lambda m: inference.score(m, NAN, k=5, key=KEY), ValueError, "row 1, column 3"),
        (lambda m: inference.score(m, X, k=0, key=KEY), ValueError, "k must be at least 1"),
        (lambda m: inference.decode(m, X, key=KEY), ValueError, r"z must be \[n, 2\].*got shape \(40, 5\)"),
    ],
)
def test_errors_say_what_was_got_in_one_line(call, error: type[Exception], message: str):
    with pytest.raises(error, match=message) as caught:
        call(ORACLE.model())
    assert "\n" not in str(caught.value)
