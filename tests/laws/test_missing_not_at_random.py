"""Values that hide where they are large: the joint density of what was observed and of what was not, by quadrature."""

from functools import cache

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from iwax import bounds, evaluation, gradients, inference, likelihoods, nn, posteriors, priors, training
from iwax.model import LatentVariableModel
from iwax.parts import Datum

WEIGHT, SCALE, SLOPE, BIAS = np.array([1.0, 0.8]), 0.6, np.array([0.0, -2.0]), np.array([4.0, 0.5])


def model(missingness: bool = True) -> LatentVariableModel:
    """x = w z + noise; the second value is seen with probability sigmoid(0.5 - 2 x)."""
    decoder = nn.Linear(1, 2, key=jax.random.key(0))
    decoder = eqx.tree_at(lambda n: (n.weight, n.bias), decoder, (jnp.array(WEIGHT[None], float), jnp.zeros(2)))
    masking = likelihoods.SelfMasking(jnp.zeros(2), jnp.ones(2))
    masking = eqx.tree_at(lambda m: (m.slope, m.bias), masking, (jnp.array(SLOPE, float), jnp.array(BIAS, float)))
    encoding = nn.FeatureEncoding(np.zeros(2), np.ones(2), mask=True)
    return LatentVariableModel(
        prior=priors.StandardNormal(1),
        likelihood=likelihoods.Gaussian.fixed(decoder, SCALE),
        posterior=posteriors.Encoded(posteriors.Gaussian(nn.Linear(4, 2, key=jax.random.key(1))), encoding),
        missingness=masking if missingness else None,
    )


def sigmoid(m):
    return 1 / (1 + np.exp(-m))


@cache
def exact(first: float) -> tuple[float, float, float]:
    """log p(x_1, s = (1, 0)); the mean and standard deviation of x_2 given that; all by the trapezoid rule."""
    z, x = np.meshgrid(np.linspace(-7, 7, 801), np.linspace(-8, 8, 801), indexing="ij")

    def normal(value, mean, scale):
        return np.exp(-0.5 * ((value - mean) / scale) ** 2) / (scale * np.sqrt(2 * np.pi))

    seen = sigmoid(SLOPE[0] * first + BIAS[0]) * (1 - sigmoid(SLOPE[1] * x + BIAS[1]))
    joint = normal(z, 0, 1) * normal(first, WEIGHT[0] * z, SCALE) * normal(x, WEIGHT[1] * z, SCALE) * seen
    mean = (joint * x).sum() / joint.sum()
    cell = (z[1, 0] - z[0, 0]) * (x[0, 1] - x[0, 0])
    return float(np.log(joint.sum() * cell)), float(mean), float(np.sqrt((joint * (x - mean) ** 2).sum() / joint.sum()))


ROWS = np.array([[-1.0, np.nan], [0.3, np.nan], [1.5, np.nan]])


def test_the_density_of_values_and_marks_is_that_of_quadrature():
    found = evaluation.log_evidence(model(), ROWS, k=40_000, key=jax.random.key(2), missing=True)
    for i, (first, _) in enumerate(ROWS):
        assert found.log_evidence[i] == pytest.approx(exact(first)[0], abs=4.5 * found.monte_carlo_error[i] + 1e-5)
        assert found.monte_carlo_error[i] < 0.02


@pytest.mark.slow
def test_what_is_imputed_knows_that_it_was_not_seen():
    found = inference.impute(model(), ROWS, k=40_000, draws=5_000, key=jax.random.key(3))
    naive = inference.impute(model(missingness=False), ROWS, k=40_000, key=jax.random.key(3))
    for i, (first, _) in enumerate(ROWS):
        _, mean, deviation = exact(first)
        assert found.values[i, 1] == pytest.approx(mean, abs=4.5 * found.error[i, 1])
        drawn = found.draws[:, i, 1]
        spread = deviation * np.sqrt(1 / 5_000 + 1 / found.ess[i])
        assert drawn.mean() == pytest.approx(mean, abs=4.5 * spread)
        assert drawn.std() == pytest.approx(deviation, rel=0.1)
        assert abs(naive.values[i, 1] - mean) > 0.15  # the control: missing at random, as it is not


@pytest.mark.slow
def test_slopes_are_learned_from_data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4_000, 1)) * WEIGHT + SCALE * rng.normal(size=(4_000, 2))
    seen = rng.random(x.shape) < sigmoid(SLOPE * x + BIAS)
    seen[:, 0] |= ~seen.any(axis=1)
    holed = np.where(seen, x, np.nan)

    def objective(*args, **kwargs):
        return gradients.Objective(gradients.pathwise(bounds.iwae), k=20)(*args, **kwargs)

    def fitted(start: LatentVariableModel) -> LatentVariableModel:
        adam = optax.adam(optax.cosine_decay_schedule(2e-2, 40 * 40))
        return training.fit(
            start, objective, holed, optimizer=adam, epochs=40, key=jax.random.key(0), missing=True
        ).model

    start = model()
    zero = jnp.zeros(2)
    start = eqx.tree_at(lambda m: (m.missingness.slope, m.missingness.bias), start, (zero, zero))
    start = eqx.tree_at(lambda m: m.likelihood.network.weight, start, jnp.array([[0.8, 0.8]]))
    found = fitted(start)
    assert found.missingness.slope[1] == pytest.approx(SLOPE[1], abs=0.6)
    assert abs(found.likelihood.network.bias[1]) < 0.15  # without, the second value seems to be lower than it is
    naive = fitted(eqx.tree_at(lambda m: m.missingness, start, None))
    assert naive.likelihood.network.bias[1] < -0.25


def test_gradients_of_both_kinds_are_of_one_bound():
    """DReG and pathwise agree in the mean: what is drawn for missing values is a part of the path."""
    whole, datum = model(), Datum.of(jnp.asarray(ROWS[1:2], float), missing=True)

    def gradient(estimator):
        def of(bias, key):
            made = eqx.tree_at(lambda m: m.posterior.posterior.network.bias, whole, bias)
            return gradients.Objective(estimator, k=3)(made, key, datum).value[0]

        keys = jax.random.split(jax.random.key(5), 4_000)
        return jax.jit(jax.vmap(jax.grad(of), in_axes=(None, 0)))(whole.posterior.posterior.network.bias, keys)

    ours, others = (gradient(each(bounds.iwae)) for each in (gradients.doubly_reparameterized, gradients.pathwise))
    for one, other in zip(ours.T, others.T, strict=True):
        error = np.sqrt((np.var(one) + np.var(other)) / 4_000)
        assert abs(np.mean(one) - np.mean(other)) < 4.5 * error


def test_a_likelihood_of_classes_cannot_be_completed():
    encoding = nn.FeatureEncoding(np.zeros(2), np.ones(2))
    with_bits = LatentVariableModel(
        prior=priors.StandardNormal(1),
        likelihood=likelihoods.Bernoulli(nn.Linear(1, 2, key=jax.random.key(0))),
        posterior=posteriors.Encoded(posteriors.Gaussian(nn.Linear(2, 2, key=jax.random.key(1))), encoding),
        missingness=likelihoods.SelfMasking(jnp.zeros(2), jnp.ones(2)),
    )
    with pytest.raises(ValueError, match="draws have a derivative"):
        inference.impute(with_bits, np.array([[1.0, np.nan]]), k=3, key=jax.random.key(0))


def test_a_model_of_missingness_of_another_size_is_refused():
    whole, other = model(), likelihoods.SelfMasking(jnp.zeros(3), jnp.ones(3))
    with pytest.raises(ValueError, match="missingness"):
        LatentVariableModel(whole.prior, whole.likelihood, whole.posterior, other)
