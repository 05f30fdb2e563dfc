"""Sequences of several lengths: a linear-Gaussian state space, whose p(x) is a normal density, and its padding.

Padding is not a missing value: beyond its length a sequence has no data, and whatever is computed is the same to the
bit for any padding. Noise is keyed by the time step, and sums are taken in order, by `jax.lax.scan`.
"""

from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.stats import norm
from scipy.stats import multivariate_normal

from iwax import Datum, bounds, evaluation, gradients, inference, parts, samplers
from iwax.model import LatentVariableModel, Terms

KEY = jax.random.key(2)
FEATURES, LENGTHS = 2, np.array([5, 3, 1])
LENGTH = {"length": jax.ShapeDtypeStruct((), jnp.int32)}
PARAMETERS = {
    "slope": 0.8,
    "scale": 0.7,
    "loading": np.array([1.0, -0.5]),
    "noise": 0.6,
    "gain": np.array([0.5, -0.2]),
    "guessed_slope": 0.4,
    "guessed_scale": 0.6,
}


class Markov(parts.Distribution):
    """z_t ~ N(slope z_{t-1} + gain u_t, scale^2), t = 1, ..., length, from z_0 = 0; 0 beyond. z is [steps]."""

    slope: jax.Array
    scale: jax.Array
    gain: jax.Array  # [inputs]
    inputs: jax.Array  # u [steps, inputs]
    length: jax.Array

    @property
    def mean(self):
        return self._draw(None)

    def draw(self, key):
        return self._draw(key), None

    def _draw(self, key):
        def step(before, at):
            t, u = at
            noise = 0.0 if key is None else jax.random.normal(jax.random.fold_in(key, t))
            z = self.slope * before + jnp.sum(self.gain * u) + self.scale * noise
            z = jnp.where(t < self.length, z, 0.0)
            return z, z

        return jax.lax.scan(step, jnp.zeros(()), (jnp.arange(len(self.inputs)), self.inputs))[1]

    def log_prob(self, value, trace=None, where=None):
        def step(carry, at):
            (before, total), (t, u, z) = carry, at
            log_prob = norm.logpdf(z, self.slope * before + jnp.sum(self.gain * u), self.scale)
            return (z, total + jnp.where(t < self.length, log_prob, 0.0)), None

        steps = jnp.arange(len(self.inputs)), self.inputs, value
        return jax.lax.scan(step, (jnp.zeros(()), jnp.zeros(())), steps)[0][1]


class Seen(parts.Distribution):
    """x_t ~ N(loading z_t, noise^2), t = 1, ..., length; 0 beyond. x is [steps, features]."""

    reparameterized = True

    loading: jax.Array
    noise: jax.Array
    z: jax.Array
    length: jax.Array

    @property
    def mean(self):
        there = (jnp.arange(len(self.z)) < self.length)[:, None]
        return jnp.where(there, self.z[:, None] * self.loading, 0.0)

    def draw(self, key):
        keys = jax.vmap(lambda t: jax.random.fold_in(key, t))(jnp.arange(len(self.z)))
        noise = jax.vmap(lambda key: jax.random.normal(key, self.loading.shape))(keys)
        there = (jnp.arange(len(self.z)) < self.length)[:, None]
        return self.mean + jnp.where(there, self.noise * noise, 0.0), None

    def log_prob(self, value, trace=None, where=None):
        seen = jnp.ones(value.shape, bool) if where is None else where

        def step(total, at):
            t, z, x, seen = at
            log_prob = jnp.sum(norm.logpdf(x, self.loading * z, self.noise), where=seen)
            return total + jnp.where(t < self.length, log_prob, 0.0), None

        return jax.lax.scan(step, jnp.zeros(()), (jnp.arange(len(self.z)), self.z, value, seen))[0]


class Walk(parts.Prior):
    slope: jax.Array
    scale: jax.Array
    steps: int = eqx.field(static=True)

    @property
    def needs(self):
        return LENGTH

    def __call__(self, given=None, *, key):
        return Markov(self.slope, self.scale, jnp.zeros(1), jnp.zeros((self.steps, 1)), given["length"])


class Sensor(parts.Likelihood):
    loading: jax.Array
    noise: jax.Array

    @property
    def needs(self):
        return LENGTH

    def __call__(self, z, given=None, *, key):
        return Seen(self.loading, self.noise, z, given["length"])


class Forward(parts.Posterior):
    """q(z_t|z_{t-1}, x_t), which does not look ahead: not the exact one."""

    slope: jax.Array
    scale: jax.Array
    gain: jax.Array

    @property
    def needs(self):
        return LENGTH

    def __call__(self, context, *, key):
        return Markov(self.slope, self.scale, self.gain, context.values, context.given["length"])


@dataclass(frozen=True)
class Bootstrap(samplers.Sequential):
    """A particle filter that moves by p(z_t|z_{t-1}), gives weights p(x_t|z_t), and resamples at every step."""

    particles: int = 8

    def terms(self, model, key, x, *, k, first=0):
        walk, sensor = model.prior, model.likelihood

        def one(row, values, length):
            def step(z, at):
                t, seen = at
                moving, choosing = jax.random.split(jax.random.fold_in(jax.random.fold_in(key, row), t))
                z = walk.slope * z + walk.scale * jax.random.normal(moving, (k,))
                log_w = norm.logpdf(seen, z[:, None] * sensor.loading, sensor.noise).sum(axis=1)
                log_w = jnp.where(t < length, log_w, 0.0)
                return z[jax.random.categorical(choosing, log_w, shape=(k,))], log_w

            return jax.lax.scan(step, jnp.zeros(k), (jnp.arange(len(values)), values))[1]

        rows = jnp.arange(len(x)) if x.index is None else x.index
        log_w = jnp.moveaxis(jax.vmap(one)(rows, x.values, x.given["length"]), 0, -1)
        return Terms(jnp.zeros_like(log_w), log_w, jnp.zeros_like(log_w))

    def estimates(self, model, key, x, *, k, first=0):
        """Of k filters with as many particles each."""

        def one(i):
            terms = self.terms(model, jax.random.fold_in(key, i), x, k=self.particles)
            return self.close(bounds.iwae, terms, None)

        return jax.vmap(one)(first + jnp.arange(k))


def model(p, steps: int) -> LatentVariableModel:
    return LatentVariableModel(
        Walk(p["slope"], p["scale"], steps),
        Sensor(p["loading"], p["noise"]),
        Forward(p["guessed_slope"], p["guessed_scale"], p["gain"]),
    )


def parameters():
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), PARAMETERS)


def sequences(steps: int, padding: float = 0.0) -> Datum:
    x = np.random.default_rng(6).normal(size=(len(LENGTHS), 5, FEATURES))
    x = np.concatenate([x, np.full((len(LENGTHS), steps - 5, FEATURES), padding)], axis=1)
    there = np.arange(steps) < LENGTHS[:, None]
    return Datum.of(np.where(there[:, :, None], x, padding).astype(np.float32), given={"length": LENGTHS})


def log_evidence(x: Datum) -> np.ndarray:
    """log p(x_1, ..., x_length): a normal density."""
    p, found = PARAMETERS, []
    for values, length in zip(np.asarray(x.values, float), LENGTHS, strict=True):
        lag = np.subtract.outer(np.arange(length), np.arange(length))
        moves = np.where(lag >= 0, p["slope"] ** np.maximum(lag, 0), 0.0) * p["scale"]
        covariance = np.kron(moves @ moves.T, np.outer(p["loading"], p["loading"]))
        covariance += p["noise"] ** 2 * np.eye(length * FEATURES)
        found.append(multivariate_normal.logpdf(values[:length].ravel(), cov=covariance))
    return np.array(found)


@pytest.mark.parametrize(
    "sampler",
    [pytest.param(samplers.independent, marks=pytest.mark.slow), Bootstrap()],
    ids=["independent draws", "a filter"],
)
def test_the_estimates_of_p_are_unbiased_and_their_bounds_below_it(sampler):
    x, replicates = sequences(5), 3000

    @jax.jit
    @jax.vmap
    def run(key):
        of = model(parameters(), 5)
        terms = sampler.terms(of, key, x, k=8)
        return [sampler.close(bound, terms, key) for bound in (bounds.iwae, bounds.elbo)]

    iwae, elbo = (np.asarray(each, float) for each in run(jax.random.split(KEY, replicates)))
    ratio, exact = np.exp(iwae - log_evidence(x)), log_evidence(x)
    assert (np.abs(ratio.mean(axis=0) - 1) < 4.5 * ratio.std(axis=0) / np.sqrt(replicates)).all()
    for lower in (iwae, elbo):
        assert (lower.mean(axis=0) < exact + 4 * lower.std(axis=0) / np.sqrt(replicates)).all()
    assert (elbo.mean(axis=0) < iwae.mean(axis=0)).all()


@pytest.mark.parametrize(
    "sampler",
    [samplers.independent, pytest.param(Bootstrap(), marks=pytest.mark.slow)],
    ids=["independent draws", "a filter"],
)
def test_with_many_draws_the_evidence_is_that_of_the_normal_density(sampler):
    x = sequences(5)
    found = evaluation.log_evidence(model(parameters(), 5), x, k=2000, key=KEY, sampler=sampler)
    assert (np.abs(found.log_evidence - log_evidence(x)) < 4 * found.monte_carlo_error).all()
    assert (found.monte_carlo_error < 0.05).all()


def test_padding_changes_no_bit():
    """Of the bound, its gradient and the draws, by independent draws and by a filter, whatever the padding holds."""

    def of(steps: int, padding: float):
        x = sequences(steps, padding)

        @jax.jit
        def run(p):
            found = []
            for sampler in (samplers.independent, Bootstrap()):
                objective = gradients.Objective(gradients.pathwise(bounds.iwae), k=3, sampler=sampler)

                def total(p, objective=objective):
                    surrogate = objective(model(p, steps), KEY, x)
                    return surrogate.value.sum(), surrogate.bound

                found.append(jax.grad(total, has_aux=True)(p))
            return found

        drawn = inference.generate(model(parameters(), steps), 3, key=KEY, given={"length": LENGTHS})
        means = inference.embed(model(parameters(), steps), x, key=KEY)
        cut = [np.asarray(each)[:, :5] for each in (*drawn, means)]
        beyond = [np.asarray(each)[:, 5:] for each in (*drawn, means)]
        return run(parameters()), cut, beyond

    shortest, (result, cut, beyond) = of(5, 0.0), of(8, 7.0)
    for one, other in zip(jax.tree.leaves((result, cut)), jax.tree.leaves(shortest[:2]), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not any(each.any() for each in beyond)
    slope = shortest[0][0][0]
    assert all(np.any(each != 0) for each in jax.tree.leaves(slope))
