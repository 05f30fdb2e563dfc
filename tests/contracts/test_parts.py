"""Every prior, likelihood and posterior through the same checks; and no array of a model stored twice."""

from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from oracles.parts import ENCODERS, FEATURES, LATENT, POSTERIORS, PRIORS, X, network, stored_twice

from iwax import likelihoods, posteriors, priors
from iwax.nn import MLP, PixelCNN
from iwax.storage.tensors import decode, encode


def stochastic(inputs: int, outputs: int, seed: int, heads: int = 1) -> MLP:
    """A network with stochastic weights: another function for every key."""
    return MLP(inputs, (4,), outputs, key=jax.random.key(seed), heads=heads, sigma=0.3)


LIKELIHOODS: dict[str, Callable] = {
    "bernoulli": lambda: likelihoods.Bernoulli(network(LATENT, FEATURES, 3)),
    "bernoulli, stochastic": lambda: likelihoods.Bernoulli(stochastic(LATENT, FEATURES, 9)),
    "gaussian, fixed": lambda: likelihoods.Gaussian.fixed(network(LATENT, FEATURES, 4), 0.7),
    "gaussian, fixed a feature": lambda: likelihoods.Gaussian.fixed(
        network(LATENT, FEATURES, 4), jnp.arange(1.0, 1.0 + FEATURES)
    ),
    "gaussian, scalar": lambda: likelihoods.Gaussian.scalar(network(LATENT, FEATURES, 5), 0.7),
    "gaussian, a feature": lambda: likelihoods.Gaussian.feature(network(LATENT, FEATURES, 6), FEATURES, 0.7),
    "gaussian, of network": lambda: likelihoods.Gaussian.of_network(network(LATENT, 2 * FEATURES, 7, heads=2)),
    "chain": lambda: likelihoods.Chain(likelihoods.Bernoulli(network(LATENT, FEATURES, 8))),
    "continuous bernoulli": lambda: likelihoods.ContinuousBernoulli(network(LATENT, FEATURES, 20)),
    "discretized logistic": lambda: likelihoods.DiscretizedLogistic.feature(network(LATENT, FEATURES, 21), FEATURES),
    "mixed logistics": lambda: likelihoods.DiscretizedLogisticMixture(network(LATENT, 9 * FEATURES, 22), 3, bins=16),
    "categorical": lambda: likelihoods.Categorical(network(LATENT, 4 * FEATURES, 23), classes=4),
    "student t": lambda: likelihoods.StudentT.scalar(network(LATENT, FEATURES, 24)),
    "student t, of network": lambda: likelihoods.StudentT.of_network(network(LATENT, 3 * FEATURES, 25)),
    "log normal": lambda: likelihoods.LogNormal.scalar(network(LATENT, FEATURES, 26)),
    "poisson": lambda: likelihoods.Poisson(network(LATENT, FEATURES, 27)),
    "negative binomial": lambda: likelihoods.NegativeBinomial.scalar(network(LATENT, FEATURES, 28), 2.0),
    "zero-inflated poisson": lambda: likelihoods.ZeroInflatedPoisson(network(LATENT, 2 * FEATURES, 29)),
    "zero-inflated negative binomial": lambda: likelihoods.ZeroInflatedNegativeBinomial.of_network(
        network(LATENT, 3 * FEATURES, 30)
    ),
    "zero-inflated log normal": lambda: likelihoods.ZeroInflatedLogNormal.of_network(
        network(LATENT, 3 * FEATURES, 35), floor=1e-3
    ),
    "integer logistic": lambda: likelihoods.IntegerLogistic(
        network(LATENT, 2 * FEATURES, 36, heads=2), centre=jnp.arange(5.0), unit=3.0, lower=0, floor=1e-3
    ),
    "gaussian, with a floor": lambda: likelihoods.Gaussian.of_network(
        network(LATENT, 2 * FEATURES, 37, heads=2), floor=0.3
    ),
    "autoregressive": lambda: likelihoods.Autoregressive(
        MLP(LATENT, (2 * FEATURES,), None, activation="gated", key=jax.random.key(32)),
        PixelCNN((1, FEATURES), channels=4, layers=1, map_channels=2, key=jax.random.key(33)),
    ),
    "gaussian, in other units": lambda: likelihoods.Scaled(
        likelihoods.Gaussian.scalar(network(LATENT, FEATURES, 34), 0.7), jnp.arange(float(FEATURES)), jnp.full(5, 3.0)
    ),
    "columns": lambda: likelihoods.Columns.of_kinds(network(LATENT, 10, 31), COLUMNS),
}
COLUMNS = ("gaussian", "bernoulli", ("categorical", 3), "gaussian", "lognormal")
LATENTS = (jnp.array([0.3, -1.0]), jnp.array([0.7, 0.1]), jnp.array([-0.2, 1.3]))


class Case(NamedTuple):
    """A part, what it is prepared with (None: nothing), and a context that it takes."""

    make: Callable
    encoder: Callable | None
    context: object


CASES = {f"prior {name}": Case(make, ENCODERS.get(name), None) for name, make in PRIORS.items()}
CASES |= {
    f"likelihood {name}": Case(make, None, LATENTS if name == "chain" else LATENTS[0])
    for name, make in LIKELIHOODS.items()
}
CASES |= {f"posterior {name}": Case(make, None, X) for name, make in POSTERIORS.items()}
CASES["posterior gaussian, stochastic"] = Case(
    lambda: posteriors.Gaussian(stochastic(FEATURES, 2 * LATENT, 10, heads=2)), None, X
)
QUICK = (
    "mixture",
    "planar",
    "ladder",
    "vamp",
    "gaussian",
    "chain",
    "bernoulli",
)  # a few kinds


LIKE_OTHERS = (
    *("gaussian, fixed a feature", "gaussian, a feature", "student t, of network", "discretized logistic"),
    *("poisson", "negative binomial", "zero-inflated negative binomial", "student t", "log normal", "mixed logistics"),
    *("autoregressive", "gaussian, with a floor"),
)


def slowly(name: str):
    """Other posteriors and priors, and likelihoods that are like others, are compiled where the long tests are run."""
    kind, part = name.split(" ", 1)
    long = part in LIKE_OTHERS if kind == "likelihood" else part not in QUICK
    return pytest.param(name, marks=pytest.mark.slow) if long else name


every_part = pytest.mark.parametrize("name", list(map(slowly, CASES)))

DRAWS, WIDTH, SIDE, CELLS = 10_000, 10.0, 500, 50  # a grid of SIDE^2 nodes on [-WIDTH, WIDTH]^2, in CELLS^2 cells
RARE = 2e-5  # how often a right program may fail
# discrete, in more dimensions, without a density, or with another one for every key
ELSEWHERE = ("bernoulli", "chain", "hamiltonian", "stochastic")
ON_THE_PLANE = [name for name in CASES if not name.startswith("likelihood") and not name.endswith(ELSEWHERE)]


@cache
def made(name: str) -> tuple:
    """The part and what it is prepared with, away from where a flow starts, which is near the identity for many."""
    case, rng = CASES[name], np.random.default_rng(5)
    parts = case.make(), None if case.encoder is None else case.encoder()
    return jax.tree.map(lambda leaf: 0.6 * leaf + jnp.asarray(0.25 * rng.normal(size=leaf.shape), leaf.dtype), parts)


@cache
def nodes() -> np.ndarray:
    """Of the grid, as many for each draw: [DRAWS, ..., 2]."""
    side = (np.arange(SIDE, dtype=np.float32) + 0.5) / SIDE * 2 * WIDTH - WIDTH
    return np.stack(np.meshgrid(side, side, indexing="ij"), axis=-1).reshape(DRAWS, -1, 2)


def bound(part, encoder):
    return part.bind(SimpleNamespace(posterior=encoder), key=jax.random.key(0))


def log_density(distribution, value, seed):
    """At the value, held constant; of a draw, where there is no density at a given value."""
    if distribution.has_density:
        return distribution.log_prob(jax.lax.stop_gradient(value))
    return distribution.sample_and_log_prob(jax.random.key(seed + 1))[1]


class Found(NamedTuple):
    """What seeds give in one vectorised call, the first of them once more alone, and log-densities' slopes.

    ``outside``: log-densities after the call, first at the value, then at the nodes of the grid, [seeds, ...].
    """

    values: object
    inside: jax.Array
    outside: jax.Array
    alone: tuple
    slopes: object


@jax.jit
def evaluate(parts, context, seeds, points) -> Found:
    """In one compiled function, for that is what takes the time."""

    def one(seed):
        distribution = bound(*parts)(context, key=jax.random.key(seed))
        return distribution, *distribution.sample_and_log_prob(jax.random.key(seed + 1))

    def at_first(parts):
        distribution = bound(*parts)(context, key=jax.random.key(seeds[0]))
        value, log_prob = distribution.sample_and_log_prob(jax.random.key(seeds[0] + 1))
        return log_density(distribution, value, seeds[0]), (value, log_prob)

    def at_points(distribution, value, seed, points):
        layers, structure = jax.tree.flatten(value)
        if points is None:
            return log_density(distribution, value, seed)[None]
        every = jnp.concatenate([jnp.concatenate(layers)[None], points])
        split = structure.unflatten(jnp.split(every, len(layers), axis=-1))
        return jax.vmap(lambda value: log_density(distribution, value, seed))(split)

    returned, values, inside = jax.vmap(one)(seeds)
    outside = jax.vmap(at_points)(returned, values, seeds, points)
    slopes, alone = jax.grad(at_first, has_aux=True)(parts)
    return Found(values, inside, outside, alone, slopes)


@cache
def found(name: str) -> Found:
    plane = name in ON_THE_PLANE
    seeds = 5 + jnp.arange(DRAWS if plane else 3)
    return evaluate(made(name), CASES[name].context, seeds, nodes() if plane else None)


def close(a, b) -> None:
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-5), a, b)


@every_part
def test_a_fixed_function_of_context_and_key(name: str):
    values = found(name).values
    close(found(name).alone, jax.tree.map(lambda leaf: leaf[0], (values, found(name).inside)))
    if all((leaf == jnp.round(leaf)).all() for leaf in jax.tree.leaves(values)):
        return  # two draws of few whole numbers may well be equal
    assert all(not np.array_equal(leaf[i], leaf[j]) for leaf in jax.tree.leaves(values) for i, j in [(0, 1), (1, 2)])


@every_part
def test_returns_from_vmap_and_jit(name: str):
    inside, outside = found(name).inside, found(name).outside[:, 0]
    np.testing.assert_allclose(outside[:3], inside[:3], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(outside, inside, rtol=1e-4, atol=1e-4)
    assert inside.shape == outside.shape
    assert inside.dtype == jnp.float32


@pytest.mark.parametrize("name", list(map(slowly, ON_THE_PLANE)))
def test_draws_follow_a_density_that_integrates_to_one(name: str):
    values, _, outside, *_ = found(name)
    density = np.exp(np.asarray(outside[:, 1:], np.float64)).reshape((CELLS, SIDE // CELLS) * 2)
    probability = density.sum(axis=(1, 3)) * (2 * WIDTH / SIDE) ** 2
    assert probability.sum() == pytest.approx(1, abs=1e-3)
    drawn = np.concatenate(jax.tree.leaves(values), axis=-1)
    counts, _, _ = np.histogram2d(*drawn.T, bins=CELLS, range=[[-WIDTH, WIDTH]] * 2)
    assert goodness_of_fit(counts, DRAWS * probability) > RARE


def goodness_of_fit(counts: np.ndarray, expected: np.ndarray) -> float:
    """The p-value of Pearson's test; cells of few expected draws, and what fell outside, are one."""
    frequent = expected > 8
    counts = np.append(counts[frequent], DRAWS - counts[frequent].sum())
    expected = np.append(expected[frequent], DRAWS - expected[frequent].sum())
    return scipy.stats.chisquare(counts, expected).pvalue


@every_part
def test_every_parameter_matters_but_a_fixed_scale_units_and_exemplars(name: str):
    part, _ = made(name)
    for path, leaf in jax.tree_util.tree_leaves_with_path(found(name).slopes):
        where = jax.tree_util.keystr(path)
        fixed = "fixed" in name and "log_scale" in where
        fixed |= "encoding" in where or (type(part).__name__ == "Scaled" and where in ("[0].loc", "[0].scale"))
        fixed |= where in ("[0].family.centre", "[0].family.unit")
        fixed |= where.endswith("exemplars") or where.startswith("[1].conditionals")  # of an encoder: its top is used
        assert np.isfinite(leaf).all()
        assert bool((leaf != 0).any()) != fixed, where
        if name.startswith("posterior") and where.endswith(".bias") and "layers" not in where:
            assert (leaf != 0).all(), where  # of a linear head, which gives what a map needs: every number of it


@every_part
def test_can_be_built_without_values(name: str):
    """And be read into, bit for bit, from what was kept; nothing is kept twice."""
    part, _ = made(name)
    network.cache_clear()  # what is built while shapes are evaluated must not be kept
    shapes = eqx.filter_eval_shape(CASES[name].make)
    network.cache_clear()
    assert jax.tree.map(jnp.shape, shapes) == jax.tree.map(jnp.shape, part)
    assert eqx.tree_equal(part, decode(encode(part), shapes, file="part.safetensors"))
    assert stored_twice(part) == []


@every_part
def test_no_other_dtype_creeps_in(name: str):
    parts = made(name)
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(eqx.filter(parts, eqx.is_array)))
    with jax.enable_x64(True):
        wide = jax.tree.map(lambda leaf: leaf.astype(jnp.float64) if eqx.is_inexact_array(leaf) else leaf, parts)
        where = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), CASES[name].context)
        drawn = jax.eval_shape(lambda key: bound(*wide)(where, key=key).sample_and_log_prob(key), jax.random.key(0))
    assert all(leaf.dtype == jnp.float64 for leaf in jax.tree.leaves(drawn))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: priors.StandardNormal(0), "at least 1 dimension, got 0"),
        (lambda: likelihoods.Gaussian.fixed(None, 0.0), "must be positive, got 0.0"),
        (lambda: likelihoods.Gaussian.fixed(None, jnp.array([1.0, -1.0])), "must be positive"),
        (lambda: likelihoods.Gaussian.scalar(None, float("nan")), "must be positive, got nan"),
        (
            lambda: likelihoods.Gaussian.fixed(network(2, 5, 0), jnp.ones(4))(LATENTS[0], key=jax.random.key(0)),
            r"one scale, or one per feature; got scales of shape \(4,\)",
        ),
        (
            lambda: likelihoods.Gaussian.of_network(network(2, 5, 0))(LATENTS[0], key=jax.random.key(0)),
            "a multiple of 2 is needed, got 5",
        ),
        (
            lambda: posteriors.Gaussian(network(5, 3, 0))(X, key=jax.random.key(0)),
            "even number of outputs is needed, got 3",
        ),
    ],
)
def test_what_cannot_be_is_refused(wrong, message: str):
    with pytest.raises(ValueError, match=message):
        wrong()
