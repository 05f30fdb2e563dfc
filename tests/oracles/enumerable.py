"""d binary latents: log p(x), the posterior and every expectation over k draws are sums over states or tuples of them.

p(z_j) = Bernoulli(sigmoid(prior_j)), p(x_i|z) = Bernoulli(sigmoid(weight' z + bias)_i) and q(z_j|x) =
Bernoulli(sigmoid(encoder' x + offset)_j). Parameters are a dict of arrays, and everything is a function of them in jax,
so that gradients of the sums are exact.
"""

import itertools
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from iwax import distributions, likelihoods, posteriors, priors
from iwax.model import LatentVariableModel
from oracles.linear_gaussian import linear

Parameters = dict[str, jax.Array]


def random(latent: int, features: int, *, seed: int) -> Parameters:
    """Parameters of a model whose posterior is far from factorised, and from q."""
    rng = np.random.default_rng(seed)
    shapes = {
        "prior": (latent,),
        "weight": (latent, features),
        "bias": (features,),
        "encoder": (features, latent),
        "offset": (latent,),
    }
    return {name: jnp.asarray(rng.normal(scale=1.2, size=shape)) for name, shape in shapes.items()}


def states(latent: int) -> np.ndarray:
    """All states [2^latent, latent], of zeros and ones."""
    return np.array(list(itertools.product((0.0, 1.0), repeat=latent)))


def _bernoulli(value: jax.Array, logits: jax.Array) -> jax.Array:
    """Sum over the last axis of log p(value): the logarithms written out."""
    return (value * jax.nn.log_sigmoid(logits) + (1 - value) * jax.nn.log_sigmoid(-logits)).sum(axis=-1)


@jax.jit
def log_joint(parameters: Parameters, x: np.ndarray, z: np.ndarray, beta: float = 1.0) -> jax.Array:
    """``log p(x|z) + beta log p(z)`` at z [..., latent]."""
    likelihood = _bernoulli(jnp.asarray(x), z @ parameters["weight"] + parameters["bias"])
    return likelihood + beta * _bernoulli(jnp.asarray(z), parameters["prior"])


@jax.jit
def log_q(parameters: Parameters, x: np.ndarray, z: np.ndarray) -> jax.Array:
    """log q(z|x) at z [..., latent]."""
    return _bernoulli(jnp.asarray(z), x @ parameters["encoder"] + parameters["offset"])


@jax.jit
def log_w(parameters: Parameters, x: np.ndarray, z: np.ndarray, beta: float = 1.0) -> jax.Array:
    """``log p(x|z) + beta (log p(z) - log q(z|x))`` at z [..., latent]."""
    return log_joint(parameters, x, z, beta) - beta * log_q(parameters, x, z)


@jax.jit
def log_evidence(parameters: Parameters, x: np.ndarray) -> jax.Array:
    """log p(x), a scalar."""
    return jax.nn.logsumexp(log_joint(parameters, x, states(len(parameters["prior"]))))


@jax.jit
def posterior(parameters: Parameters, x: np.ndarray) -> jax.Array:
    """p(z|x) of every state, [2^latent]."""
    return jax.nn.softmax(log_joint(parameters, x, states(len(parameters["prior"]))))


def tuples(latent: int, k: int) -> np.ndarray:
    """All outcomes of k draws, [2^(latent k), k, latent]."""
    every = states(latent)
    index = np.array(list(itertools.product(range(len(every)), repeat=k)))
    return every[index]


@jax.jit
def probability(parameters: Parameters, x: np.ndarray, outcomes: np.ndarray) -> jax.Array:
    """The probability [n] of each outcome [n, k, latent] of k draws of q(z|x)."""
    return jnp.exp(log_q(parameters, x, outcomes).sum(axis=-1))


def expected(
    bound: Callable[[jax.Array], jax.Array], parameters: Parameters, x: np.ndarray, *, k: int, beta: float = 1.0
) -> jax.Array:
    """E bound(log w_1, ..., log w_k), a scalar; ``bound`` maps [k, outcomes] to [outcomes]."""
    outcomes = tuples(len(parameters["prior"]), k)

    @jax.jit
    def mean(parameters, x, beta):
        return probability(parameters, x, outcomes) @ bound(log_w(parameters, x, outcomes, beta).T)

    return mean(parameters, x, beta)


# -- the same model in iwax ---------------------------------------------------------------------------------------


class KnownPosterior(posteriors.Bernoulli):
    """q(z|x) whose draws are the rows of a table [k, latent] of zeros and ones, found by their keys' words."""

    table: jax.Array
    words: jax.Array  # [k, words a key]

    def __call__(self, context, *, key):
        return KnownBernoulli(super().__call__(context, key=key).logits, self.table, self.words)


class KnownBernoulli(distributions.Bernoulli):
    """Draws row i of ``table``, i the row of ``words`` that is the key (NaN if none)."""

    table: jax.Array
    words: jax.Array

    def draw(self, key):
        found = (self.words == jax.random.key_data(key)).all(axis=-1)
        return jnp.where(found.any(), self.table[jnp.argmax(found)], jnp.nan), None


def model(parameters: Parameters, *, table=None, words=None) -> LatentVariableModel:
    """The model in iwax, in the precision of the parameters; with a table, q's draws are known."""
    prior = eqx.tree_at(lambda prior: prior.logits, priors.Bernoulli(len(parameters["prior"])), parameters["prior"])
    encoder = linear(parameters["encoder"], parameters["offset"])
    return LatentVariableModel(
        prior=prior,
        likelihood=likelihoods.Bernoulli(linear(parameters["weight"], parameters["bias"])),
        posterior=posteriors.Bernoulli(encoder) if table is None else KnownPosterior(encoder, table, words),
    )


def parameters_of(model: LatentVariableModel) -> Parameters:
    """The parameters of a model, or their gradients, by the names of this module."""
    likelihood, encoder = model.likelihood.network, model.posterior.network
    return {
        "prior": model.prior.logits,
        "weight": likelihood.weight,
        "bias": likelihood.bias,
        "encoder": encoder.weight,
        "offset": encoder.bias,
    }
