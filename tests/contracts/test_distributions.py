"""Every distribution through the same checks: densities, draws, masks, gradients, extremes."""

import itertools
from collections.abc import Callable
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import scipy.stats
from jax.test_util import check_grads
from oracles.linear_gaussian import linear
from oracles.quadrature import log_integral

from iwax import distributions, likelihoods, posteriors

LOC, SCALE, LOGITS = np.array([0.3, -1.2, 2.0]), np.array([0.5, 1.7, 0.1]), np.array([0.4, -2.0, 1.1])
SLOPE, OFFSET = np.array([[0.7, 0.1]]), np.array([0.2, -0.4])


def chain(downwards: bool) -> distributions.Chain:
    """A first layer N(0.3, 0.5^2), a second whose loc and log scale are affine in the first."""
    first = distributions.Normal(jnp.array([0.3]), jnp.array([0.5]))
    head = linear(SLOPE, OFFSET)
    conditional = likelihoods.Gaussian.of_network(head) if downwards else posteriors.Gaussian(head)
    return distributions.Chain(first, (conditional,), (jax.random.key(0),), downwards=downwards)


DISTRIBUTIONS: dict[str, Callable] = {
    "normal": lambda: distributions.Normal(jnp.asarray(LOC), jnp.asarray(SCALE)),
    "bernoulli": lambda: distributions.Bernoulli(jnp.asarray(LOGITS)),
    "chain upwards": partial(chain, downwards=False),
    "chain downwards": partial(chain, downwards=True),
}
every_distribution = pytest.mark.parametrize("name", DISTRIBUTIONS)
of_features = pytest.mark.parametrize("name", ["normal", "bernoulli"])


def layers_of(name: str, value) -> list[tuple[np.ndarray, np.ndarray]]:
    """(drawn first, drawn second) of a chain's value."""
    lower, upper = (np.asarray(z, np.float64) for z in value)
    return (upper, lower) if "downwards" in name else (lower, upper)


def conditional_of(first: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """loc and scale of the second layer of a chain."""
    return first * SLOPE[0, 0] + OFFSET[0], np.exp(first * SLOPE[0, 1] + OFFSET[1])


def reference_log_prob(name: str, value) -> np.ndarray:
    """By SciPy, [...] of a value [..., features]."""
    if name == "normal":
        return scipy.stats.norm.logpdf(value, LOC, SCALE).sum(axis=-1)
    if name == "bernoulli":
        return scipy.stats.bernoulli.logpmf(value, scipy.special.expit(LOGITS)).sum(axis=-1)
    first, second = layers_of(name, value)
    loc, scale = conditional_of(first)
    return (scipy.stats.norm.logpdf(first, 0.3, 0.5) + scipy.stats.norm.logpdf(second, loc, scale)).sum(axis=-1)


def draws(name: str, count: int, seed: int = 1):
    distribution = DISTRIBUTIONS[name]()
    keys = jax.random.split(jax.random.key(seed), count)
    return jax.jit(jax.vmap(lambda key: distribution.draw(key)[0]))(keys)


@every_distribution
@pytest.mark.usefixtures("float64")
def test_log_prob_is_scipys(name: str):
    value = draws(name, 50)
    log_prob = jax.jit(jax.vmap(DISTRIBUTIONS[name]().log_prob))(value)
    np.testing.assert_allclose(log_prob, reference_log_prob(name, value), rtol=1e-10)


@every_distribution
def test_draws_follow_the_density(name: str):
    """Goodness of fit of 10,000 draws, with one false alarm in 50,000 correct programs."""
    value = draws(name, 10_000)
    if name == "bernoulli":
        counts = np.asarray(value).sum(axis=0)
        tests = [
            scipy.stats.binomtest(int(c), 10_000, float(p))
            for c, p in zip(counts, scipy.special.expit(LOGITS), strict=True)
        ]
        columns = []
    elif name == "normal":
        columns = list(scipy.stats.norm.cdf(np.asarray(value, np.float64), LOC, SCALE).T)
    else:
        first, second = layers_of(name, value)
        columns = [
            scipy.stats.norm.cdf(first[:, 0], 0.3, 0.5),
            scipy.stats.norm.cdf(second, *conditional_of(first))[:, 0],
        ]
    if columns:
        tests = [scipy.stats.kstest(column, "uniform") for column in columns]
        between = scipy.stats.spearmanr(np.stack(columns, axis=1)).pvalue
        assert np.min(between) > 2e-5 or np.ndim(between) == 2
    assert min(test.pvalue for test in tests) > 2e-5


@every_distribution
def test_sample_and_log_prob_is_draw_and_log_prob(name: str):
    distribution, key = DISTRIBUTIONS[name](), jax.random.key(3)

    @jax.jit
    def run(key):
        drawn, trace = distribution.draw(key)
        return distribution.sample_and_log_prob(key), drawn, distribution.log_prob(drawn, trace)

    (value, log_prob), drawn, with_trace = run(key)
    jax.tree.map(np.testing.assert_array_equal, value, drawn)
    np.testing.assert_allclose(log_prob, with_trace, rtol=1e-6)
    np.testing.assert_allclose(log_prob, eqx.filter_jit(distribution.log_prob)(drawn), rtol=1e-6)
    assert log_prob.shape == ()


@every_distribution
def test_the_same_key_gives_the_same_draw_and_another_another(name: str):
    distribution = DISTRIBUTIONS[name]()
    one, same, other = (jnp.concatenate(jax.tree.leaves(draws(name, 20, seed=s))) for s in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)
    assert jax.tree.structure(distribution.mean) == jax.tree.structure(distribution.draw(jax.random.key(0))[0])


@every_distribution
def test_mean_is_that_of_the_draws(name: str):
    def check(mean, value):
        error = np.asarray(value).std(axis=0) / np.sqrt(len(value))
        assert (np.abs(np.asarray(value).mean(axis=0) - mean) < 4.5 * error).all()

    jax.tree.map(check, DISTRIBUTIONS[name]().mean, draws(name, 10_000))


@every_distribution
@pytest.mark.usefixtures("float64")
def test_gradients_are_those_of_finite_differences(name: str):
    arrays, static = eqx.partition(DISTRIBUTIONS[name](), eqx.is_inexact_array)
    value, _ = eqx.combine(arrays, static).draw(jax.random.key(0))

    def distribution(arrays):  # check_grads moves leaves about as NumPy arrays
        return eqx.combine(jax.tree.map(jnp.asarray, arrays), static)

    def log_prob(arrays, value):
        return distribution(arrays).log_prob(jax.tree.map(jnp.asarray, value))

    def of_a_draw(arrays):
        z, log_prob = distribution(arrays).sample_and_log_prob(jax.random.key(5))
        return log_prob + sum(leaf.sum() for leaf in jax.tree.leaves(z))

    check_grads(jax.jit(log_prob), (arrays, value), order=1, modes=("rev",), rtol=1e-5)
    if name != "bernoulli":  # its draws have no gradient
        check_grads(jax.jit(of_a_draw), (arrays,), order=1, modes=("rev",), rtol=1e-5)


@every_distribution
@pytest.mark.usefixtures("float64")
def test_probabilities_sum_to_one(name: str):
    if name == "bernoulli":
        values = jnp.array(list(itertools.product([0.0, 1.0], repeat=3)))
        assert float(jnp.exp(jax.vmap(DISTRIBUTIONS[name]().log_prob)(values)).sum()) == pytest.approx(1, abs=1e-12)
    elif name == "normal":
        narrow = distributions.Normal(jnp.array([0.3]), jnp.array([0.5]))
        assert abs(log_integral(jax.vmap(narrow.log_prob), 1)) < 1e-12
    else:
        density = jax.jit(jax.vmap(lambda z: DISTRIBUTIONS[name]().log_prob((z[:1], z[1:]))))
        assert abs(log_integral(density, 2, points=240, width=9.0)) < 1e-8


@every_distribution
def test_layers_make_up_the_density(name: str):
    @jax.jit
    def run(key):
        distribution = DISTRIBUTIONS[name]()
        value, _ = distribution.draw(key)
        layers = distribution.layers(value)
        parts = [value] if len(layers) == 1 else list(value)
        each = [layer.log_prob(part) for layer, part in zip(layers, parts, strict=True)]
        return sum(each), distribution.log_prob(value)

    np.testing.assert_allclose(*run(jax.random.key(0)), rtol=1e-6)


@every_distribution
def test_a_frozen_distribution_has_no_gradient_but_in_its_value(name: str):
    distribution = DISTRIBUTIONS[name]()
    value, _ = eqx.filter_jit(distribution.draw)(jax.random.key(0))

    @eqx.filter_jit
    @eqx.filter_grad
    def gradient(both):
        return jax.lax.stop_gradient(both[0]).log_prob(both[1])

    of_parameters, of_value = gradient((distribution, value))
    assert all((leaf == 0).all() for leaf in jax.tree.leaves(of_parameters))
    assert all((leaf != 0).any() for leaf in jax.tree.leaves(of_value))


@of_features
@pytest.mark.usefixtures("float64")
def test_a_mask_sums_the_observed_features_alone(name: str):
    masks = np.array(list(itertools.product([False, True], repeat=3)))

    @jax.jit
    def run(key):
        distribution = DISTRIBUTIONS[name]()
        value, _ = distribution.draw(key)
        each = jax.value_and_grad(lambda value, where: distribution.log_prob(value, where=where))
        return value, *jax.vmap(each, in_axes=(None, 0))(value, masks)

    value, masked, slopes = map(np.asarray, run(jax.random.key(0)))
    feature = (
        scipy.stats.norm.logpdf(value, LOC, SCALE)
        if name == "normal"
        else scipy.stats.bernoulli.logpmf(value, scipy.special.expit(LOGITS))
    )
    np.testing.assert_allclose(masked, masks @ feature, rtol=1e-12, atol=1e-15)
    assert masked[0] == 0.0
    assert (slopes[~masks] == 0).all()


@pytest.mark.parametrize("features", [1, 3, 8, 11, 40])
@pytest.mark.parametrize("scale", [np.float32(0.5), np.array([0.5], np.float32)])
def test_one_parameter_may_stand_for_all_features(features: int, scale: np.ndarray):
    x, loc = np.linspace(-1, 2, features), np.linspace(0, 1, features)
    observed = np.arange(features) % 3 == 0
    both = (
        distributions.Normal(jnp.asarray(loc), scale),
        distributions.StudentT(5 * scale / scale, jnp.asarray(loc), scale),
    )
    found = jax.jit(lambda x: [(each.log_prob(x), each.log_prob(x, where=observed)) for each in both])(x)
    for values, each in zip(found, (scipy.stats.norm(loc, 0.5), scipy.stats.t(5, loc, 0.5)), strict=True):
        exact = each.logpdf(x)
        np.testing.assert_allclose(values, [exact.sum(), exact[observed].sum()], rtol=1e-5)


def test_a_chain_refuses_a_mask():
    value, _ = chain(False).draw(jax.random.key(0))
    with pytest.raises(ValueError, match="where must be None"):
        chain(False).log_prob(value, where=jnp.array([True]))


@pytest.mark.usefixtures("float64")
def test_kl_of_normals_is_its_integral():
    q = distributions.Normal(jnp.array([0.3, -1.0]), jnp.array([0.5, 1.4]))
    p = distributions.Normal(jnp.array([0.0, 0.6]), jnp.array([1.0, 0.8]))
    nodes = np.linspace(-15, 15, 4001)
    for j in range(2):
        log_q = scipy.stats.norm.logpdf(nodes, q.loc[j], q.scale[j])
        log_p = scipy.stats.norm.logpdf(nodes, p.loc[j], p.scale[j])
        integral = (np.exp(log_q) * (log_q - log_p)).sum() * (nodes[1] - nodes[0])
        assert float(q.kl(p)[j]) == pytest.approx(integral, rel=1e-9)
    np.testing.assert_allclose(q.kl(q), 0.0, atol=1e-15)


@pytest.mark.parametrize("logit", [-1e4, -104.0, -30.0, -1.0, 0.0, 1.0, 30.0, 104.0, 1e4])
@pytest.mark.parametrize("x", [0.0, 1.0])
def test_bernoulli_at_any_logit(logit: float, x: float):
    def log_prob(logit):
        return distributions.Bernoulli(logit[None]).log_prob(jnp.array([x]))

    value, slope = jax.value_and_grad(log_prob)(jnp.float32(logit))
    with mpmath.workdps(40):
        m = mpmath.mpf(logit)
        exact = x * m - mpmath.log1p(mpmath.exp(m))
        exact_slope = x - 1 / (1 + mpmath.exp(-m))
    assert abs(float(value) - float(exact)) <= 1e-6 * max(1.0, abs(float(exact)))
    assert abs(float(slope) - float(exact_slope)) <= 1e-6
    assert float(value) <= 0.0


@pytest.mark.parametrize("log10_scale", [-30, -20, -10, -3, 0, 3, 10, 20, 30])
def test_normal_at_any_scale(log10_scale: int):
    """The value one and a half standard deviations away; the gradient in loc and log scale."""
    scale = 10.0**log10_scale

    def log_prob(loc, log_scale):
        return distributions.Normal(loc[None], jnp.exp(log_scale)[None]).log_prob(jnp.array([1.5 * scale], jnp.float32))

    log_scale = jnp.float32(np.log(scale))
    value, slopes = jax.value_and_grad(log_prob, argnums=(0, 1))(jnp.float32(0.0), log_scale)
    # exp of a float32 logarithm is good to |log scale| * 6e-8, which z^2 doubles
    exact = -0.5 * 1.5**2 - np.log(scale) - 0.5 * np.log(2 * np.pi)
    assert abs(float(value) - exact) < 1e-6 * abs(exact) + 3e-5
    assert float(slopes[0]) * scale == pytest.approx(1.5, rel=3e-5)
    assert float(slopes[1]) == pytest.approx(1.5**2 - 1, rel=3e-5)


@pytest.mark.parametrize("value", [255.0, -1.0, 1.5])
def test_a_bernoulli_never_gives_a_probability_above_one(value):
    with pytest.raises(ValueError, match=f"values of 0 and 1, got {value}"):
        distributions.Bernoulli(jnp.full(2, 50.0)).log_prob(jnp.array([1.0, value]))
