"""The inference gap on linear-Gaussian models, where both of its parts are divergences of Gaussians."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles.linear_gaussian import LinearGaussian, linear

from iwax import evaluation, likelihoods, posteriors, priors
from iwax.evaluation import Family, gap_estimate
from iwax.model import LatentVariableModel
from iwax.parts import Distribution

KEY = jax.random.key(7)
STEPS = {"k": 2000, "steps": 300, "draws": 4, "learning_rate": 0.1, "batch": 3}
EXACT = LinearGaussian.random(6, 3, seed=1)  # its exact posterior is mean-field
X = EXACT.sample(5, seed=2)


@cache
def correlated() -> LinearGaussian:
    """Columns that have much in common: the latents of the exact posterior are correlated."""
    rng = np.random.default_rng(3)
    weight = 0.5 * rng.normal(size=(6, 3)) + 0.5 * rng.normal(size=(6, 1))
    return LinearGaussian(weight, rng.normal(size=6), rng.uniform(0.5, 1.5, size=6))


def mean_field_divergences() -> tuple[float, float]:
    """KL from p(z|x) of the best mean-field normal, variances 1/Λ_jj, and of the one with the exact marginals."""
    _, covariance = correlated().posterior(correlated().bias[None])
    precision = np.linalg.inv(covariance)
    log_det = np.linalg.slogdet(covariance)[1]
    least = 0.5 * (log_det + np.log(np.diagonal(precision)).sum())
    marginal = np.diagonal(covariance)
    wide = 0.5 * (np.diagonal(precision) @ marginal - 3 + log_det - np.log(marginal).sum())
    return least, wide


@cache
def on_the_exact_family() -> evaluation.InferenceGap:
    with jax.enable_x64(True):
        return evaluation.inference_gap(EXACT.model(scale=1.3, shift=0.4), X, key=KEY, **STEPS)


@cache
def on_the_correlated() -> evaluation.InferenceGap:
    with jax.enable_x64(True):
        return evaluation.inference_gap(correlated().model(), correlated().sample(5, seed=2), key=KEY, **STEPS)


@pytest.mark.slow
def test_with_an_exact_family_all_of_the_gap_is_amortisation():
    """And it is KL(q || p) in closed form: 1.3 times too wide, 0.4 standard deviations off."""
    found = on_the_exact_family()
    np.testing.assert_allclose(found.best, EXACT.log_evidence(X), atol=1e-6)
    assert (np.abs(found.approximation) < 4.5 * found.approximation_error).all()
    assert found.approximation_error.max() < 0.02
    expected = 3 * (0.5 * (1.3**2 + 0.4**2 - 1) - np.log(1.3))
    assert (np.abs(found.amortisation - expected) < 4.5 * found.amortisation_error).all()
    assert found.amortisation_error.max() < 0.05
    assert found.warnings() == []


@pytest.mark.slow
def test_with_correlated_latents_the_approximation_gap_is_the_mean_field_divergence():
    found, (least, wide) = on_the_correlated(), mean_field_divergences()
    assert least > 0.1, "there is something to find"
    assert (np.abs(found.approximation - least) < 4.5 * found.approximation_error + 1e-3).all()
    assert (np.abs(found.amortisation - (wide - least)) < 4.5 * found.amortisation_error + 1e-3).all()
    total = found.summary()["approximation"]
    assert total["mean"] == pytest.approx(least, abs=4.5 * total["monte_carlo_error"] + 1e-3)
    assert total["monte_carlo_error"] < 0.1 * least


@pytest.mark.slow
def test_the_parts_add_up_and_the_errors_are_those_of_repetition():
    found = on_the_correlated()
    np.testing.assert_allclose(found.amortised + found.amortisation + found.approximation, found.log_evidence)
    # 200 estimates of one number
    with jax.enable_x64(True):
        rng = np.random.default_rng(0)
        noise = rng.normal(size=(400, 200))
        best = 0.5 * noise
        amortised = best - 0.3 + 0.2 * rng.normal(size=best.shape)
        mixed = np.stack([0.4 * noise + 0.3 * rng.normal(size=best.shape), 0.4 * noise])
    columns = gap_estimate.gap_columns(amortised, best, mixed, None)
    for value, error in zip(columns[0:10:2], columns[1:10:2], strict=True):
        assert error.mean() == pytest.approx(value.std(ddof=1), rel=0.2)  # the sd of an sd of 200 numbers is 5 per cent


class FullNormal(Distribution):
    """N(loc, L L')."""

    loc: jax.Array
    factor: jax.Array

    def draw(self, key):
        return self.loc + self.factor @ jax.random.normal(key, self.loc.shape), None

    def log_prob(self, value, trace=None, where=None):
        white = jax.scipy.linalg.solve_triangular(self.factor, value - self.loc, lower=True)
        log_det = jnp.log(jnp.diagonal(self.factor)).sum()
        return -0.5 * (white @ white) - log_det - 0.5 * self.loc.size * jnp.log(2 * jnp.pi)

    def sample_and_log_prob(self, key):
        value, _ = self.draw(key)
        return value, self.log_prob(value)

    mean = property(lambda self: self.loc)

    def layers(self, value):
        return (self,)


def full(q, parameters):
    (loc, scale), (shift, free) = (q.loc, q.scale), parameters
    factor = jnp.tril(free, -1) + jnp.diag(jnp.exp(jnp.diagonal(free)))
    return FullNormal(loc + scale * shift, scale[:, None] * factor)


FULL_RANK = Family("full-rank normal", lambda q: (jnp.zeros(3), jnp.zeros((3, 3))), full)


@pytest.mark.usefixtures("float64")
@pytest.mark.slow
def test_a_wider_family_closes_the_gap():
    """Another family is three functions: with full covariances the exact posterior is in it."""
    x = correlated().sample(2, seed=2)
    options = STEPS | {"steps": 600, "batch": 2, "family": FULL_RANK}
    found = evaluation.inference_gap(correlated().model(), x, key=KEY, **options)
    _, wide = mean_field_divergences()
    np.testing.assert_allclose(found.best, correlated().log_evidence(x), atol=1e-4)
    assert (np.abs(found.approximation) < 4.5 * found.approximation_error + 1e-4).all()
    assert (np.abs(found.amortisation - wide) < 4.5 * found.amortisation_error).all()


@pytest.mark.usefixtures("float64")
@pytest.mark.slow
def test_log_p_may_come_from_elsewhere_and_a_missed_optimum_is_said_to_be_approximation():
    model, exact = EXACT.model(scale=1.3, shift=0.4), EXACT.log_evidence(X)
    options = STEPS | {"learning_rate": 1e-4}
    found = evaluation.inference_gap(
        model, X, key=KEY, log_evidence=exact, log_evidence_error=np.full(5, 0.01), **options
    )
    np.testing.assert_array_equal(found.log_evidence, exact)
    expected = 3 * (0.5 * (1.3**2 + 0.4**2 - 1) - np.log(1.3))
    both = found.approximation + found.amortisation
    assert (np.abs(both - expected) < 4.5 * np.hypot(found.approximation_error, found.amortisation_error)).all()
    assert (found.approximation > 0.5 * expected).all()
    assert (found.approximation_error > 0.01).all()
    assert np.isnan(found.pareto_k).all()


def test_what_is_doubtful_is_said():
    fields = {name: np.zeros(9) for name in evaluation.InferenceGap.__dataclass_fields__}
    sound = fields | {"k": 100, "steps": 40, "family": "", "rows": np.arange(9), "history": np.zeros((20, 9))}
    assert evaluation.InferenceGap(**sound).warnings() == []
    (heavy,) = evaluation.InferenceGap(**sound | {"pareto_k": np.full(9, 0.9)}).warnings()
    assert "Pareto k > 0.7 for 100% of rows" in heavy
    rising = np.linspace(0, 4, 20)[:, None] + np.zeros(9)
    (late,) = evaluation.InferenceGap(**sound | {"history": rising}).warnings()
    assert "rose by 0.84 nats in the last quarter of its 40 steps" in late


def test_other_posteriors_are_refused():
    model = LatentVariableModel(
        prior=priors.Chain(priors.StandardNormal(1), (posteriors.Gaussian(linear(np.ones((1, 2)), np.zeros(2))),)),
        likelihood=likelihoods.Chain(likelihoods.Bernoulli(linear(np.ones((1, 1)), np.zeros(1)))),
        posterior=posteriors.Chain(
            posteriors.Gaussian(linear(np.ones((1, 2)), np.zeros(2))),
            (posteriors.Gaussian(linear(np.ones((1, 2)), np.zeros(2))),),
        ),
    )
    with pytest.raises(TypeError, match=r"needs a posterior that is one .* got Chain; give another family"):
        evaluation.inference_gap(model, np.zeros((2, 1)), k=2, key=KEY)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"k": 0}, "k must be at least 1, got 0"),
        ({"learning_rate": 0.0}, r"learning_rate must be a positive number, got 0\.0"),
        ({"log_evidence": np.zeros(3)}, r"log_evidence must be one number per row, \[5\], got shape \(3,\)"),
        ({"log_evidence_error": np.zeros(5)}, "which was not given"),
    ],
)
def test_bad_arguments(arguments: dict, message: str):
    with pytest.raises(ValueError, match=message):
        evaluation.inference_gap(EXACT.model(), X, **{"key": KEY} | STEPS | arguments)
