"""Annealed importance sampling, forwards and backwards, against answers that are known exactly."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles.linear_gaussian import LinearGaussian, linear
from oracles.quadrature import log_integral

from iwax import evaluation, likelihoods, nn, posteriors, priors
from iwax.evaluation.annealed import AnnealedEvidence
from iwax.evaluation.annealing import Plan, anneal
from iwax.evaluation.bidirectional import BidirectionalEvidence
from iwax.model import LatentVariableModel
from iwax.parts import Datum

FEATURES, LATENT, ROWS = 6, 2, 8
SETTINGS = {"chains": 16, "leapfrog": 5, "batch": ROWS}  # of one shape, so that what compiles once serves many tests


@cache
def oracle() -> LinearGaussian:
    return LinearGaussian.random(FEATURES, LATENT, seed=1)


@cache
def data() -> np.ndarray:
    return oracle().sample(ROWS, seed=2)


def wrong() -> LatentVariableModel:
    """A posterior 1.3 times too wide, with means 0.4 of its standard deviations off."""
    return oracle().model(scale=1.3, shift=0.4)


@cache
def annealed(start: str, temperatures: int) -> AnnealedEvidence:
    with jax.enable_x64(True):
        return evaluation.annealed_evidence(
            wrong(), data(), temperatures=temperatures, key=jax.random.key(0), start=start, **SETTINGS
        )


@pytest.mark.slow
@pytest.mark.parametrize("start", ["prior", "posterior"])
def test_it_finds_the_exact_value(start: str):
    exact = oracle().log_evidence(data())
    short, long = annealed(start, 50), annealed(start, 1000)
    for found in (short, long):
        assert (np.abs(found.log_evidence - exact) < 4 * found.monte_carlo_error).all()
        assert 0.55 < found.acceptance.min() <= found.acceptance.max() < 0.8
        assert found.warnings() == []
    assert long.monte_carlo_error.mean() < short.monte_carlo_error.mean() / 3  # the variance falls as 1 / temperatures
    assert abs(long.mean - exact.mean()) < 0.02
    assert long.ess_median > 15.8


# -- the mean weight has no bias, however badly the chains are run ---------------------------------------------------

SHORT = {"temperatures": 3, "leapfrog": 2, "ladder": "linear"}
COPIES = 4000
STEP = 0.9  # far too long: a third of the moves is refused


def mean_and_error(log_ratio: np.ndarray) -> tuple[float, float]:
    ratio = np.exp(log_ratio)
    return ratio.mean(), ratio.std(ddof=1) / np.sqrt(ratio.size)


def copies(row: int) -> Datum:
    return Datum(values=jnp.repeat(jnp.asarray(data()[[row]]), COPIES, axis=0), index=jnp.arange(COPIES))


def short_log_weights(start: str, row: int, *, back: np.ndarray | None = None) -> tuple[np.ndarray, float]:
    """Log-weights [copies] of one chain each, and the mean acceptance."""
    plan = Plan(chains=1, start=start, **SHORT)
    steps = np.full((COPIES, plan.temperatures + 1), np.log(STEP))
    z = None if back is None else jnp.asarray(back)
    found = anneal(wrong(), jax.random.key(3), copies(row), plan, steps, back=z)
    return found.log_w[0], float(found.acceptance.mean())


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("start", [pytest.param("prior", marks=pytest.mark.slow), "posterior"])
@pytest.mark.slow
def test_the_mean_weight_is_p_of_x_with_few_temperatures_and_a_wrong_step(start: str):
    exact = oracle().log_evidence(data())
    for row in (0, 1):
        log_w, acceptance = short_log_weights(start, row)
        mean, error = mean_and_error(log_w - exact[row])
        assert error < 0.05
        assert abs(mean - 1) < 4.5 * error
        assert log_w.mean() < exact[row] - 0.02  # the logarithm is not: these chains are bad ones
        assert acceptance < 0.97


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("start", ["prior", "posterior"])
@pytest.mark.slow
def test_backwards_the_mean_inverse_weight_is_one_over_p_of_x(start: str):
    exact = oracle().log_evidence(data())
    means, covariance = oracle().posterior(data())
    for row in (0, 1):
        z = np.random.default_rng(row).multivariate_normal(means[row], covariance, size=COPIES)
        log_w, _ = short_log_weights(start, row, back=z)
        mean, error = mean_and_error(exact[row] - log_w)
        assert error < 0.05
        assert abs(mean - 1) < 4.5 * error
        assert log_w.mean() > exact[row] + 0.01


# -- from both sides ------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("start", ["prior", pytest.param("posterior", marks=pytest.mark.slow)])
def test_both_directions_bracket_the_exact_value(start: str):
    both = evaluation.bidirectional_evidence(
        wrong(), ROWS, temperatures=1000, key=jax.random.key(4), start=start, **SETTINGS
    )
    exact = oracle().log_evidence(both.x)
    for side in (both.lower, both.upper):
        assert (np.abs(side.log_evidence - exact) < 4.5 * side.monte_carlo_error + 0.03).all()
        assert abs(side.mean - exact.mean()) < 0.05
    error = 4 * np.hypot(both.lower.monte_carlo_error, both.upper.monte_carlo_error).mean() / np.sqrt(ROWS)
    assert both.lower.mean - error < exact.mean() < both.upper.mean + error
    assert abs(both.gap_mean) < 0.05
    assert both.warnings() == []


def bent(latent: int, features: int) -> LatentVariableModel:
    """A decoder with random weights, large enough that the posterior is far from a Gaussian."""
    keys = jax.random.split(jax.random.key(7), 2)
    decoder = nn.MLP(latent, (12,), features, key=keys[0])
    decoder = jax.tree.map(lambda leaf: 2.5 * leaf if jnp.ndim(leaf) else leaf, decoder)
    encoder = nn.MLP(features, (4,), 2 * latent, key=keys[1], heads=2)
    return LatentVariableModel(
        prior=priors.StandardNormal(latent),
        likelihood=likelihoods.Bernoulli(decoder),
        posterior=posteriors.Gaussian(encoder),
    )


def by_quadrature(model: LatentVariableModel, x: np.ndarray) -> np.ndarray:
    def log_joint(z, row):
        logits = np.asarray(model.likelihood.network(jnp.asarray(z), key=jax.random.key(0)))
        log_x = (row * logits - np.logaddexp(0, logits)).sum(axis=1)
        return log_x - 0.5 * (z**2).sum(axis=1) - np.log(2 * np.pi)

    return np.array([log_integral(partial(log_joint, row=row), 2, points=300, width=8.0) for row in x])


@pytest.mark.usefixtures("float64")
@pytest.mark.slow
def test_a_bent_posterior_lies_between_the_bounds():
    model = bent(2, FEATURES * 4)
    both = evaluation.bidirectional_evidence(model, ROWS, temperatures=400, key=jax.random.key(5), **SETTINGS)
    exact = by_quadrature(model, both.x)
    error = np.hypot(both.lower.monte_carlo_error, both.upper.monte_carlo_error).mean() / np.sqrt(ROWS)
    assert error < 0.05
    assert both.lower.mean - 4 * error < exact.mean() < both.upper.mean + 4 * error
    assert abs(both.gap_mean) < 0.1
    assert (np.abs(both.lower.log_evidence - exact) < 4.5 * both.lower.monte_carlo_error).all()


# -- chains of latents, noise, evaluations --------------------------------------------------------------------------


@pytest.mark.usefixtures("float64")
@pytest.mark.slow
def test_two_stochastic_layers():
    """z2 ~ N(0, 1), z1 ~ N(a z2, s^2), x ~ N(W z1 + b, psi): z1 ~ N(0, a^2 + s^2), so log p(x) is known."""
    below, a, s = oracle(), np.array([[0.9, -0.4], [0.3, 0.8]]), 0.5
    upper = likelihoods.Gaussian.fixed(linear(a, np.zeros(2)), s)
    encoder = posteriors.Gaussian(linear(np.zeros((2, 4)), np.zeros(4)))
    model = LatentVariableModel(
        prior=priors.Chain(priors.StandardNormal(2), (upper,)),
        likelihood=likelihoods.Chain(below.model().likelihood),
        posterior=posteriors.Chain(below.model().posterior, (encoder,)),
    )
    covariance = a.T @ a + s**2 * np.eye(2)
    whole = LinearGaussian(below.weight @ np.linalg.cholesky(covariance), below.bias, below.variance)
    found = evaluation.annealed_evidence(model, data(), temperatures=100, key=jax.random.key(1), **SETTINGS)
    exact = whole.log_evidence(data())
    assert (np.abs(found.log_evidence - exact) < 4.5 * found.monte_carlo_error).all()
    assert abs(found.mean - exact.mean()) < 0.1


@pytest.mark.usefixtures("float64")
@pytest.mark.slow
def test_a_row_keeps_its_value_whatever_rows_stand_around_it():
    whole = annealed("prior", 50)
    order = np.array([5, 2, 7])
    settings = SETTINGS | {"batch": 2}  # the last block is padded
    some = evaluation.annealed_evidence(
        wrong(), data()[order], temperatures=50, key=jax.random.key(0), rows=order, **settings
    )
    for field in ("log_evidence", "monte_carlo_error", "ess", "acceptance"):
        np.testing.assert_allclose(getattr(some, field), getattr(whole, field)[order], rtol=1e-6)


class Counting(likelihoods.Gaussian):
    """Counts its evaluations, one for each chain of each row."""

    counted = 0

    def __call__(self, context, given=None, *, key):
        def count(_):
            Counting.counted += 1

        jax.debug.callback(count, context[0])
        return super().__call__(context, key=key)


@pytest.mark.slow
def test_a_leapfrog_step_evaluates_the_decoder_once():
    likelihood = wrong().likelihood
    counting = Counting(likelihood.network, likelihood.family)
    model = LatentVariableModel(wrong().prior, counting, wrong().posterior)
    Counting.counted = 0
    settings = {"chains": 2, "temperatures": 5, "leapfrog": 4, "step": 0.5}
    evaluation.annealed_evidence(model, data()[:3].astype(np.float32), key=jax.random.key(0), **settings)
    jax.effects_barrier()
    assert Counting.counted == 3 * 2 * (5 * 4 + 1)  # and once where a chain begins


# -- what is refused, and warnings ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"chains": 0}, "chains must be at least 1, got 0"),
        ({"temperatures": 0}, "temperatures must be at least 1, got 0"),
        ({"leapfrog": -2}, "leapfrog must be at least 1, got -2"),
        ({"batch": 0}, "batch must be at least 1, got 0"),
        ({"step": 0.0}, "step must be a positive size"),
        ({"x": np.full((2, 6), np.nan)}, "must be finite, got nan in row 0, column 0"),
        ({"x": np.zeros(6)}, r"got shape \(6,\)"),
    ],
)
def test_bad_arguments(arguments: dict, message: str):
    given = {"x": data(), "key": jax.random.key(0)} | arguments
    with pytest.raises(ValueError, match=message):
        evaluation.annealed_evidence(wrong(), **given)


def test_bad_arguments_of_both_directions():
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        evaluation.bidirectional_evidence(wrong(), 0, key=jax.random.key(0))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"start": "middle"}, "start must be prior or posterior, got 'middle'"),
        ({"ladder": "steep"}, "ladder must be sigmoidal or linear, got 'steep'"),
    ],
)
def test_unknown_names(arguments: dict, message: str):
    given = {"chains": 2, "temperatures": 5, "leapfrog": 1, "start": "prior", "ladder": "linear", "step": None}
    with pytest.raises(ValueError, match=message):
        Plan(**(given | arguments))


def test_discrete_latents_are_refused():
    model = LatentVariableModel(
        prior=priors.Bernoulli(LATENT),
        likelihood=wrong().likelihood,
        posterior=posteriors.Bernoulli(linear(np.zeros((FEATURES, LATENT)), np.zeros(LATENT))),
    )
    with pytest.raises(ValueError, match=r"needs continuous latents, got Bernoulli ones.*log_evidence"):
        evaluation.annealed_evidence(model, data(), key=jax.random.key(0))
    with pytest.raises(ValueError, match="needs continuous latents"):
        evaluation.bidirectional_evidence(model, 2, key=jax.random.key(0))


def warnings_of(**columns) -> list[str]:
    values = {"log_evidence": -1.0, "monte_carlo_error": 0.1, "ess": 14.0, "acceptance": 0.65} | columns
    arrays = {name: np.full(4, value) for name, value in values.items() if name != "chains"}
    return AnnealedEvidence(columns.get("chains", 16), 100, 10, "prior", np.arange(4), **arrays).warnings()


def test_warnings_are_in_plain_words():
    assert warnings_of() == []
    assert any("not finite for 4 of 4 rows" in line for line in warnings_of(log_evidence=np.nan))
    assert any("probability 0.10, far from 0.65" in line for line in warnings_of(acceptance=0.1))
    assert any("below 1.1 of 16 chains" in line for line in warnings_of(ess=1.1))
    assert any("one chain per row" in line for line in warnings_of(chains=1, ess=1.0))
    side = AnnealedEvidence(16, 9, 9, "prior", np.arange(1), *np.array([[-9.0], [0.1], [14.0], [0.65]]))
    other = AnnealedEvidence(16, 9, 9, "prior", np.arange(1), *np.array([[-6.0], [0.1], [1.0], [0.65]]))
    lines = BidirectionalEvidence(np.zeros((1, 2)), side, other).warnings()
    assert lines[0].startswith("backward chains: half of the rows")
    assert "an upper bound that falls" in lines[0]
    assert "3.0 nats apart" in lines[1]
