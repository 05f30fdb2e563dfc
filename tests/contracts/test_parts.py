"""Every prior, likelihood and posterior through the same checks; and no array of a model stored twice."""

from collections.abc import Callable
from functools import cache
from itertools import combinations
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from parts import ENCODERS, FEATURES, LATENT, POSTERIORS, PRIORS, X, network

from iwax import batched, likelihoods, posteriors, priors
from iwax._typing import Datum
from iwax.model import LatentVariableModel
from iwax.nn import GatedLinear, PixelCNN
from iwax.training.tensors import decode, encode

LIKELIHOODS: dict[str, Callable] = {
    "bernoulli": lambda: likelihoods.Bernoulli(network(LATENT, FEATURES, 3)),
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
    "autoregressive": lambda: likelihoods.Autoregressive(
        GatedLinear(LATENT, 2 * FEATURES, key=jax.random.key(32)),
        PixelCNN((1, FEATURES), channels=4, layers=1, map_channels=2, key=jax.random.key(33)),
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
every_part = pytest.mark.parametrize("name", CASES)


@cache
def made(name: str) -> tuple:
    """The part and what it is prepared with."""
    case = CASES[name]
    return case.make(), None if case.encoder is None else case.encoder()


def prepared(part, encoder):
    return part.prepare(encoder, key=jax.random.key(0)) if hasattr(part, "prepare") else part


def log_density(distribution, value, seed):
    """At the value, held constant; of a draw, where there is no density at a given value."""
    if getattr(distribution, "has_density", True):
        return distribution.log_prob(jax.lax.stop_gradient(value))
    return distribution.sample_and_log_prob(jax.random.key(seed + 1))[1]


class Found(NamedTuple):
    """What three seeds give in one vectorised call, the first of them once more alone, and log-densities' slopes."""

    values: object
    inside: jax.Array
    outside: jax.Array
    alone: tuple
    slopes: object


@jax.jit
def evaluate(parts, context, seeds) -> Found:
    """In one compiled function, for that is what takes the time."""

    def one(seed):
        distribution = prepared(*parts)(context, key=jax.random.key(seed))
        return distribution, *distribution.sample_and_log_prob(jax.random.key(seed + 1))

    def at_first(parts):
        distribution = prepared(*parts)(context, key=jax.random.key(seeds[0]))
        value, log_prob = distribution.sample_and_log_prob(jax.random.key(seeds[0] + 1))
        return log_density(distribution, value, seeds[0]), (value, log_prob)

    returned, values, inside = jax.vmap(one)(seeds)
    outside = jax.vmap(log_density)(returned, values, seeds)
    slopes, alone = jax.grad(at_first, has_aux=True)(parts)
    return Found(values, inside, outside, alone, slopes)


@cache
def found(name: str) -> Found:
    return evaluate(made(name), CASES[name].context, jnp.array([5, 6, 7]))


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
    inside, outside = found(name).inside, found(name).outside
    np.testing.assert_allclose(outside, inside, rtol=1e-5, atol=1e-5)
    assert inside.shape == (3,)
    assert inside.dtype == jnp.float32


@every_part
def test_every_parameter_matters_but_a_fixed_scale_and_exemplars(name: str):
    part, _ = made(name)
    for path, leaf in jax.tree_util.tree_leaves_with_path(found(name).slopes):
        where = jax.tree_util.keystr(path)
        fixed = getattr(part, "variance", "") == "fixed" and "log_scale" in where
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
        drawn = jax.eval_shape(lambda key: prepared(*wide)(where, key=key).sample_and_log_prob(key), jax.random.key(0))
    assert all(leaf.dtype == jnp.float64 for leaf in jax.tree.leaves(drawn))


def stored_twice(tree) -> list[tuple[str, str]]:
    """Paths of arrays that are one object, or that hold the same numbers and not one number throughout."""
    leaves = [
        (jax.tree_util.keystr(path), leaf)
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
        if eqx.is_array(leaf)
    ]
    return [
        (name, other)
        for (name, a), (other, b) in combinations(leaves, 2)
        if a is b or (a.shape == b.shape and a.size > 1 and np.ptp(a) > 0 and np.array_equal(a, b))
    ]


MODELS = {
    "one layer": lambda: LatentVariableModel(
        PRIORS["standard normal"](), LIKELIHOODS["bernoulli"](), POSTERIORS["gaussian"]()
    ),
    "three layers": lambda: LatentVariableModel(PRIORS["chain"](), LIKELIHOODS["chain"](), POSTERIORS["chain"]()),
}


@pytest.mark.parametrize("name", MODELS)
def test_no_array_is_stored_twice(name: str):
    assert stored_twice(MODELS[name]()) == []


def test_an_array_stored_twice_is_found():
    model = MODELS["one layer"]()
    assert stored_twice(eqx.tree_at(lambda m: m.prior, model, model.posterior))
    copied = jax.tree.map(lambda leaf: leaf + 0 if eqx.is_array(leaf) else leaf, model.posterior)
    assert stored_twice(eqx.tree_at(lambda m: m.prior, model, copied))


@pytest.mark.parametrize("name", MODELS)
def test_a_prepared_prior_is_a_part_that_shares_the_priors_arrays(name: str):
    model = MODELS[name]()
    ready = model.prior.prepare(model.posterior, key=jax.random.key(0))
    before, after = (jax.tree.leaves(eqx.filter(tree, eqx.is_array)) for tree in (model.prior, ready))
    assert [id(leaf) for leaf in before] == [id(leaf) for leaf in after]


@pytest.mark.parametrize("name", MODELS)
def test_the_terms_of_log_w_are_the_densities_of_the_parts(name: str):
    """Written out for one datum and one draw, with the keys found by drawing again."""
    model, key = MODELS[name](), jax.random.key(8)
    draw = model.propose(X, key)
    terms = model.terms(model.prior.prepare(model.posterior, key=key), X, draw.keys, draw.z, jnp.float32(0.5))
    z = draw.z
    logits = model.likelihood(z, key=key).logits
    p = 1 / (1 + np.exp(-np.asarray(logits, np.float64)))
    x = np.asarray(X.values)
    np.testing.assert_allclose(terms.log_likelihood, np.log(np.where(x == 1, p, 1 - p)).sum(), rtol=1e-5)
    np.testing.assert_allclose(terms.log_prior, model.prior(None, key=key).log_prob(z), rtol=1e-6)
    assert float(terms.log_w(1.0)) == pytest.approx(float(terms.log_likelihood + terms.log_prior) - 0.5)
    assert float(terms.log_w(0.0)) == float(terms.log_likelihood)


@pytest.mark.parametrize("name", MODELS)
def test_missing_features_do_not_count(name: str):
    """Two rows that differ in a feature, with the noise of one row number, under a posterior that does not look."""
    model = eqx.tree_at(lambda m: m.posterior, MODELS[name](), MODELS[name]().prior)
    values = jnp.stack([X.values] * 2).at[1, 2].set(0.0)
    mask = jnp.array([[True, True, False, True, False]] * 2)

    @jax.jit
    def log_likelihood(observed):
        x = Datum(values=values, observed=observed, index=jnp.zeros(2, jnp.int32))
        return batched.terms(model, jax.random.key(8), x, k=2).log_likelihood.T

    np.testing.assert_array_equal(*log_likelihood(mask))
    assert not np.array_equal(*log_likelihood(jnp.ones_like(mask)))


@pytest.mark.parametrize("name", MODELS)
def test_generated_data_come_from_the_model(name: str):
    model = MODELS[name]()
    z, mean, sample = jax.jit(lambda key: batched.generate(model, key, 4000))(jax.random.key(0))
    assert mean.shape == sample.shape == (4000, FEATURES)
    assert set(np.unique(sample)) == {0.0, 1.0}
    error = np.sqrt(mean * (1 - mean)).mean(axis=0) / np.sqrt(4000)
    assert (np.abs((sample - mean).mean(axis=0)) < 4.5 * error).all()
    assert len(z) == (3 if name == "three layers" else 4000)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: priors.StandardNormal(0), "at least 1 dimension, got 0"),
        (lambda: likelihoods.Gaussian.fixed(None, 0.0), "must be positive, got 0.0"),
        (lambda: likelihoods.Gaussian.fixed(None, jnp.array([1.0, -1.0])), "must be positive"),
        (lambda: likelihoods.Gaussian.scalar(None, float("nan")), "must be positive, got nan"),
        (
            lambda: likelihoods.Gaussian.fixed(network(2, 5, 0), jnp.ones(4))(LATENTS[0], key=jax.random.key(0)),
            r"one scale, or one a feature; got scales of shape \(4,\)",
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
