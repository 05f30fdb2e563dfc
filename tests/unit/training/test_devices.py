"""Rows shared out among devices: the numbers of one device, in a process of its own that JAX gives eight."""

import json
import os
import subprocess
import sys

import jax
import numpy as np
import pytest

from iwax import parallel

PROGRAM = """
import json, sys
import equinox as eqx, jax, jax.numpy as jnp, numpy as np, optax
from iwax import bounds, control_variates, evaluation, gradients, inference
from iwax import likelihoods, nn, parallel, posteriors, priors, training
from iwax.model import LatentVariableModel

of_likelihood, of_posterior = jax.random.split(jax.random.key(0))
model = LatentVariableModel(
    prior=priors.StandardNormal(2),
    likelihood=likelihoods.Bernoulli(nn.MLP(2, (8,), 6, key=of_likelihood)),
    posterior=posteriors.Gaussian(nn.MLP(6, (8,), 4, key=of_posterior)),
)
x = (np.random.default_rng(0).random((33, 6)) < 0.3).astype(np.float32)
incomplete = np.where(np.random.default_rng(1).random(x.shape) < 0.2, np.nan, x)
baseline = gradients.score_function(bounds.iwae, control_variates.moving_average())
objectives = {
    "iwae in pieces": (gradients.Objective(gradients.doubly_reparameterized(bounds.iwae), k=3), 5),
    "free bits": (gradients.closed_form_kl(k=2, free_bits=0.1), None),
    "score function": (gradients.Objective(baseline, k=3), None),
}

def first_gradient(objective, piece):
    plan, optimizer = training.Plan(epochs=1, batch=20, seed=0, piece=piece, missing=True), optax.adam(1e-2)
    state = parallel.copied(training.initial_state(model, optimizer, control=objective.init()))
    update = jax.jit(lambda s, *rest: training.updates(objective, optimizer, plan, 33)(eqx.combine(s, state), *rest)[2])
    arrays = eqx.filter(state, eqx.is_array)
    gradient = update(arrays, *parallel.copied((jnp.asarray(incomplete), jnp.arange(33, dtype=jnp.int32))))
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(gradient)])

def everything():
    found = {f"gradient, {name}": first_gradient(*how) for name, how in objectives.items() if name in asked}
    if "evaluation" in asked:
        key = jax.random.key(1)
        found["log p(x)"] = evaluation.log_evidence(model, x, k=20, key=key, batch=7).log_evidence
        found["imputed"] = inference.impute(model, incomplete, k=20, key=key).values
        found["embedded"] = inference.embed(model, x, key=key)
    return found

asked, counts = json.loads(sys.argv[1]), json.loads(sys.argv[2])
one, off = everything(), {}
for count in counts:
    with parallel.over(count):
        for name, values in everything().items():
            off[f"{name}, {count} devices"] = float(np.abs(values - one[name]).max() / np.abs(one[name]).max())
print(json.dumps(off))
"""


def differences(asked: list[str], counts: list[int]) -> dict[str, float]:
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={max(counts)}"
    words = [sys.executable, "-c", PROGRAM, json.dumps(asked), json.dumps(counts)]
    done = subprocess.run(words, env={**os.environ, "XLA_FLAGS": flags}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def within(found: dict[str, float]) -> None:
    for name, off in found.items():
        assert off <= (1e-5 if name.startswith("gradient") else 1e-6), (name, off)


def test_three_devices_give_the_numbers_of_one():
    found = differences(["iwae in pieces", "evaluation"], [3])
    assert len(found) == 4
    within(found)


@pytest.mark.slow
def test_two_four_and_eight_devices_give_the_numbers_of_one():
    found = differences(["iwae in pieces", "free bits", "score function", "evaluation"], [2, 4, 8])
    assert len(found) == 18
    within(found)


def test_one_device_is_as_without():
    x = np.arange(6.0).reshape(3, 2)
    for devices in (None, 1, "all"):
        with parallel.over(devices):
            assert parallel.count() == len(jax.devices()) == 1
            assert parallel.whole(3) == 3
            assert parallel.shared(x) is x


@pytest.mark.parametrize("devices", [0, -1, True, 1.5, "some"])
def test_what_is_no_number_of_devices_is_refused(devices):
    with (
        pytest.raises(ValueError, match=r"devices needs to be a whole number from 1, or all, got"),
        parallel.over(devices),
    ):
        pass


def test_more_devices_than_there_are_are_refused():
    with parallel.over(64), pytest.raises(ValueError, match="devices: 64 were asked for, JAX has 1 here"):
        parallel.count()
