"""The importance-weighted posterior on latents of a few states, where every expectation is a sum."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import enumerable

from iwax import evaluation
from iwax.evaluation import importance_elbo, importance_posterior
from iwax.parts import Datum

KEY = jax.random.key(11)

pytestmark = pytest.mark.usefixtures("float64")

Q = np.array([0.3, 0.7])
JOINT = np.array([0.25, 0.05])  # p(x, z); p(x) = 0.3


def two_state_density(k: int) -> np.ndarray:
    """q_EW over the two states, exactly."""
    found = np.zeros(2)
    for z in (0, 1):
        for others in itertools.product((0, 1), repeat=k - 1):
            w = JOINT[[z, *others]] / Q[[z, *others]]
            found[z] += Q[list(others)].prod() * JOINT[z] / w.mean()
    return found


def expected_terms(k: int, outer: int) -> np.ndarray:
    """E (lower, upper, iwae) over every outcome of k + outer (k - 1) draws."""
    states = np.array(list(itertools.product((0, 1), repeat=k + outer * (k - 1)))).T  # [draws, outcomes]
    log_w = np.log(JOINT / Q)[states]
    others = log_w[k:].reshape(outer, k - 1, states.shape[1])
    return np.array(importance_elbo.elbo_terms(log_w[:k], others)) @ Q[states].prod(axis=0)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_the_two_sides_and_iwae_are_ordered_in_exact_expectation(k: int):
    density = two_state_density(k)
    assert density.sum() == pytest.approx(1, abs=1e-14)
    elbo = density @ np.log(JOINT / density)
    assert elbo <= np.log(0.3) + 1e-14
    previous = None
    for outer in (1, 2, 4):
        lower, upper, iwae = expected_terms(k, outer)
        assert iwae - 1e-14 <= lower <= elbo + 1e-14
        assert elbo - 1e-14 <= upper
        if k > 1:
            assert iwae + 1e-4 < lower < elbo - 1e-5
            assert upper > elbo + 1e-5
            if previous is not None:
                assert lower > previous[0]
                assert upper < previous[1]
        previous = lower, upper
    if k == 1:
        np.testing.assert_allclose(expected_terms(1, 3), Q @ np.log(JOINT / Q), atol=1e-14)


def test_against_every_set_of_others_the_upper_side_is_the_elbo():
    """With both states equally likely all sets of others, each once, are the exact expectation in the density."""
    q, k = np.array([0.5, 0.5]), 3
    every = np.array(list(itertools.product((0, 1), repeat=k)))
    log_w = np.log(JOINT / q)[every.T]  # [k, outcomes]
    sets = np.log(JOINT / q)[np.array(list(itertools.product((0, 1), repeat=k - 1)))]  # [sets, k - 1]
    others = np.repeat(sets[:, :, None], log_w.shape[1], axis=2)
    _, upper, _ = importance_elbo.elbo_terms(log_w, others)
    w = JOINT / q
    density = np.array([np.mean([JOINT[z] / np.mean([w[z], *np.exp(each)]) for each in sets]) for z in (0, 1)])
    assert density.sum() == pytest.approx(1, abs=1e-14)
    assert upper.mean() == pytest.approx(density @ np.log(JOINT / density), abs=1e-14)


@pytest.mark.slow
def test_binary_latents_are_resampled_with_the_exact_probabilities_and_have_the_exact_density():
    """At k = 3, where the states of the two others are summed over; at k = 2 some wrong ways of choosing are right."""
    parameters, x, k = enumerable.random(2, 3, seed=1), np.array([1.0, 1.0, 0.0]), 3
    model, states = enumerable.model(parameters), enumerable.states(2)
    q = np.exp(enumerable.log_q(parameters, x, states))
    w = np.exp(enumerable.log_w(parameters, x, states))
    pairs = itertools.product(range(4), repeat=2)
    exact = sum(q[i] * q[j] * q * w / ((w + w[i] + w[j]) / k) for i, j in pairs)
    assert exact.sum() == pytest.approx(1, abs=1e-12)
    assert np.abs(exact - q).max() > 0.1
    rows = Datum(values=jnp.asarray(np.tile(x, (50, 1))), index=jnp.arange(50))
    drawn = np.asarray(importance_posterior.resampled(model, KEY, rows, k=k, draws=1000)).reshape(-1, 2)
    found = np.array([(drawn == state).all(axis=1).mean() for state in states])
    assert (np.abs(found - exact) < 4.5 * np.sqrt(exact * (1 - exact) / len(drawn))).all()
    density = evaluation.importance_posterior_log_prob(model, x[None], states[None], k=k, outer=5000, key=KEY)
    assert (np.abs(density.log_prob[0] - np.log(exact)) < 4.5 * density.error[0]).all()
