"""Bounds and log p(x) on the linear-Gaussian model, whose evidence and posterior are known exactly."""

from functools import cache, partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles.linear_gaussian import LinearGaussian
from oracles.quadrature import log_integral

from iwax import batched, bounds, evaluation, gradients
from iwax.evaluation import evidence
from iwax.parts import Datum

FEATURES, LATENT, ROWS = 6, 2, 8
DRAWS = 20_000


@cache
def oracle() -> LinearGaussian:
    return LinearGaussian.random(FEATURES, LATENT, seed=1)


@cache
def data() -> np.ndarray:
    return oracle().sample(ROWS, seed=2)


def wrong():
    """A posterior 1.3 times too wide, with means 0.4 of its standard deviations off."""
    return oracle().model(scale=1.3, shift=0.4)


@partial(eqx.filter_jit)
def log_weights(model, x, k):
    return batched.log_weights(model, jax.random.key(5), Datum(values=jnp.asarray(x)), k=k)


@cache
def many_log_weights() -> np.ndarray:
    """[DRAWS, ROWS] in float64."""
    with jax.enable_x64(True):
        return np.asarray(log_weights(wrong(), data(), DRAWS))


def mean_and_error(bound: bounds.Bound, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The mean over groups of k draws of a bound, and its standard error, per row."""
    log_w = many_log_weights()
    groups = np.moveaxis(log_w[: DRAWS // k * k].reshape(DRAWS // k, k, ROWS), 1, 0)
    values = np.asarray(jax.jit(bound)(groups), np.float64)  # [groups, rows]
    return values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values))


def test_the_oracle_agrees_with_quadrature_and_with_itself():
    model, x = LinearGaussian.random(3, 2, seed=4), np.array([[0.5, -1.0, 0.3]])

    def log_joint(z):
        residual = x[0] - model.bias - z @ model.weight.T
        log_x = -0.5 * (residual**2 / model.variance + np.log(2 * np.pi * model.variance)).sum(axis=1)
        return log_x - 0.5 * (z**2).sum(axis=1) - np.log(2 * np.pi)

    assert log_integral(log_joint, 2) == pytest.approx(model.log_evidence(x)[0], abs=1e-10)
    mean, covariance = model.posterior(x)
    assert abs(covariance[0, 1]) < 1e-15  # so that a mean-field posterior can be exact
    precision = np.linalg.inv(covariance)

    def log_posterior(z):
        difference = z - mean[0]
        return -0.5 * np.einsum("ni,ij,nj->n", difference, precision, difference)

    z = np.random.default_rng(0).normal(size=(5, 2))
    gap = log_joint(z) - log_posterior(z)  # log p(x) + a constant
    np.testing.assert_allclose(gap, gap[0], atol=1e-12)
    step = 1e-6
    moved = LinearGaussian(model.weight, model.bias + np.array([step, 0, 0]), model.variance)
    slope = (moved.log_evidence(x)[0] - model.log_evidence(x)[0]) / step
    assert model.gradients(x)[1][0] == pytest.approx(slope, rel=1e-4)


@pytest.mark.usefixtures("float64")
def test_with_the_exact_posterior_every_log_weight_is_log_p_of_x():
    log_w = np.asarray(log_weights(oracle().model(), data(), 200))
    assert log_w.dtype == np.float64
    assert np.abs(log_w - oracle().log_evidence(data())).max() < 1e-10


def test_with_the_exact_posterior_in_float32():
    x = data().astype(np.float32)
    log_w = np.asarray(log_weights(oracle().model(), x, 200))
    assert log_w.dtype == np.float32
    assert np.abs(log_w - oracle().log_evidence(x)).max() < 1e-3


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("k", [1, 10, 100])
def test_lower_bounds_lie_below_log_p_of_x(k: int):
    exact = oracle().log_evidence(data())
    for bound in (bounds.elbo, bounds.iwae, bounds.miwae(max(1, k // 2))):
        assert bound.kind == "lower"
        mean, error = mean_and_error(bound, k)
        assert (mean <= exact + 4 * error).all()


@pytest.mark.usefixtures("float64")
def test_the_elbo_is_log_p_minus_the_divergence():
    _, covariance = oracle().posterior(data())
    # of N(m + 0.4 s, (1.3 s)^2) from N(m, s^2), a latent
    divergence = 0.5 * (1.3**2 + 0.4**2 - 1) - np.log(1.3)
    mean, error = mean_and_error(bounds.elbo, 1)
    expected = oracle().log_evidence(data()) - LATENT * divergence
    assert covariance.shape == (LATENT, LATENT)
    assert (np.abs(mean - expected) < 4.5 * error).all()


@pytest.mark.usefixtures("float64")
def test_iwae_does_not_fall_with_k_on_the_same_draws():
    """Paired: the bound of k draws less the mean of the bounds of its two halves is never negative."""
    log_w = many_log_weights()
    previous = log_w
    for k in (2, 4, 1000):
        groups = np.moveaxis(log_w[: DRAWS // k * k].reshape(DRAWS // k, k, ROWS), 1, 0)
        whole, halves = (np.asarray(jax.jit(bound)(groups)) for bound in (bounds.iwae, bounds.miwae(2)))
        assert (whole - halves >= -1e-12).all()
        assert whole.mean() >= previous.mean() - 1e-12
        previous = whole


@pytest.mark.usefixtures("float64")
def test_many_draws_come_within_a_hundredth_of_a_nat():
    estimate = evaluation.log_evidence(wrong(), data(), k=5000, key=jax.random.key(0))
    exact = oracle().log_evidence(data())
    assert abs(estimate.mean - exact.mean()) < 0.01
    assert (np.abs(estimate.log_evidence - exact) < 4.5 * estimate.monte_carlo_error).all()
    assert (estimate.elbo < exact).all()
    assert estimate.warnings() == []


def test_values_do_not_depend_on_batch_chunk_or_call(monkeypatch: pytest.MonkeyPatch):
    x, k = data().astype(np.float32), 150
    model, key = wrong(), jax.random.key(3)
    expected = evaluation.log_evidence(model, x, k=k, key=key, batch=8, chunk=64)
    fields = ("log_evidence", "monte_carlo_error", "elbo", "elbo_error", "ess", "pareto_k")
    settings = [(1, 64), (7, 7), (64, 150)]
    for batch, chunk in settings:
        result = evaluation.log_evidence(model, x, k=k, key=key, batch=batch, chunk=chunk)
        for field in fields:
            # log-weights agree to the last digits of float32; what is made of their differences, to a few more
            tolerance = 1e-6 if field in ("log_evidence", "elbo") else 1e-4
            np.testing.assert_allclose(getattr(result, field), getattr(expected, field), rtol=tolerance)
    monkeypatch.setattr(evidence, "_DRAWS_PER_CALL", 20)
    result = evaluation.log_evidence(model, x, k=k, key=key, batch=8, chunk=7)
    np.testing.assert_allclose(result.log_evidence, expected.log_evidence, rtol=1e-6)


@pytest.mark.slow
def test_a_row_keeps_its_value_whatever_rows_stand_around_it():
    x, key = data().astype(np.float32), jax.random.key(3)
    whole = evaluation.log_evidence(wrong(), x, k=30, key=key)
    order = np.array([5, 2, 7])
    some = evaluation.log_evidence(wrong(), x[order], k=30, key=key, rows=order)
    np.testing.assert_allclose(some.log_evidence, whole.log_evidence[order], rtol=1e-6)
    assert some.rows.tolist() == order.tolist()
    # rows are summed last: the mean of 8 is the mean of 8 runs of one
    alone = [evaluation.log_evidence(wrong(), x[[i]], k=30, key=key, rows=np.array([i])).mean for i in range(ROWS)]
    assert whole.mean == pytest.approx(np.mean(alone), rel=1e-6)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("k", [50, 1, 151])
@pytest.mark.slow
def test_exactly_k_draws_are_taken(k: int):
    """Whatever k is to chunk and call: the estimate is that of the first k log-weights, one by one."""
    log_w = np.asarray(log_weights(wrong(), data(), 160))
    result = evaluation.log_evidence(wrong(), data(), k=k, key=jax.random.key(5), chunk=40)
    assert result.k == k
    expected = np.asarray(bounds.iwae(jnp.asarray(log_w[:k])))
    np.testing.assert_allclose(result.log_evidence, expected, rtol=1e-12)
    np.testing.assert_allclose(result.elbo, log_w[:k].mean(axis=0), rtol=1e-12)
    if k > 1:
        np.testing.assert_allclose(result.elbo_error, log_w[:k].std(axis=0, ddof=1) / np.sqrt(k), rtol=1e-9)
        w = np.exp(log_w[:k] - log_w[:k].max(axis=0))
        np.testing.assert_allclose(result.ess, w.sum(axis=0) ** 2 / (w**2).sum(axis=0), rtol=1e-9)
        np.testing.assert_allclose(result.pareto_k, evaluation.pareto_k(log_w[:k], k), rtol=1e-9)


@pytest.mark.usefixtures("float64")
def test_the_monte_carlo_error_is_the_spread_of_repeated_estimates():
    x = np.repeat(data()[:1], 300, axis=0)  # 300 independent estimates of one number
    result = evaluation.log_evidence(wrong(), x, k=400, key=jax.random.key(1), batch=300, chunk=400)
    spread = result.log_evidence.std(ddof=1)
    # the sd of a standard deviation of 300 numbers is 4 per cent of it
    assert result.monte_carlo_error.mean() == pytest.approx(spread, rel=0.18)
    normalised = (result.log_evidence - oracle().log_evidence(x[:1])) / result.monte_carlo_error
    assert abs(normalised.mean()) < 4.5 / np.sqrt(300) + 0.1  # the bias is of the order of the squared error
    assert result.elbo_error.mean() == pytest.approx(result.elbo.std(ddof=1), rel=0.18)


@pytest.mark.usefixtures("float64")
def test_a_proposal_far_too_narrow_is_flagged_and_one_a_little_too_narrow_is_not():
    model = LinearGaussian.random(8, 4, seed=3)
    x = model.sample(20, seed=1)
    narrow, nearly = (
        evaluation.log_evidence(model.model(scale=scale), x, k=5000, key=jax.random.key(2), chunk=1000)
        for scale in (0.5, 0.9)
    )
    assert np.median(narrow.pareto_k) > 0.7
    assert narrow.pareto_k_over() > 0.5
    assert any("Pareto k > 0.7" in line for line in narrow.warnings())
    assert (nearly.pareto_k < 0.5).all()
    assert nearly.pareto_k_over() == 0.0
    assert nearly.warnings() == []
    # E w^2 / (E w)^2 = s^2 / sqrt(2 s^2 - 1), a latent
    expected = 5000 * (np.sqrt(2 * 0.9**2 - 1) / 0.9**2) ** 4
    assert nearly.ess_median == pytest.approx(expected, rel=0.02)


@pytest.mark.usefixtures("float64")
@pytest.mark.slow
def test_the_gradient_of_the_iwae_bound_tends_to_the_exact_score():
    """At the exact posterior every estimator's gradient in the model is that of log p(x), in the mean over draws."""
    model, x = oracle().model(), data()
    count = 4000
    rows = Datum(values=jnp.repeat(jnp.asarray(x[:1]), count, axis=0))

    @partial(jax.vmap, in_axes=(None, 0, 0))
    def slope(model, values, index):
        def value(model):
            datum = Datum(values=values[None], index=index[None])
            objective = gradients.doubly_reparameterized(bounds.iwae)
            return gradients.Objective(objective, k=2)(model, jax.random.key(0), datum).value[0]

        gradient = eqx.filter_grad(value)(model)
        return gradient.likelihood.network.weight, gradient.likelihood.network.bias, gradient.posterior

    weight, bias, posterior = eqx.filter_jit(slope)(model, rows.values, jnp.arange(count))
    exact_weight, exact_bias = oracle().gradients(x[:1])
    for each, exact in ((weight, exact_weight.T), (bias, exact_bias)):
        error = np.asarray(each).std(axis=0) / np.sqrt(count)
        assert (np.abs(np.asarray(each).mean(axis=0) - exact) < 4.5 * error).all()
    # nothing is left to gain: the path gradient is zero draw by draw
    assert all(np.abs(leaf).max() < 1e-10 for leaf in jax.tree.leaves(posterior))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": 0}, "k must be at least 1, got 0"),
        ({"batch": 0}, "batch must be at least 1, got 0"),
        ({"chunk": -1}, "chunk must be at least 1, got -1"),
        ({"rows": np.arange(3)}, r"must number the 8 rows of x, got shape \(3,\)"),
        ({"x": np.zeros((0, 6))}, r"got shape \(0, 6\)"),
        ({"x": np.zeros(6)}, r"got shape \(6,\)"),
        ({"x": np.full((2, 6), np.nan)}, "must be finite, got nan in row 0, column 0"),
    ],
)
def test_bad_arguments(arguments: dict, message: str):
    given = {"x": data().astype(np.float32), "k": 2, "key": jax.random.key(0)} | arguments
    with pytest.raises(ValueError, match=message):
        evaluation.log_evidence(wrong(), **given)


@pytest.mark.usefixtures("float64")
def test_an_error_that_a_few_draws_say_is_unknown_and_the_others_hold():
    """Of proposals too wide, too narrow and off, errors that are known cover the truth as errors do."""
    model = LinearGaussian.random(8, 4, seed=3)
    x = model.sample(20, seed=1)
    inside, outside = [], []
    for scale, shift in ((0.9, 0.0), (1.5, 0.5), (0.4, 1.5), (1.0, 4.0)):
        found = evaluation.log_evidence(model.model(scale=scale, shift=shift), x, k=1000, key=jax.random.key(3))
        off, known = np.abs(found.log_evidence - model.log_evidence(x)) / found.monte_carlo_error, found.known_error
        np.testing.assert_array_equal(np.isnan(known), (found.ess < 10) | (found.pareto_k > 0.7))
        np.testing.assert_array_equal(known[~np.isnan(known)], found.monte_carlo_error[~np.isnan(known)])
        inside += off[~np.isnan(known)].tolist()
        outside += off[np.isnan(known)].tolist()
        warned = any("the Monte-Carlo error of log p(x) is unknown for" in line for line in found.warnings())
        assert warned == (np.isnan(known).mean() > 0.05)
    assert min(len(inside), len(outside)) >= 20
    assert np.mean(np.array(inside) < 4) > 0.85 > np.mean(np.array(outside) < 4) + 0.1
