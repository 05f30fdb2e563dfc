"""What bounds and estimators cannot serve is refused in one line that names both sides, and says what to use."""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles.linear_gaussian import linear

from iwax import bounds, control_variates, gradients, likelihoods, posteriors, priors
from iwax.model import LatentVariableModel
from iwax.parts import Datum

KEY = jax.random.key(0)


def surrogate(**how):
    """Traced: what is refused is refused before anything is computed."""
    model = LatentVariableModel(
        priors.StandardNormal(1),
        likelihoods.Bernoulli(linear(np.ones((1, 2)), np.zeros(2))),
        posteriors.Gaussian(linear(np.ones((2, 2)), np.zeros(2))),
    )
    return jax.eval_shape(lambda: gradients.Objective(**how)(model, KEY, Datum(values=jnp.ones((2, 2)))))


def holding(value: float):
    """Log-weights [3 draws, 2 data], all 0 but one."""
    return jnp.zeros((3, 2)).at[1, 0].set(value)


LARGEST = bounds.renyi(-math.inf)
PATHWISE = gradients.pathwise(bounds.iwae)
BASELINE = gradients.score_function(bounds.iwae, control_variates.leave_one_out)

REFUSED = {
    # a number out of range
    "ciwae below 0": (lambda: bounds.ciwae(-0.1), r"0 <= beta <= 1 .* got beta=-0.1"),
    "ciwae above 1": (lambda: bounds.ciwae(1.5), r"0 <= beta <= 1 .* got beta=1.5"),
    "ciwae of NaN": (lambda: bounds.ciwae(math.nan), "got beta=nan"),
    "renyi of NaN": (lambda: bounds.renyi(math.nan), "finite alpha, or -inf .* got alpha=nan"),
    "renyi of inf": (lambda: bounds.renyi(math.inf), "finite alpha, or -inf .* got alpha=inf"),
    "cubo of 1": (lambda: bounds.cubo(1.0), r"above 1 \(1 is iwae\), got n=1"),
    "cubo of inf": (lambda: bounds.cubo(math.inf), "got n=inf"),
    "cubo of NaN": (lambda: bounds.cubo(math.nan), "got n=nan"),
    "miwae of 0 groups": (lambda: bounds.miwae(0), "at least one group of draws, got m=0"),
    "miwae of -2 groups": (lambda: bounds.miwae(-2), "got m=-2"),
    "jackknife of order -1": (lambda: bounds.jackknife(-1), "order of at least 0, got order=-1"),
    "jackknife of no subsets": (lambda: bounds.jackknife(2, subsets=0), "at least one random subset .* got subsets=0"),
    "thermodynamic of 0": (lambda: bounds.thermodynamic(0), "at least one interval, got intervals=0"),
    "thermodynamic from 0": (lambda: bounds.thermodynamic(3, first=0.0), "0 < first < 1, got first=0.0"),
    "thermodynamic from 1": (lambda: bounds.thermodynamic(3, first=1.0), "0 < first < 1, got first=1.0"),
    "sumo from 0": (lambda: bounds.sumo(0), "at least one draw, got m=0"),
    "average of decay 1": (lambda: control_variates.moving_average(1.0), "0 <= decay < 1, got decay=1.0"),
    # a bound and the draws that there are
    "order 3 of 3 draws": (lambda: bounds.jackknife(3)(jnp.zeros(3)), r"jackknife\(3\) needs k of at least 4, got k=3"),
    "order 1 of 1 draw": (lambda: bounds.jackknife(1)(jnp.zeros(1)), r"k of at least 2, got k=1"),
    "4 groups of 6 draws": (lambda: bounds.miwae(4)(jnp.zeros((6, 2))), "multiple of its m=4 .* got k=6"),
    "their derivatives": (
        lambda: bounds.miwae(4).derivatives(jnp.zeros((6, 2)), None),
        "multiple of its m=4 .* got k=6",
    ),
    "8 groups of 6 draws": (lambda: bounds.miwae(8)(jnp.zeros(6)), "k of at least 8, got k=6"),
    "sumo of its start": (lambda: bounds.sumo(3)(jnp.zeros(3), KEY), "at least 4, got k=3"),
    "groups in a surrogate": (lambda: surrogate(k=6, estimator=gradients.pathwise(bounds.miwae(4))), "m=4 .* got k=6"),
    "order in a surrogate": (
        lambda: surrogate(k=2, estimator=gradients.doubly_reparameterized(bounds.jackknife(2))),
        r"jackknife\(2\) needs k of at least 3, got k=2",
    ),
    # a key
    "sumo without key": (lambda: bounds.sumo(1)(jnp.zeros(3)), r"sumo\(1\) draws random numbers .* needs a key"),
    "its derivatives": (lambda: bounds.sumo(1).derivatives(jnp.zeros(3), None), "needs a key, got None"),
    "many subsets without key": (
        lambda: bounds.jackknife(2)(jnp.zeros(200)),
        r"jackknife\(2\) draws random numbers at k=200: it needs a key",
    ),
    "their derivatives without key": (
        lambda: bounds.jackknife(2).derivatives(jnp.zeros(200), None),
        "random subsets at k=200: it needs a key",
    ),
    # numbers that no log-weight is
    "NaN": (lambda: bounds.iwae(holding(math.nan)), "finite or -inf, got nan at draw 1, datum 0"),
    "+inf": (lambda: bounds.renyi(0.5)(holding(math.inf)), "finite or -inf, got inf at draw 1, datum 0"),
    "NaN of one datum": (lambda: bounds.elbo(jnp.array([0.0, math.nan])), "got nan at draw 1:"),
    # a bound and an estimator
    "sticking of a kink": (
        lambda: gradients.sticking_the_landing(LARGEST),
        r"sticking_the_landing needs .* got renyi\(-inf\), which has a kink: use pathwise or score_function",
    ),
    "double of a kink": (
        lambda: gradients.doubly_reparameterized(LARGEST),
        r"doubly_reparameterized needs .* got renyi\(-inf\), which has a kink: use pathwise or score_function",
    ),
    "covariance of iwae": (
        lambda: gradients.covariance(bounds.iwae),
        "covariance gradient needs a thermodynamic bound, got iwae: use score_function",
    ),
    "a model with baseline": (
        lambda: gradients.paired(model=BASELINE, posterior=PATHWISE),
        "without a control variate, got score_function: use pathwise",
    ),
    "leave one of one out": (lambda: surrogate(k=1, estimator=BASELINE), "at least 2 draws, got k=1: use moving_av"),
    # k, and how many of the draws
    "k of 0": (lambda: surrogate(k=0, estimator=PATHWISE), "k, the number of draws, must be at least 1, got 0"),
    "backward above k": (lambda: surrogate(k=3, estimator=PATHWISE, backward=4), "must lie in 1..k=3, got 4"),
    "backward of 0": (lambda: surrogate(k=3, estimator=PATHWISE, backward=0), "must lie in 1..k=3, got 0"),
    "chunk of 0": (lambda: surrogate(k=3, estimator=PATHWISE, chunk=0), "chunk, .* must be at least 1, got 0"),
}


@pytest.mark.parametrize(("call", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_served_is_refused(call, message: str):
    with pytest.raises(ValueError, match=message) as refused:
        call()
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gradients.pathwise(bounds.ciwae), r"such as .* got ciwae, which makes one: call it"),
        (lambda: gradients.doubly_reparameterized(bounds.renyi), "got renyi, which makes one: call it"),
        (lambda: gradients.covariance("thermodynamic"), "covariance needs a bound, .* got 'thermodynamic'"),
        (lambda: gradients.score_function(bounds.iwae, "leave_one_out"), "needs a control variate, .* 'leave_one_out'"),
        (lambda: gradients.score_function(bounds.iwae, control_variates.moving_average), "needs a control variate"),
        (lambda: surrogate(k=2, estimator=bounds.iwae), "estimator needs to be one, such as"),
    ],
)
def test_what_is_of_another_kind_is_refused(call, message: str):
    with pytest.raises(TypeError, match=message):
        call()


def test_a_side_that_is_neither_is_refused():
    with pytest.raises((ValueError, TypeError)):  # of the wrong type where types are checked
        bounds.thermodynamic(2, side="middle")


@pytest.mark.slow
def test_the_posteriors_target_must_be_one_that_k_draws_have():
    pair = partial(gradients.paired, model=PATHWISE)
    with pytest.raises(ValueError, match="got k=3"):
        surrogate(k=3, estimator=pair(posterior=gradients.pathwise(bounds.miwae(2))))
    with pytest.raises(ValueError, match="got k=2"):
        surrogate(k=2, estimator=pair(posterior=gradients.pathwise(bounds.jackknife(2))))
    with pytest.raises(ValueError, match="got k=1"):
        surrogate(k=1, estimator=pair(posterior=gradients.pathwise(bounds.jackknife(1))))


def test_weights_of_zero_and_traced_values_pass():
    assert float(bounds.iwae(holding(-math.inf))[0]) == pytest.approx(math.log(2 / 3))
    assert np.isnan(jax.jit(bounds.iwae)(holding(math.nan))[0])  # nothing can be looked at there
