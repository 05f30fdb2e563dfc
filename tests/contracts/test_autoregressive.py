"""The autoregressive likelihood of images, against all images that there are."""

import itertools
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats

from iwax import batched, distributions, likelihoods, posteriors, priors, supports
from iwax.model import LatentVariableModel
from iwax.nn import MLP, DeconvNet, GatedPixelCNN, Linear, PixelCNN
from iwax.parts import Datum

KEY = jax.random.key(3)
SIZE, PIXELS, LATENT = (2, 3), 6, 2
NETWORKS = {
    "pixelcnn": partial(PixelCNN, SIZE, channels=4, layers=2),
    "gated pixelcnn": partial(GatedPixelCNN, SIZE, channels=4, layers=2),
}
IMAGES = jnp.array(list(itertools.product([0.0, 1.0], repeat=PIXELS)))
Z = jnp.array([0.7, -1.1])


def likelihood(name: str) -> likelihoods.Autoregressive:
    """With weights half as large again as at the start, so that pixels depend on each other by more than a little."""
    part = likelihoods.Autoregressive(
        MLP(LATENT, (2 * PIXELS,), None, activation="gated", key=KEY),
        NETWORKS[name](map_channels=2, key=jax.random.key(4)),
    )
    return jax.tree.map(lambda leaf: 1.5 * leaf, part)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("wide", "tolerance"), [(False, 1e-5), (True, 1e-10)])
def test_the_probabilities_of_all_images_sum_to_one(name: str, wide: bool, tolerance: float):
    part = likelihood(name)
    with jax.enable_x64(wide):
        part = jax.tree.map(lambda leaf: leaf.astype(jnp.float64 if wide else jnp.float32), part)
        images = jnp.asarray(np.asarray(IMAGES), float)

        @jax.jit
        def log_prob(part, z):
            return jax.vmap(part(z, key=KEY).log_prob)(images)

        each = np.asarray(log_prob(part, jnp.asarray(np.asarray(Z), float)), np.float64)
    assert abs(np.exp(each).sum() - 1) < tolerance
    assert each.max() - each.min() > 2


@pytest.mark.parametrize("name", ["pixelcnn", "gated pixelcnn"])
@pytest.mark.slow
def test_draws_follow_the_probabilities_and_means_estimate_theirs(name: str):
    """Goodness of fit of 10,000 images; the mean of means along paths against the sum over all images."""
    part = likelihood(name)

    @jax.jit
    def run(part, keys):
        def one(key):
            value, log_prob = part(Z, key=KEY).sample_and_log_prob(key)
            return value, log_prob, part(Z, key=key).mean

        return jax.vmap(one)(keys), jnp.exp(jax.vmap(part(Z, key=KEY).log_prob)(IMAGES))

    (values, log_probs, means), exact = run(part, jax.random.split(jax.random.key(1), 10_000))
    exact = np.asarray(exact, np.float64)
    images = np.asarray(values) @ 2 ** np.arange(PIXELS)[::-1]
    np.testing.assert_allclose(np.exp(log_probs), exact[images.astype(int)], rtol=1e-4)
    counts, expected = np.bincount(images.astype(int), minlength=len(exact)), 10_000 * exact / exact.sum()
    rare = expected < 5
    counts, expected = (np.append(c[~rare], c[rare].sum()) for c in (counts, expected))
    counts, expected = (c[expected > 0] for c in (counts, expected))
    assert scipy.stats.chisquare(counts, expected).pvalue > 2e-5
    means, mean = np.asarray(means, np.float64), exact @ np.asarray(IMAGES)
    assert (np.abs(means.mean(axis=0) - mean) <= 4.5 * means.std(axis=0) / 100 + 1e-6).all()
    assert (means.std(axis=0) < np.asarray(values, np.float64).std(axis=0)).all()
    assert means.std(axis=0).max() > 0.05


class PassByPass(eqx.Module):
    """A network without a draw of its own."""

    network: eqx.Module
    in_features: int = eqx.field(static=True)

    def __call__(self, x: jax.Array, maps: jax.Array | None) -> jax.Array:
        return self.network(x, maps)


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("kind", [PixelCNN, GatedPixelCNN])
@pytest.mark.slow
def test_a_draw_layer_by_layer_is_the_draw_pass_by_pass(kind: type, kernel: int):
    maps = jax.random.normal(jax.random.key(2), (2, 3, 5)) if kernel == 3 else None
    network = kind((3, 5), channels=6, layers=2, kernel=kernel, map_channels=0 if maps is None else 2, key=KEY)
    network = jax.tree.map(lambda leaf: 1.5 * leaf, network)

    @jax.jit
    def draws(network, keys):
        def draw(network, key):
            return distributions.Autoregressive(network, maps, key).draw(key)[0]

        return [jax.vmap(partial(draw, either))(keys) for either in (network, PassByPass(network, 15))]

    quick, slow = draws(network, jax.random.split(jax.random.key(1), 40))
    np.testing.assert_array_equal(quick, slow)
    assert len(np.unique(quick, axis=0)) > 10


def test_the_logits_of_a_pixel_are_those_given_the_pixels_before():
    """The product of conditionals is the probability: marginals by summing over all images."""
    p = likelihood("gated pixelcnn")(Z, key=KEY)
    exact = np.asarray(jax.jit(jax.vmap(p.log_prob))(IMAGES), np.float64)
    x = np.array([1.0, 0.0, 1.0, 1.0, 0.0, 1.0])
    conditional = scipy.special.expit(np.asarray(p.conditionals(jnp.asarray(x)).logits, np.float64))
    images = np.asarray(IMAGES)
    for i in range(PIXELS):
        same = (images[:, :i] == x[:i]).all(axis=1)
        chance = np.exp(exact[same & (images[:, i] == 1)]).sum() / np.exp(exact[same]).sum()
        assert conditional[i] == pytest.approx(chance, rel=1e-4)


def test_the_first_pixel_follows_the_latent_alone():
    part = likelihood("pixelcnn")
    np.testing.assert_array_equal(
        part(Z, key=KEY).conditionals(jnp.zeros(PIXELS)).logits[0],
        part(Z, key=KEY).conditionals(jnp.ones(PIXELS)).logits[0],
    )
    other = part(-Z, key=KEY).conditionals(jnp.zeros(PIXELS)).logits[0]
    assert other != part(Z, key=KEY).conditionals(jnp.zeros(PIXELS)).logits[0]


def test_missing_values_and_misfits_are_refused():
    p = likelihood("pixelcnn")(Z, key=KEY)
    with pytest.raises(ValueError, match="autoregressive likelihood cannot take missing values"):
        p.log_prob(IMAGES[0], where=jnp.ones(PIXELS, bool))
    network = NETWORKS["pixelcnn"](map_channels=2, key=KEY)
    with pytest.raises(ValueError, match=r"maps of 12 features.*2 conditioning maps of 2 x 3; got a network of 6"):
        likelihoods.Autoregressive(Linear(LATENT, PIXELS, key=KEY), network)
    with pytest.raises(ValueError, match=r"takes 0 conditioning maps.*got a network of 6"):
        likelihoods.Autoregressive(Linear(LATENT, PIXELS, key=KEY), NETWORKS["pixelcnn"](key=KEY))
    assert likelihood("pixelcnn").support == supports.binary


def test_it_trains_in_a_model_with_any_network_of_maps():
    """Twenty steps up the bound of a few rows, with noise held fixed, on maps from a transposed convolution."""
    maps = DeconvNet(LATENT, (1, *SIZE), [(1, 3, 1)], start=(2, *SIZE), key=KEY)
    model = LatentVariableModel(
        prior=priors.StandardNormal(LATENT),
        likelihood=likelihoods.Autoregressive(maps, NETWORKS["gated pixelcnn"](map_channels=1, key=KEY)),
        posterior=posteriors.Gaussian(MLP(PIXELS, (4,), 2 * LATENT, key=KEY, heads=2)),
    )
    x = Datum(values=IMAGES[jnp.array([5, 5, 40, 40])], index=jnp.arange(4))

    @eqx.filter_value_and_grad
    def loss(model):
        return -batched.log_weights(model, KEY, x, k=2).mean()

    @eqx.filter_jit
    def train(model):
        def step(arrays, _):
            value, slope = loss(eqx.combine(arrays, static))
            arrays = jax.tree.map(lambda a, s: a - 0.1 * s, arrays, eqx.filter(slope, eqx.is_array))
            return arrays, value

        arrays, static = eqx.partition(model, eqx.is_inexact_array)
        return jax.lax.scan(step, arrays, None, length=20)[1]

    losses = np.asarray(train(model))
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0] - 1
