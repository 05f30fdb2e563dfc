"""The posterior over all random weights: divergences, draws, the evidence of a regression known exactly, pruning."""

import math
from dataclasses import dataclass
from functools import cache

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import multivariate_normal, norm

from iwax import batched, bounds, gradients, likelihoods, posteriors, priors, samplers, streams, weights
from iwax.model import LatentVariableModel
from iwax.nn import MLP, Linear, StochasticLinear
from iwax.parts import Datum

KEY = jax.random.key(5)
PRIOR = weights.Normal(0.8)
X = Datum(values=jnp.array([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]]), index=jnp.arange(2))


@cache
def network(sigma: float | None = 0.2) -> MLP:
    return MLP(3, (4,), 2, key=KEY, sigma=sigma)


@cache
def model(sigma: float | None) -> LatentVariableModel:
    return LatentVariableModel(
        prior=priors.StandardNormal(2),
        likelihood=likelihoods.Bernoulli(MLP(2, (4,), 3, key=jax.random.key(1), sigma=sigma)),
        posterior=posteriors.Gaussian(
            MLP(3, (4,), 4, key=jax.random.key(2), heads=2, sigma=sigma, output_bias=jnp.array([0.0, 0.0, 0.6, 0.6]))
        ),
    )


@settings(max_examples=15)
@given(st.floats(-3, 3), st.floats(0.05, 3), st.floats(0.1, 3))
def test_the_closed_form_is_the_integral(mean, sigma, prior):
    def integrand(w):
        log_q = norm.logpdf(w, mean, sigma)
        return np.exp(log_q) * (log_q - norm.logpdf(w, 0, prior))

    exact = quad(integrand, mean - 12 * sigma, mean + 12 * sigma, epsabs=1e-10)[0]
    assert float(weights.Normal(prior).kl(mean, sigma)) == pytest.approx(exact, rel=1e-4, abs=1e-5)


@given(st.floats(-30, 30), st.floats(0.05, 0.95), st.integers(0, 2), st.integers(6, 8))
def test_a_scale_mixture_neither_underflows_nor_loses_a_component(w, pi, wide, sharp):
    """Against the sum of exponentials in 60 digits' worth of range: float64 log-sum-exp by scipy."""
    sigmas = (math.exp(-wide), math.exp(-sharp))
    parts = [math.log(p) + norm.logpdf(w, 0, s) for p, s in zip((pi, 1 - pi), sigmas, strict=True)]
    found = weights.ScaleMixture(pi, *sigmas).log_prob(jnp.float32(w))
    assert float(found) == pytest.approx(np.logaddexp(*parts), rel=1e-4, abs=1e-4)
    slope = jax.grad(weights.ScaleMixture(pi, *sigmas).log_prob)(jnp.float32(w))
    assert np.isfinite(slope)


def test_a_mixture_of_equals_is_the_normal():
    mixture = weights.ScaleMixture(0.3, 0.5 + 1e-7, 0.5)
    w = jnp.linspace(-2, 2, 9)
    np.testing.assert_allclose(mixture.log_prob(w), weights.Normal(0.5).log_prob(w), rtol=1e-4, atol=1e-5)


def test_draws_follow_the_distribution_and_their_divergence_has_the_mean_of_the_closed_form():
    net, keys = network(), jax.random.split(jax.random.key(2), 4000)
    nets, found = jax.jit(jax.vmap(lambda key: weights.drawn_with_divergence(net, PRIOR, key)))(keys)
    exact = float(weights.kl(net, PRIOR))
    assert abs(found.mean() - exact) < 4.5 * found.std() / np.sqrt(len(found))
    for drawn, layer in zip(nets.layers, net.layers, strict=True):
        z = (np.asarray(drawn.weight) - np.asarray(layer.weight)) / 0.2
        assert abs(z.mean()) < 4.5 / np.sqrt(z.size)
        assert abs((z**2).mean() - 1) < 4.5 * np.sqrt(2 / z.size)
    alone = weights.drawn(network(), keys[0])
    assert all(isinstance(layer, Linear) for layer in alone.layers)
    np.testing.assert_allclose(alone.layers[0].weight, nets.layers[0].weight[0], rtol=1e-5, atol=1e-6)


def test_means_and_layers():
    fixed = weights.at_mean(network())
    for layer, twin in zip(fixed.layers, network(None).layers, strict=True):
        assert (layer.weight == twin.weight).all()
    assert len(weights.random_layers(model(0.1))) == 4
    assert weights.random_layers(model(None)) == []


@pytest.mark.usefixtures("float64")
def test_conjugate_regression():
    """y = A w + noise with orthogonal columns: the exact posterior of w is factorised, and any draw gives log p(D)."""
    rng = np.random.default_rng(0)
    a = np.linalg.qr(rng.normal(size=(12, 4)))[0] * np.array([1.0, 2.0, 0.5, 1.5])
    noise, wide = 0.3, 0.8
    y = a @ rng.normal(size=4) * wide + noise * rng.normal(size=12)
    exact = multivariate_normal.logpdf(y, np.zeros(12), noise**2 * np.eye(12) + wide**2 * a @ a.T)
    precision = (a**2).sum(axis=0) / noise**2 + wide**-2
    mean, sigma = a.T @ y / noise**2 / precision, precision**-0.5

    def bound(mean, sigma, key):
        """log p(D|w) + log P(w) - log q(w); the bias is fixed by a design that does not see it."""
        layer = StochasticLinear(4, 1, sigma=0.1, key=KEY)
        rho = jnp.log(jnp.expm1(jnp.asarray(sigma)))[:, None]
        layer = eqx.tree_at(lambda each: (each.weight, each.weight_rho), layer, (jnp.asarray(mean)[:, None], rho))
        # the bias has its prior as its posterior, and is taken out of the outputs: it adds nothing to the bound
        at_prior = (jnp.zeros(1), jnp.full(1, jnp.log(jnp.expm1(wide))))
        layer = eqx.tree_at(lambda each: (each.bias, each.bias_rho), layer, at_prior)
        fixed, divergence = weights.drawn_with_divergence(layer, weights.Normal(wide), key)
        outputs = (fixed(jnp.asarray(a)) - fixed.bias)[:, 0]
        return jnp.sum(-0.5 * ((y - outputs) / noise) ** 2 - jnp.log(noise * jnp.sqrt(2 * jnp.pi))) - divergence

    keys = jax.random.split(KEY, 2000)
    bounds_of = jax.jit(jax.vmap(bound, in_axes=(None, None, 0)))
    np.testing.assert_allclose(bounds_of(mean, sigma, keys)[:20], exact, atol=1e-6)
    wrong = np.asarray(bounds_of(mean + 0.5 * sigma, 1.5 * sigma, keys))
    assert wrong.mean() + 4.5 * wrong.std() / np.sqrt(len(wrong)) < exact
    divergence = 4 * (0.5 * (1.5**2 + 0.25 - 1) - math.log(1.5))
    assert abs(wrong.mean() - (exact - divergence)) < 4.5 * wrong.std() / np.sqrt(len(wrong))


def objective(**more):
    return gradients.Objective(gradients.pathwise(bounds.iwae), k=4, **more)


@dataclass(frozen=True)
class Seen(gradients.AbstractObjective):
    """An objective that says which weights it was given: their sum, for every datum."""

    k: int = 3
    whole_batch: bool = True

    def init(self):
        return "its state"

    def __call__(self, model, key, x, *, beta=1.0, control=None):
        total = sum(jnp.sum(leaf) for leaf in jax.tree.leaves(eqx.filter(model, eqx.is_inexact_array)))
        return gradients.Surrogate(total + jnp.zeros(2), self.k * total + jnp.zeros(2))


seen = Seen()


def test_what_is_made_of_an_objective_says_of_itself_what_that_one_says():
    for made in (
        gradients.bayesian(seen, prior=PRIOR, rows=50),
        gradients.with_weight_kl(seen, prior=PRIOR, rows=50),
        gradients.with_local_reconstruction(gradients.with_weight_kl(seen, prior=PRIOR, rows=50), weight=0.1),
    ):
        assert (made.k, made.whole_batch, made.init()) == (3, True, "its state")
        assert repr(seen) in repr(made)


@pytest.mark.parametrize("prior", [PRIOR, weights.ScaleMixture(0.5, 1.0, 0.01)])
def test_shared_weights_are_the_objective_at_one_draw_less_the_divergence(prior):
    made = gradients.bayesian(seen, prior=prior, rows=50, scale=0.5)

    @eqx.filter_jit
    def run(model):
        key = jax.random.fold_in(KEY, streams.Step.WEIGHTS)
        fixed, estimate = weights.drawn_with_divergence(model, prior, key)
        return made(model, KEY, X), seen(fixed, KEY, X), weights.kl(model, PRIOR), estimate

    found, plain, exact, estimate = run(model(0.3))
    cost = 0.5 * (exact if prior is PRIOR else estimate) / 50
    np.testing.assert_allclose(found.value, plain.value - cost, rtol=1e-4)
    np.testing.assert_allclose(found.bound, plain.bound - cost, rtol=1e-4)


def test_a_penalty_leaves_the_bound_and_the_weights():
    made = gradients.with_weight_kl(seen, prior=PRIOR, rows=10, scale=0.5)

    @eqx.filter_jit
    def run(model):
        def value(model):
            found = made(model, KEY, X)
            return found.value[0], found.bound

        (value, bound), slope = eqx.filter_value_and_grad(value, has_aux=True)(model)
        return value, bound, slope, seen(model, KEY, X), eqx.filter_value_and_grad(weights.kl)(model, PRIOR)

    value, bound, slope, plain, (cost, pull) = run(model(0.3))
    assert float(value) == pytest.approx(float(plain.value[0] - 0.05 * cost), rel=1e-5)
    np.testing.assert_array_equal(bound, plain.bound)
    for a, b in zip(jax.tree.leaves(slope), jax.tree.leaves(pull), strict=True):
        np.testing.assert_allclose(a, 1 - 0.05 * b, rtol=1e-5)


def test_the_mixture_of_posteriors_is_as_unbiased_and_varies_less():
    """E mean w is p(x) either way; the weights of the balance heuristic have the smaller variance."""
    keys = jax.random.split(jax.random.key(1), 4000)

    @eqx.filter_jit
    def run(model):
        def one(key):
            both = [f(model, key, X, k=8).log_w() for f in (batched.terms, batched.mixture_terms)]
            z = jax.random.normal(key, (2,))
            of_prior = [model.likelihood(z, key=key).log_prob(values) for values in X.values]
            return *(bounds.iwae(log_w) for log_w in both), jnp.stack(of_prior)

        return jax.vmap(one)(keys)

    own, mixed, prior = (np.exp(np.asarray(each, np.float64)) for each in run(model(0.15)))
    for each in (own, mixed):
        error = np.sqrt((each.var(axis=0) + prior.var(axis=0)) / len(keys))
        assert (np.abs(each.mean(axis=0) - prior.mean(axis=0)) < 4.5 * error).all()
    assert (mixed.var(axis=0) < own.var(axis=0)).all()


def test_without_noise_the_mixture_is_the_posterior():
    fixed = weights.at_mean(model(0.1))
    own, mixed = eqx.filter_jit(
        lambda model: [f(model, KEY, X, k=5).log_w() for f in (batched.terms, batched.mixture_terms)]
    )(fixed)
    np.testing.assert_allclose(own, mixed, rtol=1e-5, atol=1e-5)


def test_pruning_takes_the_least_ratios_of_all_layers():
    net = network()
    ratios = weights.signal_to_noise(net)
    assert ratios.size == 3 * 4 + 4 + 4 * 2 + 2
    half = weights.pruned(net, 0.5)
    left = np.concatenate([np.ravel(leaf) for layer in half.layers for leaf in (layer.weight, layer.bias)])
    means = np.concatenate([np.ravel(leaf) for layer in net.layers for leaf in (layer.weight, layer.bias)])
    largest = np.argsort(ratios, kind="stable")[ratios.size // 2 :]
    np.testing.assert_array_equal(left[largest], means[largest])
    assert (np.delete(left, largest) == 0).all()
    for share in (-0.1, 1.1):
        with pytest.raises(ValueError, match=r"must lie in 0\.\.1"):
            weights.pruned(net, share)
    with pytest.raises(ValueError, match="needs random weights"):
        weights.pruned(network(None), 0.5)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: weights.Normal(0.0), "sigma must be positive"),
        (lambda: weights.ScaleMixture(1.0, 1.0, 0.1), "pi must lie between 0 and 1"),
        (lambda: weights.ScaleMixture(0.5, 0.1, 1.0), "sigma1 must be larger"),
        (lambda: gradients.bayesian(objective(), prior=PRIOR, rows=0), "rows"),
        (lambda: gradients.with_weight_kl(objective(), prior=PRIOR, rows=5, scale=-1.0), "not be negative"),
        (lambda: objective(sampler=samplers.mixture, backward=1), "backward=1"),
    ],
)
def test_what_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()
