"""Every distribution of independent features through the same checks: densities, draws, means, masks, gradients."""

from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from jax.test_util import check_grads
from oracles import features

from iwax import distributions as d

A, B, C = np.array([0.3, -1.2, 2.0]), np.array([0.5, 1.7, 0.1]), np.array([1.4, -0.3, 0.6])
LOGITS = np.array([[0.4, -2.0, 1.1, 0.0], [0.0, 0.0, 0.0, 3.0], [-1.0, 1.0, 0.5, 0.2]])
CENTRES, WIDTHS = np.array([[0.2, 0.9, 0.5], [0.7, -0.3, 1.4]]), np.array([[0.05, 0.3, 0.02], [0.1, 0.2, 0.3]])
LOCS, SPREADS = np.array([0.3, 2.2, -1.5]), np.array([0.4, 1.3, 6.0])
WEIGHTS = np.array([[0.3, -1.0, 2.0], [0.0, 0.5, 1.0]])


def by_feature(feature, *parameters):
    return [feature(*each) for each in zip(*parameters, strict=True)]


def table(normals, classes, counts):
    return d.Columns(((0, 3), (2,), (1,)), (d.Normal(*normals), d.Categorical(classes), d.Poisson(counts)))


def inflated_poisson(log_rate, gate):
    return d.ZeroInflated(d.Poisson(log_rate), gate)


def hurdle(loc, scale, gate):
    return d.Hurdle(d.LogNormal(loc, scale), gate)


def from_zero(loc, scale):
    return d.IntegerLogistic(loc, scale, 0)


def mixed_logistics(weights, loc, scale):
    return d.FeatureMixture(weights, d.DiscretizedLogistic(loc, scale, 16))


# a constructor, its parameters, and the same by SciPy, feature by feature
CASES = {
    "normal": (d.Normal, (A, B), by_feature(features.normal, A, B)),
    "bernoulli": (d.Bernoulli, (A,), by_feature(features.bernoulli, A)),
    "continuous bernoulli": (
        d.ContinuousBernoulli,
        (np.array([0.2, -1.2, 40.0]),),
        by_feature(features.continuous_bernoulli, [0.2, -1.2, 40.0]),
    ),
    "discretized logistic": (
        d.DiscretizedLogistic,
        (CENTRES[0], WIDTHS[0]),
        by_feature(features.discretized_logistic, CENTRES[0], WIDTHS[0], [256] * 3),
    ),
    "mixed logistics": (
        mixed_logistics,
        (WEIGHTS, CENTRES, WIDTHS),
        [
            features.mixture(
                WEIGHTS[:, j], by_feature(features.discretized_logistic, CENTRES[:, j], WIDTHS[:, j], [16] * 2)
            )
            for j in range(3)
        ],
    ),
    "categorical": (d.Categorical, (LOGITS,), by_feature(features.categorical, LOGITS)),
    "student t": (
        d.StudentT,
        (np.array([2.5, 8.0, 50.0]), A, B),
        by_feature(features.student_t, [2.5, 8.0, 50.0], A, B),
    ),
    "log normal": (d.LogNormal, (A, B), by_feature(features.log_normal, A, B)),
    "poisson": (d.Poisson, (np.log([0.3, 4.0, 50.0]),), by_feature(features.poisson, [0.3, 4.0, 50.0])),
    "negative binomial": (
        d.NegativeBinomial,
        (np.log([0.3, 4.0, 50.0]), np.log([0.5, 3.0, 1000.0])),
        by_feature(features.negative_binomial, [0.3, 4.0, 50.0], [0.5, 3.0, 1000.0]),
    ),
    "zero-inflated poisson": (
        inflated_poisson,
        (np.log([0.3, 4.0, 50.0]), C),
        by_feature(features.zero_inflated, by_feature(features.poisson, [0.3, 4.0, 50.0]), C),
    ),
    "hurdle": (
        hurdle,
        (A, B, C),
        by_feature(features.hurdle, by_feature(features.log_normal, A, B), C),
    ),
    "integer logistic": (
        d.IntegerLogistic,
        (LOCS - 4, SPREADS),
        by_feature(features.integer_logistic, LOCS - 4, SPREADS, [-(2**24)] * 3),
    ),
    "integer logistic from zero": (
        from_zero,
        (LOCS, SPREADS),
        by_feature(features.integer_logistic, LOCS, SPREADS, [0] * 3),
    ),
    "columns": (
        table,
        ((A[:2], B[:2]), LOGITS[:1], np.log([4.3])),
        [
            features.normal(A[0], B[0]),
            features.poisson(4.3),
            features.categorical(LOGITS[0]),
            features.normal(A[1], B[1]),
        ],
    ),
}
every_distribution = pytest.mark.parametrize("name", CASES)
SMOOTH = ("normal", "continuous bernoulli", "student t", "log normal")  # draws have a derivative


def parameters_of(name: str):
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, float), CASES[name][1])


def make(name: str):
    return CASES[name][0](*parameters_of(name))


@cache
def draws(name: str, seed: int = 1):
    """10,000 draws in float32, and the gradients of their sums in the parameters."""
    constructor, parameters = CASES[name][0], parameters_of(name)

    def draw(parameters, key):
        value, trace = constructor(*parameters).draw(key)
        assert trace is None
        return value.sum(), value

    run = jax.jit(jax.vmap(jax.grad(draw, has_aux=True), in_axes=(None, 0)))
    slopes, value = run(parameters, jax.random.split(jax.random.key(seed), 10_000))
    return np.asarray(value), jax.tree.leaves(jax.tree.map(np.asarray, slopes))


class Rows(NamedTuple):
    """Rows of values and masks: nodes of the integral, some draws, and one draw under every mask, filled and not."""

    values: np.ndarray
    masks: np.ndarray
    nodes: int
    masked: int


@cache
def rows(name: str) -> Rows:
    reference, value = CASES[name][2], draws(name)[0].astype(np.float64)
    longest = max(len(feature.nodes) for feature in reference)
    nodes = np.stack([np.resize(feature.nodes, longest) for feature in reference], axis=1)
    masks = np.array(np.meshgrid(*[[False, True]] * len(reference))).reshape(len(reference), -1).T
    under = np.where(masks, value[0], 0.0)
    values = np.concatenate([nodes, value[:50], np.repeat(value[:1], len(masks), axis=0), under])
    whole = np.ones((longest + 50, len(reference)), bool)
    return Rows(values, np.concatenate([whole, masks, masks]), longest, len(masks))


@cache
def compiled(name: str):
    """(each, log_prob under the mask, its gradients in parameters and value) of all rows, in float64."""

    def log_prob(parameters, value, where):
        each = CASES[name][0](*parameters).each(value)
        return jnp.sum(each, where=where), each

    def one(parameters, value, where):
        (total, each), slopes = jax.value_and_grad(log_prob, argnums=(0, 1), has_aux=True)(parameters, value, where)
        return each, total, slopes

    return jax.jit(jax.vmap(one, in_axes=(None, 0, 0)))


def evaluated(name: str, parameters=None):
    values, masks, _, _ = rows(name)  # drawn in float32
    with jax.enable_x64(True):
        given = parameters_of(name) if parameters is None else jax.tree.map(jnp.asarray, parameters)
        return jax.tree.map(np.asarray, compiled(name)(given, values, masks))


at_the_parameters = cache(evaluated)


@every_distribution
def test_each_is_scipys_and_sums_to_one(name: str):
    each, _, _ = at_the_parameters(name)
    some = slice(rows(name).nodes, rows(name).nodes + 50)
    for j, feature in enumerate(CASES[name][2]):
        assert (np.exp(each[: len(feature.nodes), j]) * feature.weights).sum() == pytest.approx(1, abs=1e-9)
        expected = feature.log_prob(rows(name).values[some, j])
        np.testing.assert_allclose(each[some, j], expected, rtol=1e-9, atol=1e-11)


@every_distribution
@pytest.mark.usefixtures("float64")
def test_mean_is_the_integral(name: str):
    expected = [feature.mean for feature in CASES[name][2]]
    np.testing.assert_allclose(make(name).mean, expected, rtol=1e-6, atol=1e-9)


@every_distribution
def test_draws_follow_the_density(name: str):
    """Goodness of fit of 10,000 draws, with one false alarm in 50,000 correct programs."""
    value = draws(name)[0].astype(np.float64)
    uniform = [feature.uniform(value[:, j], seed=j) for j, feature in enumerate(CASES[name][2])]
    assert min(scipy.stats.kstest(u, "uniform").pvalue for u in uniform) > 2e-5
    in_the_tails = sum(((u < 1e-3) | (u > 1 - 1e-3)).sum() for u in uniform)
    assert scipy.stats.binomtest(int(in_the_tails), value.size, 2e-3).pvalue > 2e-5
    between = scipy.stats.spearmanr(np.stack(uniform, axis=1)).pvalue[np.triu_indices(len(uniform), 1)]
    assert between.min() > 2e-5
    assert not np.array_equal(value[:50], value[50:100])


@every_distribution
def test_a_mask_sums_the_observed_features_and_what_is_missing_has_no_part_in_the_gradient(name: str):
    each, sums, (slopes, of_value) = at_the_parameters(name)
    count, nodes = rows(name).masked, rows(name).nodes
    masks, full, filled = rows(name).masks[-count:], slice(-2 * count, -count), slice(-count, None)
    np.testing.assert_allclose(sums[full], np.where(masks, each[nodes], 0).sum(axis=1), rtol=1e-12, atol=1e-12)
    assert (of_value[full][~masks] == 0).all()
    for leaf in (sums, *jax.tree.leaves(slopes)):
        np.testing.assert_allclose(leaf[full], leaf[filled], rtol=1e-12, atol=1e-14)
        assert np.isfinite(leaf).all()
        assert (leaf[full][0] == 0).all()
        assert (leaf[full] != 0).any()


@every_distribution
def test_gradients_are_those_of_finite_differences(name: str):
    """In a random direction of all parameters, at 50 draws."""
    parameters, step, rng = jax.tree.map(np.asarray, CASES[name][1]), 1e-5, np.random.default_rng(2)
    direction = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape), parameters)
    above, below = (
        evaluated(name, jax.tree.map(lambda leaf, way, s=s: leaf + s * step * way, parameters, direction))[1]
        for s in (1, -1)
    )
    some = slice(rows(name).nodes, rows(name).nodes + 50)
    slopes = at_the_parameters(name)[2][0]
    along = jax.tree.map(
        lambda slope, way: np.sum(slope[some] * way, axis=tuple(range(1, slope.ndim))), slopes, direction
    )
    np.testing.assert_allclose(sum(jax.tree.leaves(along)), (above - below)[some] / (2 * step), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.usefixtures("float64")
def test_draws_and_values_have_the_gradients_of_finite_differences(name: str):
    def of_a_draw(parameters, shift):
        distribution = CASES[name][0](*parameters)
        z, log_prob = distribution.sample_and_log_prob(jax.random.key(5))
        return log_prob + z.sum() + distribution.log_prob(z * shift)

    given = (parameters_of(name), jnp.asarray(0.9))
    check_grads(jax.jit(of_a_draw), given, order=1, modes=("rev",), rtol=1e-5, eps=1e-5)


@every_distribution
def test_discrete_draws_have_no_derivative_and_say_so(name: str):
    assert make(name).reparameterized == (name in SMOOTH)
    if name != "columns":  # some of its columns have one
        assert all((leaf != 0).any() == (name in SMOOTH) for leaf in draws(name)[1])


@pytest.mark.parametrize("name", ["bernoulli", "student t"])
def test_sample_and_log_prob_is_draw_and_log_prob(name: str):
    distribution, key = make(name), jax.random.key(3)
    value, log_prob = distribution.sample_and_log_prob(key)
    np.testing.assert_array_equal(value, distribution.draw(key)[0])
    each, where = distribution.each(value), jnp.arange(len(value)) != 1
    np.testing.assert_allclose(log_prob, each.sum(), rtol=1e-6)
    np.testing.assert_allclose(distribution.log_prob(value, where=where), each[where].sum(), rtol=1e-6)
    assert distribution.layers(value)[0] is distribution


@every_distribution
def test_every_array_is_a_leaf(name: str):
    """So that nothing is hidden from `stop_gradient`, and nothing kept twice."""
    leaves, given = jax.tree.leaves(make(name)), jax.tree.leaves(CASES[name][1])
    assert sorted(leaf.shape for leaf in leaves) == sorted(leaf.shape for leaf in given)
    assert all(isinstance(leaf, jax.Array) for leaf in leaves)
