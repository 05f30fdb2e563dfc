"""Rows shared out among devices, next to one device: a process of its own, to which JAX gives as many as are asked for.

python several_devices.py '["iwae in pieces", "evaluation"]' '[2, 8]'
"""

import json
import os
import subprocess
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from iwax import (
    bounds,
    control_variates,
    evaluation,
    gradients,
    inference,
    likelihoods,
    nn,
    parallel,
    posteriors,
    priors,
    training,
)
from iwax.model import LatentVariableModel

GRADIENT, VALUES = 1e-5, 1e-6  # how far, relative to the largest, the first gradient and everything else may be apart

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


def first_gradient(objective: gradients.AbstractObjective, piece: int | None) -> np.ndarray:
    """The gradient of the first step, as one array."""
    plan, optimizer = training.Plan(epochs=1, batch=20, seed=0, piece=piece, missing=True), optax.adam(1e-2)
    state = parallel.copied(training.initial_state(model, optimizer, control=objective.init()))
    update = jax.jit(lambda s, *rest: training.updates(objective, optimizer, plan, 33)(eqx.combine(s, state), *rest)[2])
    arrays = eqx.filter(state, eqx.is_array)
    gradient = update(arrays, *parallel.copied((jnp.asarray(incomplete), jnp.arange(33, dtype=jnp.int32))))
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(gradient)])


def everything(asked: list[str]) -> dict[str, np.ndarray]:
    """What is compared, by name."""
    found = {f"gradient, {name}": first_gradient(*how) for name, how in objectives.items() if name in asked}
    if "evaluation" in asked:
        key = jax.random.key(1)
        found["log p(x)"] = evaluation.log_evidence(model, x, k=20, key=key, batch=7).log_evidence
        found["imputed"] = inference.impute(model, incomplete, k=20, key=key).values
        found["embedded"] = inference.embed(model, x, key=key)
    return found


def differences(asked: list[str], counts: list[int]) -> dict[str, float]:
    """How far each is from that of one device, relative to the largest number, on each of these numbers of devices."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={max(counts)}"
    words = [sys.executable, __file__, json.dumps(asked), json.dumps(counts)]
    done = subprocess.run(words, env={**os.environ, "XLA_FLAGS": flags}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def too_far(found: dict[str, float]) -> dict[str, float]:
    """Those that are farther apart than they may be."""
    return {name: off for name, off in found.items() if off > (GRADIENT if name.startswith("gradient") else VALUES)}


def main() -> None:
    """Print the differences as JSON."""
    asked, counts = json.loads(sys.argv[1]), json.loads(sys.argv[2])
    one, off = everything(asked), {}
    for count in counts:
        with parallel.over(count):
            for name, values in everything(asked).items():
                off[f"{name}, {count} devices"] = float(np.abs(values - one[name]).max() / np.abs(one[name]).max())
    sys.stdout.write(json.dumps(off))


if __name__ == "__main__":
    main()
