"""The memory of an evaluation does not grow with the number of draws."""

import subprocess
import sys

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


def test_the_peak_at_a_million_draws_is_that_at_ten_thousand():
    result = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    few, many = (int(line) for line in result.stdout.split())
    assert many <= 1.1 * few
