"""Signal-to-noise of gradients: known noise gives the known ratio, and the laws of k hold on the oracle."""

from functools import cache, partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles.linear_gaussian import LinearGaussian

from iwax import bounds, evaluation, gradients, likelihoods, posteriors, priors
from iwax.model import LatentVariableModel
from iwax.nn import Linear
from iwax.parts import Datum

ORACLE = LinearGaussian.random(5, 2, seed=1)
X = ORACLE.sample(16, seed=2).astype(np.float32)
KEY = jax.random.key(3)
KS = (4, 32)


# an encoder of 300 parameters, and a decoder: of both `known` decides the gradients: what they compute is not asked
KNOWN = LatentVariableModel(
    prior=priors.StandardNormal(30),
    likelihood=likelihoods.Bernoulli(network=Linear(30, 4, key=KEY)),
    posterior=posteriors.Gaussian(network=Linear(4, 60, key=KEY)),
)


def flat(part) -> jax.Array:
    return jnp.concatenate([jnp.ravel(leaf) for leaf in jax.tree.leaves(eqx.filter(part, eqx.is_inexact_array))])


MEAN = np.array([1.0, -0.5, 0.25, 0.0, 3.0], np.float32)
SD = np.array([1.0, 2.0, 0.5, 1.0, 6.0], np.float32)


def known(model, key, x, *, sd: np.ndarray) -> gradients.Surrogate:
    """A gradient of known mean and standard deviation in the decoder, and of noise alone in the encoder."""
    gradient = MEAN + sd * jax.random.normal(key, MEAN.shape)
    noise = sd[0] * jax.random.normal(jax.random.fold_in(key, 1), flat(model.posterior).shape)
    total = jnp.sum(flat(model.likelihood)[:5] * gradient) + jnp.sum(flat(model.posterior) * noise)
    return gradients.Surrogate(total + 0 * x.values[:, 0], 0 * x.values[:, 0])


def of_known(objective, seed: int) -> evaluation.SignalToNoise:
    x = np.zeros((2, 4), np.float32)
    return evaluation.gradient_signal_to_noise(KNOWN, x, objective, repeats=200, key=jax.random.key(seed))


def test_what_never_has_a_gradient_is_left_out():
    found = of_known(partial(known, sd=0 * SD), 0)
    assert list(found.groups) == ["encoder", "decoder"]
    assert found.groups["decoder"].parameters == 4  # of five that have a gradient one has the mean 0
    assert found.groups["encoder"].parameters == 0
    assert np.isnan(found.groups["encoder"].ratio)
    assert list(found.tensors) == [
        f"{part}.network.{name}" for part in ("likelihood", "posterior") for name in ("weight", "bias")
    ]
    assert found.groups["decoder"].ratio == np.inf, "a gradient without noise is all signal"


@pytest.mark.slow
def test_a_known_ratio_is_found_and_its_error_is_that_of_repetition():
    objective = partial(known, sd=SD)
    found = [of_known(objective, seed).groups["decoder"] for seed in range(100)]
    squares, ratios = (np.array([getattr(each, name) for each in found]) for name in ("square", "ratio"))
    expected = np.abs(MEAN) / SD
    error = squares.std(ddof=1) / np.sqrt(100)
    assert abs(squares.mean() - (expected**2).mean()) < 4.5 * error, "freed of the noise's share"
    # the sd of an sd of 100 numbers is 7 per cent of it
    assert np.mean([each.square_error for each in found]) == pytest.approx(squares.std(ddof=1), rel=0.3)
    assert np.mean([each.ratio_error for each in found]) == pytest.approx(ratios.std(ddof=1), rel=0.3)
    noise = [of_known(objective, seed).groups["encoder"] for seed in range(10)]
    assert abs(np.mean([each.square for each in noise])) < 4.5 * np.sqrt(2) / 200 / np.sqrt(300 * 10)
    # of a parameter without a signal the ratio is the floor instead of 0
    assert np.mean([each.ratio for each in noise]) == pytest.approx(of_known(objective, 0).floor, rel=0.05)
    floor = evaluation.SignalToNoise(200, 1, {}, {}).floor
    assert ratios.mean() == pytest.approx(expected.mean() + floor / 5, abs=0.01)


@pytest.mark.slow
def test_a_group_is_its_tensors_and_moments_are_those_of_the_draws():
    """Against every repeat's gradient, taken one by one."""
    objective = gradients.Objective(gradients.pathwise(bounds.iwae), k=2)
    model = ORACLE.model(scale=1.3, shift=0.4)
    found = evaluation.gradient_signal_to_noise(model, X, objective, repeats=40, folds=4, key=KEY)
    parameters, static = eqx.partition(model, eqx.is_inexact_array)
    datum = Datum(values=jnp.asarray(X), index=jnp.arange(len(X)))

    @jax.jit
    def gradient(i):
        key = jax.random.fold_in(KEY, i)
        return jax.grad(lambda p: jnp.mean(objective(eqx.combine(p, static), key, datum).value))(parameters)

    each = jax.tree.map(lambda *leaves: np.stack(leaves).astype(np.float64), *[gradient(i) for i in range(40)])
    tensor = each.posterior.network.weight.reshape(40, -1)
    ratio = np.abs(tensor.mean(axis=0)) / tensor.std(axis=0, ddof=1)
    name = "posterior.network.weight"
    assert found.tensors[name].ratio == pytest.approx(ratio.mean(), rel=1e-4)
    assert found.tensors[name].square == pytest.approx((37 / 39 * ratio**2 - 1 / 40).mean(), rel=1e-3)
    both = [found.tensors[f"posterior.network.{part}"] for part in ("weight", "bias")]
    joined = sum(part.parameters * part.ratio for part in both) / sum(part.parameters for part in both)
    assert found.groups["encoder"].parameters == sum(part.parameters for part in both) == 24
    assert found.groups["encoder"].ratio == pytest.approx(joined)
    assert found.tensors["likelihood.family.log_scale"].parameters == 0, "held fixed"
    assert list(found.groups) == ["encoder", "decoder"]


@cache
def against_k(estimator) -> list[evaluation.SignalToNoise]:
    objectives = [gradients.Objective(estimator(bounds.iwae), k=k) for k in KS]
    model = ORACLE.model(scale=1.3, shift=0.4)
    return [evaluation.gradient_signal_to_noise(model, X, each, repeats=1000, key=KEY) for each in objectives]


@pytest.mark.parametrize(
    ("estimator", "slope"),
    [(gradients.pathwise, -0.5), (gradients.doubly_reparameterized, 0.5)],
)
@pytest.mark.slow
def test_the_encoder_loses_signal_with_k_under_pathwise_and_gains_under_dreg(estimator, slope: float):
    """As k^(-1/2) (Rainforth et al. 2018) and k^(1/2) (Tucker et al. 2019), at k so large that the laws set in."""
    few, many = (found.groups["encoder"] for found in against_k(estimator))
    sign = np.sign(slope)
    assert sign * (many.square - few.square) > 5 * np.hypot(few.square_error, many.square_error)
    assert sign * (many.ratio - few.ratio) > 5 * np.hypot(few.ratio_error, many.ratio_error)
    relative = [0.5 * each.square_error / each.square for each in (few, many)]
    found = np.log(many.rms / few.rms) / np.log(KS[1] / KS[0])
    assert abs(found - slope) < 4 * np.hypot(*relative) / np.log(KS[1] / KS[0]) + 0.1


@pytest.mark.slow
def test_the_decoder_gains_under_both():
    for estimator in (gradients.pathwise, gradients.doubly_reparameterized):
        few, many = (found.groups["decoder"] for found in against_k(estimator))
        assert many.square - few.square > 5 * np.hypot(few.square_error, many.square_error)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"repeats": 30}, "repeats must be a multiple of 10, .* at least 40, got 30"),
        ({"repeats": 45}, "got 45"),
        ({"folds": 1}, "folds must be at least 2, got 1"),
        ({"x": np.full((2, 5), np.nan)}, "must be finite, got nan in row 0, column 0"),
    ],
)
def test_bad_arguments(arguments: dict, message: str):
    given = {"x": X, "objective": known, "repeats": 40, "key": KEY} | arguments
    with pytest.raises(ValueError, match=message):
        evaluation.gradient_signal_to_noise(ORACLE.model(), **given)
