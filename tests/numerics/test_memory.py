"""The memory of an evaluation, and of a training step, does not grow with the number of draws."""

import subprocess
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
import pytest

from iwax import bounds, gradients, likelihoods, nn, posteriors, priors, training
from iwax.model import LatentVariableModel

SCRIPT = """
import resource
import jax, numpy as np
from iwax import evaluation, likelihoods, posteriors, priors
from iwax.model import LatentVariableModel
from iwax.nn import Linear

model = LatentVariableModel(
    prior=priors.StandardNormal(2),
    likelihood=likelihoods.Bernoulli(Linear(2, 30, key=jax.random.key(0))),
    posterior=posteriors.Gaussian(Linear(30, 4, key=jax.random.key(1))),
)
x = np.zeros((2, 30), np.float32)
for k in (10_000, 1_000_000):
    evaluation.log_evidence(model, x, k=k, key=jax.random.key(2), chunk=1000)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_the_peak_at_a_million_draws_is_that_at_ten_thousand():
    result = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    few, many = (int(line) for line in result.stdout.split())
    assert many <= 1.1 * few


def temporary_bytes(k: int) -> int:
    """What a compiled training step at k needs beside its inputs and outputs, as training cuts it into pieces."""
    batch = 20
    model = LatentVariableModel(
        prior=priors.StandardNormal(5),
        likelihood=likelihoods.Bernoulli(nn.MLP(5, (50,), 100, key=jax.random.key(0))),
        posterior=posteriors.Gaussian(nn.MLP(100, (50,), 10, key=jax.random.key(1))),
    )
    chunk = training.draws_per_chunk(k)
    estimator = gradients.doubly_reparameterized(bounds.iwae)
    objective = gradients.Objective(estimator, k=k, chunk=chunk)
    plan = training.Plan(epochs=1, batch=batch, seed=0, piece=training.rows_per_piece(batch, k))
    optimizer = optax.sgd(0.1)
    state = training.initial_state(model, optimizer)
    update = training.updates(objective, optimizer, plan, batch)
    arrays, static = eqx.partition(state, eqx.is_array)

    def step(arrays, data, order):
        return eqx.filter(update(eqx.combine(arrays, static), data, order)[0], eqx.is_array)

    lowered = jax.jit(step).lower(arrays, jnp.zeros((batch, 100), jnp.uint8), jnp.arange(batch))
    return lowered.compile().memory_analysis().temp_size_in_bytes


@pytest.mark.slow
def test_a_step_at_ten_thousand_draws_needs_the_memory_of_one_at_fifty():
    assert temporary_bytes(10_000) <= 1.1 * temporary_bytes(50)
