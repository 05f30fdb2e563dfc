"""Objectives as values: what they say of themselves, and the form that they had before, to the bit."""

from functools import cache, partial

import equinox as eqx
import jax
import numpy as np
import optax
import pytest

from iwax import bounds, control_variates, gradients, likelihoods, posteriors, priors, samplers, training
from iwax.model import LatentVariableModel
from iwax.nn import Linear

X = (np.random.default_rng(0).random((8, 4)) > 0.5).astype(np.float32)
KEY = jax.random.key(7)
PATHWISE = gradients.pathwise(bounds.iwae)
AVERAGED = gradients.score_function(bounds.iwae, control_variates.moving_average())


@cache
def model() -> LatentVariableModel:
    return LatentVariableModel(
        priors.StandardNormal(1),
        likelihoods.Bernoulli(Linear(1, 4, key=jax.random.key(0))),
        posteriors.Gaussian(Linear(4, 2, key=jax.random.key(1), heads=2)),
    )


def test_an_objective_says_what_it_is():
    objective = gradients.Objective(PATHWISE, k=5, sampler=samplers.mixture)
    assert repr(objective) == "Objective(pathwise(iwae), k=5, sampler=mixture)"
    chosen = gradients.Objective(AVERAGED, k=50, backward=5, chunk=10)
    assert repr(chosen) == "Objective(score_function(iwae, moving_average(0.95)), k=50, backward=5, chunk=10)"
    pair = gradients.paired(model=PATHWISE, posterior=gradients.pathwise(bounds.miwae(2)))
    assert repr(gradients.Objective(pair, k=4)) == "Objective(pathwise(iwae) | pathwise(miwae(2)), k=4)"
    assert objective == gradients.Objective(PATHWISE, k=5, sampler=samplers.mixture)
    assert len({objective, gradients.Objective(PATHWISE, k=5, sampler=samplers.mixture)}) == 1
    learned = control_variates.Learned(Linear(4, 1, key=KEY))
    hash(gradients.Objective(gradients.score_function(bounds.iwae, learned), k=5))  # arrays in it have no hash
    with pytest.raises(AttributeError):
        objective.k = 6  # type: ignore[misc]


def test_penalties_are_taken_off_the_value_and_not_off_the_bound():
    plain = gradients.Objective(PATHWISE, k=2)
    paying = gradients.Objective(PATHWISE, k=2, penalties=(lambda model, key, x: 1.0, lambda model, key, x: x[:, 0]))
    found, dearer = eqx.filter_jit(lambda model: (plain(model, KEY, X), paying(model, KEY, X)))(model())
    np.testing.assert_array_equal(dearer.bound, found.bound)
    np.testing.assert_allclose(dearer.value, found.value - 1 - X[:, 0], rtol=1e-6)


OLD = {  # what was written, and what is
    "pieces": (partial(gradients.surrogate, k=250, estimator=PATHWISE), gradients.Objective(PATHWISE, k=250)),
    "a control variate": (partial(gradients.surrogate, k=2, estimator=AVERAGED), gradients.Objective(AVERAGED, k=2)),
    "closed-form KL": (partial(gradients.closed_form_kl, k=2, free_bits=0.1), gradients.ClosedFormKL(2, 0.1)),
}


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n == "pieces" else n for n in OLD])
def test_a_partial_of_the_function_of_before_trains_to_the_same_bits(name: str):
    old, new = OLD[name]
    fit = partial(training.fit, model(), x_train=X, optimizer=optax.sgd(0.1), epochs=1, key=KEY)
    with pytest.warns(DeprecationWarning, match=r"partial\(gradients.* is deprecated: write gradients\."):
        before = fit(old)
    assert eqx.tree_equal(before.model, fit(new).model)
    assert before.history == fit(new).history


def test_a_call_of_before_gives_the_same_bits():
    def compiled(call):
        return eqx.filter_jit(call)(model())

    with pytest.warns(DeprecationWarning, match=r"gradients.surrogate\(.* write Objective\(estimator, k\)"):
        old = compiled(lambda model: gradients.surrogate(model, KEY, X, k=2, estimator=PATHWISE, beta=0.5, chunk=1))
    new = gradients.Objective(PATHWISE, k=2, chunk=1)
    assert eqx.tree_equal(old, compiled(lambda model: new(model, KEY, X, beta=0.5)))
    with pytest.warns(DeprecationWarning, match=r"write closed_form_kl\(k=k\)\(model, key, x\)"):
        old = compiled(lambda model: gradients.closed_form_kl(model, KEY, X, k=2))
    assert eqx.tree_equal(old, compiled(lambda model: gradients.closed_form_kl(k=2)(model, KEY, X)))
    with pytest.warns(DeprecationWarning, match=r"write objective.init\(\)"):
        assert training.initial_control(gradients.Objective(PATHWISE, k=2)) is None
