"""Estimators on a model of two stochastic layers: where the path weights stand shows on IWAE with k >= 2 alone.

Plain automatic differentiation of the bound is the truth, draw by draw or, for estimators that differ from it by
terms of mean zero, in the mean of paired differences.
"""

import dataclasses
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles.linear_gaussian import linear

from iwax import batched, bounds, gradients, likelihoods, posteriors, priors
from iwax.model import LatentVariableModel
from iwax.parts import Datum

K = 3
ROWS = 30_000
ESTIMATORS = (gradients.pathwise, gradients.sticking_the_landing, gradients.doubly_reparameterized)


def affine(rng: np.random.Generator, inputs: int, outputs: int):
    return linear(rng.normal(size=(inputs, outputs)) * 0.8, rng.normal(size=outputs) * 0.3)


def normal_head(rng: np.random.Generator, inputs: int):
    """A location and a log scale that moves little."""
    weight = rng.normal(size=(inputs, 2)) * np.array([0.8, 0.15])
    return linear(weight, np.array([0.2, -0.5]))


def layered(depth: int) -> LatentVariableModel:
    """One latent a layer, three binary pixels."""
    rng = np.random.default_rng(4)
    above = tuple(likelihoods.Gaussian.of_network(normal_head(rng, 1)) for _ in range(depth - 1))
    upwards = tuple(posteriors.Gaussian(normal_head(rng, 1)) for _ in range(depth - 1))
    return LatentVariableModel(
        prior=priors.Chain(priors.StandardNormal(1), above),
        likelihood=likelihoods.Chain(likelihoods.Bernoulli(affine(rng, 1, 3))),
        posterior=posteriors.Chain(posteriors.Gaussian(normal_head(rng, 3)), upwards),
    )


def two_layers() -> LatentVariableModel:
    return layered(2)


def rows(count: int) -> Datum:
    values = jnp.broadcast_to(jnp.array([1.0, 0.0, 1.0]), (count, 3))
    return Datum(values=values, index=jnp.arange(count))


def per_row_gradients(estimator: gradients.Estimator, count: int, beta: float = 1.0, depth: int = 2, **how):
    """The gradient of every single row, a tree of arrays [count, ...]."""
    model = layered(depth)

    @partial(jax.vmap, in_axes=(None, 0))
    def gradient(model, datum):
        x = jax.tree.map(lambda leaf: leaf[None], datum)

        def value(model):
            key = jax.random.key(11)
            return gradients.Objective(estimator, k=K, **how)(model, key, x, beta=beta).value[0]

        return eqx.filter_grad(value)(model)

    return eqx.filter_jit(gradient)(model, rows(count))


def flat(tree) -> np.ndarray:
    """[count, parameters]"""
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]
    return np.concatenate([leaf.reshape(len(leaf), -1) for leaf in leaves], axis=1)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(("depth", "beta"), [(2, 1.0), (3, 0.4)])
@pytest.mark.slow
def test_three_weights_reproduce_automatic_differentiation_draw_by_draw(depth: int, beta: float):
    whole = gradients.pathwise(bounds.iwae)
    in_parts = dataclasses.replace(whole, total=False)
    expected = flat(per_row_gradients(whole, 20, beta, depth))
    idle = (expected == 0).all(axis=0).sum()
    assert idle == 2  # the encoder's weights of the pixel that is 0: all other parameters take part
    found = flat(per_row_gradients(in_parts, 20, beta, depth))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-11)


@pytest.mark.usefixtures("float64")
@pytest.mark.slow
def test_doubly_reparameterized_is_unbiased_and_sticking_the_landing_is_not():
    expected = flat(per_row_gradients(gradients.pathwise(bounds.iwae), ROWS))

    def paired(estimator):
        difference = flat(per_row_gradients(estimator(bounds.iwae), ROWS)) - expected
        error = difference.std(axis=0) / np.sqrt(ROWS)
        return difference.mean(axis=0), error

    mean, error = paired(gradients.doubly_reparameterized)
    assert error.max() < 0.01  # the wrong placements of the weights are off by 0.04 and more
    assert (np.abs(mean) <= 4.5 * error + 1e-12).all()
    mean, error = paired(gradients.sticking_the_landing)
    assert (np.abs(mean) / (error + 1e-12)).max() > 10


@pytest.mark.usefixtures("float64")
@pytest.mark.slow
def test_draws_in_pieces_and_few_of_them_backward_keep_the_gradient():
    """In pieces of 2 of the 3 draws to rounding, and with one chosen draw backward in the mean."""
    estimator, count = gradients.doubly_reparameterized(bounds.iwae), ROWS
    expected = flat(per_row_gradients(estimator, count))
    np.testing.assert_allclose(flat(per_row_gradients(estimator, count, chunk=2)), expected, rtol=1e-9, atol=1e-11)
    difference = flat(per_row_gradients(estimator, count, backward=1)) - expected
    error = difference.std(axis=0) / np.sqrt(count)
    assert 1e-4 < error.max() < 0.02
    assert (np.abs(difference.mean(axis=0)) <= 4.5 * error + 1e-12).all()


@pytest.mark.usefixtures("float64")
@pytest.mark.slow
def test_on_the_elbo_all_estimators_agree_in_the_mean():
    expected = flat(per_row_gradients(gradients.pathwise(bounds.elbo), 4000))
    for estimator in (gradients.sticking_the_landing, gradients.doubly_reparameterized):
        difference = flat(per_row_gradients(estimator(bounds.elbo), 4000)) - expected
        error = difference.std(axis=0) / np.sqrt(4000)
        assert (np.abs(difference.mean(axis=0)) <= 4.5 * error + 1e-12).all()


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda estimator: estimator.__name__)
@pytest.mark.slow
def test_the_reported_bound_is_that_of_the_log_weights_and_has_no_gradient(estimator):
    key, x = jax.random.key(2), rows(5)

    @eqx.filter_jit
    def reported_and_expected(model):
        log_w = batched.log_weights(model, key, x, k=K)
        results = []
        for bound in (bounds.iwae, bounds.miwae(3)):
            objective = gradients.Objective(estimator(bound), k=K)
            slope = eqx.filter_grad(lambda model, of=objective: of(model, key, x).bound.sum())(model)
            tempered = objective(model, key, x, beta=0.3).bound
            results.append((bound(log_w), objective(model, key, x).bound, tempered, slope))
        return results

    for expected, at_one, tempered, slope in reported_and_expected(two_layers()):
        np.testing.assert_allclose(at_one, expected, rtol=2e-6)
        np.testing.assert_allclose(tempered, expected, rtol=2e-6)
        assert all((leaf == 0).all() for leaf in jax.tree.leaves(slope))


@pytest.mark.slow
def test_a_draw_that_takes_all_the_weight_leaves_finite_gradients():
    """Log-weights thousands of nats apart: a underflows to 0 for all draws but one."""
    model = eqx.tree_at(lambda m: m.likelihood.likelihood.network.weight, two_layers(), 3e3 * jnp.ones((1, 3)))

    @eqx.filter_jit
    def gradient(model, estimator, beta):
        objective = partial(gradients.Objective(estimator, k=K), beta=beta)
        return eqx.filter_grad(lambda model: objective(model, jax.random.key(2), rows(5)).value.sum())(model)

    for estimator in ESTIMATORS:
        for beta in (1.0, 0.1):
            leaves = jax.tree.leaves(gradient(model, estimator(bounds.iwae), jnp.float32(beta)))
            assert all(np.isfinite(leaf).all() for leaf in leaves)


def test_k_below_one_is_refused():
    for made in (partial(gradients.Objective, gradients.pathwise(bounds.iwae)), gradients.closed_form_kl):
        with pytest.raises(ValueError, match="at least 1, got 0"):
            made(k=0)


@pytest.mark.slow
def test_the_closed_form_kl_of_a_chain_is_refused_by_name():
    with pytest.raises(TypeError, match=r"got Chain and Chain: use gradients.Objective\(gradients.pathwise"):
        gradients.closed_form_kl(k=1)(two_layers(), jax.random.key(0), rows(2))
