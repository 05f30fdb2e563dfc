"""Estimators on two stochastic layers, and on a posterior with uncertain weights, by quadrature: IWAE with k = 2.

Either has two noises a draw, so that the expectation is an integral over four: the trapezoid rule on 28 nodes from -7
to 7 each, float64, pairs of draws that differ by their order taken once. The exact gradient is that of log w written
out. On the ELBO all of it would pass with the weights in the wrong places.
"""

import itertools
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from known_noise import KeyReader, KnownNormal, KnownPosterior, keys_of_parts, look_up
from linear_gaussian import linear

from iwax import bounds, control_variates, gradients, likelihoods, posteriors, priors
from iwax._typing import Datum
from iwax.gradients import Weights
from iwax.model import LatentVariableModel

X = np.array([1.0, 0.0])
KEY = 3
LIKELIHOOD = (np.array([[0.9, -0.7]]), np.array([-0.4, 0.2]))
ESTIMATORS = {
    "pathwise": gradients.pathwise(bounds.iwae),
    "doubly_reparameterized": gradients.doubly_reparameterized(bounds.iwae),
    "VIMCO": gradients.score_function(bounds.iwae, control_variates.leave_one_out),
    "sticking_the_landing": gradients.sticking_the_landing(bounds.iwae),
}


class Chosen:
    """A control variate whose baseline is its state: here the number of the estimator that is meant."""

    def init(self):
        return None

    def baseline(self, state, bound, log_w, key, x):
        return state

    def update(self, state, value, key, x):
        return state


def any_of(estimators) -> gradients.Estimator:
    """All of them in one compiled function; which one is meant is traced."""

    def weights(log_w, beta, key=None, baseline=None):
        def of(estimator):
            variate = estimator.control_variate
            subtracted = variate.baseline(None, estimator.bound, log_w, key, None) if variate else 0.0
            found = estimator.weights(log_w, beta, key, subtracted)
            return Weights(*(jnp.zeros_like(log_w) if each is None else each for each in found))

        return jax.lax.switch(baseline, [partial(of, estimator) for estimator in estimators])

    return gradients.Estimator("any", bounds.iwae, weights, path=True, score=True, control_variate=Chosen())


class KnownLayer(eqx.Module):
    """q(z_2|z_1) = N(loc, scale^2), both of a network of z_1, with known noise."""

    network: eqx.Module
    noise: jax.Array
    words: jax.Array

    def __call__(self, context, *, key):
        loc, log_scale = jnp.split(self.network(context, key=key), 2)
        return KnownNormal("normal", (loc, jnp.exp(log_scale)), self.noise, self.words)


class Uncertain(eqx.Module):
    """q(z|x, eta) = N(loc + spread eta, exp(log_scale)^2) with eta ~ N(0, 1) of the part's own key: a random weight."""

    loc: jax.Array
    spread: jax.Array
    log_scale: jax.Array
    of_weight: jax.Array  # eta, [k, 1]
    noise: jax.Array
    words: tuple[jax.Array, jax.Array]

    def __call__(self, context, *, key):
        eta = look_up(key, self.words[0], self.of_weight)
        return KnownNormal("normal", (self.loc + self.spread * eta, jnp.exp(self.log_scale)), self.noise, self.words[1])


def two_layers(words, noise) -> LatentVariableModel:
    """noise [2 draws, 2 layers]"""
    first = KnownPosterior(*(jnp.asarray([v]) for v in (0.3, -0.4)), noise[:, :1], words[0][1])
    second = KnownLayer(linear(np.array([[0.7, 0.15]]), np.array([-0.2, -0.3])), noise[:, 1:], words[1][1])
    below = likelihoods.Gaussian.of_network(linear(np.array([[0.6, -0.1]]), np.array([0.1, 0.05])))
    return LatentVariableModel(
        prior=priors.Chain(priors.StandardNormal(1), (below,)),
        likelihood=likelihoods.Chain(likelihoods.Bernoulli(linear(*LIKELIHOOD))),
        posterior=posteriors.Chain(first, (second,)),
    )


def uncertain(words, noise) -> LatentVariableModel:
    parameters = (jnp.asarray([v]) for v in (0.3, 0.5, -0.4))
    return LatentVariableModel(
        prior=priors.StandardNormal(1),
        likelihood=likelihoods.Bernoulli(linear(*LIKELIHOOD)),
        posterior=Uncertain(*parameters, noise[:, :1], noise[:, 1:], words),
    )


def log_normal(z, loc, log_scale):
    return -0.5 * ((z - loc) / jnp.exp(log_scale)) ** 2 - log_scale - 0.5 * jnp.log(2 * jnp.pi)


def log_bernoulli(network, z):
    m = z[..., None] * network.weight[0] + network.bias
    return (X * m - jnp.logaddexp(0.0, m)).sum(axis=-1)


def affine(network, z):
    """Location and log scale."""
    return z * network.weight[0, 0] + network.bias[0], z * network.weight[0, 1] + network.bias[1]


def log_w_of_two_layers(model, noise, beta):
    q1, q2, below = model.posterior.first, model.posterior.conditionals[0].network, model.prior.conditionals[0].network
    z1 = q1.loc + jnp.exp(q1.log_scale) * noise[..., 0]
    loc, log_scale = affine(q2, z1)
    z2 = loc + jnp.exp(log_scale) * noise[..., 1]
    log_p = log_normal(z2, 0.0, 0.0) + log_normal(z1, *affine(below, z2))
    log_q = log_normal(z1, q1.loc, q1.log_scale) + log_normal(z2, loc, log_scale)
    return log_bernoulli(model.likelihood.likelihood.network, z1) + beta * (log_p - log_q)


def log_w_of_uncertain(model, noise, beta):
    q = model.posterior
    loc = q.loc + q.spread * noise[..., 0]
    z = loc + jnp.exp(q.log_scale) * noise[..., 1]
    log_ratio = log_normal(z, 0.0, 0.0) - log_normal(z, loc, q.log_scale)
    return log_bernoulli(model.likelihood.network, z) + beta * log_ratio


MODELS = {
    "two layers": (two_layers, log_w_of_two_layers, posteriors.Chain(KeyReader(), (KeyReader(),))),
    "uncertain weights": (uncertain, log_w_of_uncertain, KeyReader()),
}


def pairs_of_draws(points: int = 28, width: float = 7.0) -> tuple[np.ndarray, np.ndarray]:
    """Noise [n, 2 draws, 2] and weights [n]: unordered pairs of draws, but for those of weights below 1e-15."""
    nodes = np.linspace(-width, width, points)
    density = np.exp(-0.5 * nodes**2) / np.sqrt(2 * np.pi) * (nodes[1] - nodes[0])
    one = np.array(list(itertools.product(nodes, repeat=2)))
    weight = np.outer(density, density).ravel()
    i, j = np.triu_indices(len(one))
    weights = weight[i] * weight[j] * np.where(i == j, 1, 2)
    kept = weights > 1e-15
    return np.stack([one[i], one[j]], axis=1)[kept], weights[kept]


@partial(jax.jit, static_argnums=0)
def expected_gradient(name: str, which, words, nodes, weights, beta):
    make, x = MODELS[name][0], Datum(values=jnp.asarray(X)[None])
    estimator = any_of(list(ESTIMATORS.values()))

    def at(noise):
        def value(model):
            how = {"k": 2, "estimator": estimator, "beta": beta, "control": which}
            return gradients.surrogate(model, jax.random.key(KEY), x, **how).value[0]

        return eqx.filter_grad(value)(make(words, noise))

    return jax.tree.map(lambda each: jnp.tensordot(weights, each, axes=1), jax.vmap(at)(nodes))


@partial(jax.jit, static_argnums=0)
def exact_gradient(name: str, model, nodes, weights, beta):
    def expected(model):
        log_w = MODELS[name][1](model, nodes, beta)
        return weights @ (jax.nn.logsumexp(log_w, axis=-1) - jnp.log(2))

    return eqx.filter_grad(expected)(model)


def flat(gradient) -> np.ndarray:
    """In one vector, but for the tables of noise, which are no parameters."""
    named = [(jax.tree_util.keystr(path), leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(gradient)]
    return np.concatenate([np.ravel(leaf) for name, leaf in named if not name.endswith(("noise", "of_weight"))])


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", MODELS)
def test_every_estimator_is_exact_but_sticking_the_landing(name: str):
    make, _, reader = MODELS[name]
    nodes, weights = (jnp.asarray(each) for each in pairs_of_draws())
    nothing = jnp.zeros((2, 2), jnp.uint32)
    blank = ((nothing, nothing),) * 2 if name == "two layers" else (nothing, nothing)
    x = Datum(values=jnp.asarray(X)[None])
    words = keys_of_parts(make(blank, jnp.zeros((2, 2))), jax.random.key(KEY), x, k=2, reader=reader)
    model = make(words, jnp.zeros((2, 2)))
    for beta in (1.0, 0.4):
        exact = flat(exact_gradient(name, model, nodes, weights, beta))
        for number, estimator in enumerate(ESTIMATORS):
            found = flat(expected_gradient(name, number, words, nodes, weights, beta))
            error = np.abs(found - exact).max()
            assert (error > 1e-2) if estimator == "sticking_the_landing" else (error < 1e-8), (estimator, beta, error)
