"""Estimators on two stochastic layers, and on a posterior with stochastic weights, by quadrature: IWAE with k = 2.

Either has two noises per draw, so that the expectation is an integral over four: the trapezoid rule on 28 nodes from -7
to 7 each, float64, pairs of draws that differ by their order taken once. The exact gradient is that of log w written
out. On the ELBO all of it would pass with the weights in the wrong places.
"""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles.any_estimator import ESTIMATORS, any_of, flat, log_bernoulli, log_normal
from oracles.known_noise import KeyReader, KnownNormal, KnownPosterior, keys_of_parts, look_up
from oracles.linear_gaussian import linear
from oracles.quadrature import pairs_of_draws

from iwax import gradients, likelihoods, posteriors, priors
from iwax.model import LatentVariableModel
from iwax.parts import Datum, Posterior

X = np.array([1.0, 0.0])
KEY = 3
LIKELIHOOD = (np.array([[0.9, -0.7]]), np.array([-0.4, 0.2]))


class KnownLayer(Posterior):
    """q(z_2|z_1) = N(loc, scale^2), both of a network of z_1, with known noise."""

    network: eqx.Module
    noise: jax.Array
    words: jax.Array

    def __call__(self, context, *, key):
        loc, log_scale = jnp.split(self.network(context, key=key), 2)
        return KnownNormal(loc, jnp.exp(log_scale), self.noise, self.words)


class Uncertain(Posterior):
    """q(z|x, eta) = N(loc + spread eta, exp(log_scale)^2) with eta ~ N(0, 1) of the part's own key: a random weight."""

    loc: jax.Array
    spread: jax.Array
    log_scale: jax.Array
    of_weight: jax.Array  # eta, [k, 1]
    noise: jax.Array
    words: tuple[jax.Array, jax.Array]

    def __call__(self, context, *, key):
        eta = look_up(key, self.words[0], self.of_weight)
        return KnownNormal(self.loc + self.spread * eta, jnp.exp(self.log_scale), self.noise, self.words[1])


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


def stochastic(words, noise) -> LatentVariableModel:
    parameters = (jnp.asarray([v]) for v in (0.3, 0.5, -0.4))
    return LatentVariableModel(
        prior=priors.StandardNormal(1),
        likelihood=likelihoods.Bernoulli(linear(*LIKELIHOOD)),
        posterior=Uncertain(*parameters, noise[:, :1], noise[:, 1:], words),
    )


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
    return log_bernoulli(X, model.likelihood.likelihood.network, z1[..., None]) + beta * (log_p - log_q)


def log_w_of_stochastic(model, noise, beta):
    q = model.posterior
    loc = q.loc + q.spread * noise[..., 0]
    z = loc + jnp.exp(q.log_scale) * noise[..., 1]
    log_ratio = log_normal(z, 0.0, 0.0) - log_normal(z, loc, q.log_scale)
    return log_bernoulli(X, model.likelihood.network, z[..., None]) + beta * log_ratio


MODELS = {
    "two layers": (two_layers, log_w_of_two_layers, posteriors.Chain(KeyReader(), (KeyReader(),))),
    "stochastic weights": (stochastic, log_w_of_stochastic, KeyReader()),
}


@partial(jax.jit, static_argnums=0)
def expected_gradient(name: str, which, words, nodes, weights, beta):
    make, x = MODELS[name][0], Datum(values=jnp.asarray(X)[None])
    estimator = any_of(list(ESTIMATORS.values()))

    def at(noise):
        def value(model):
            objective = gradients.Objective(estimator, k=2)
            return objective(model, jax.random.key(KEY), x, beta=beta, control=which).value[0]

        return eqx.filter_grad(value)(make(words, noise))

    return jax.tree.map(lambda each: jnp.tensordot(weights, each, axes=1), jax.vmap(at)(nodes))


@partial(jax.jit, static_argnums=0)
def exact_gradient(name: str, model, nodes, weights, beta):
    def expected(model):
        log_w = MODELS[name][1](model, nodes, beta)
        return weights @ (jax.nn.logsumexp(log_w, axis=-1) - jnp.log(2))

    return eqx.filter_grad(expected)(model)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name == "two layers" else name for name in MODELS]
)
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
