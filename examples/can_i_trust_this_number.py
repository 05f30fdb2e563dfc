"""Can I trust this number? One model of the digits, and log p(x) by methods that err in different ways.

    python examples/can_i_trust_this_number.py

The expected IWAE bound rises with k to log p(x); annealed importance sampling comes from elsewhere, and starts at the
prior. Where the curve is flat and the two agree within their errors, the number can be believed.
"""

import argparse
import sys

import jax
import numpy as np
import optax

from iwax import bounds, data, evaluation, gradients, likelihoods, nn, posteriors, priors, training
from iwax.model import LatentVariableModel


def main() -> None:
    """Train, then measure in two ways."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--epochs", type=int, default=100)
    words.add_argument("--rows", type=int, default=50, help="test images")
    words.add_argument("--k", type=int, default=5000, help="importance samples an image")
    words.add_argument("--temperatures", type=int, default=500, help="of annealing")
    asked = words.parse_args()

    digits, keys = data.load("digits"), jax.random.split(jax.random.key(0), 5)
    model = LatentVariableModel(
        prior=priors.StandardNormal(8),
        likelihood=likelihoods.Bernoulli(nn.MLP(8, (64,), 64, key=keys[0])),
        posterior=posteriors.Gaussian(nn.MLP(64, (64,), 2 * 8, key=keys[1])),
    )
    objective = gradients.Objective(gradients.doubly_reparameterized(bounds.iwae), k=5)
    adam, x = optax.adam(2e-3), digits.train.values
    model = training.fit(model, objective, x, binarize=True, optimizer=adam, epochs=asked.epochs, key=keys[2]).model

    x = digits.test.values[: asked.rows]
    curve = evaluation.convergence_in_k(model, x, k=asked.k, key=keys[3])
    for k, rows, errors in zip(curve.ks, curve.per_row, curve.per_row_error, strict=True):
        error = np.sqrt(np.sum(errors**2)) / len(x)
        sys.stdout.write(f"k = {k:5d}   bound {rows.mean():.3f} +/- {error:.3f} (over draws)\n")
    found = evaluation.log_evidence(model, x, k=asked.k, key=keys[3])
    sys.stdout.write(f"ESS median {found.ess_median:.0f} of {asked.k}; Pareto k > 0.7: {found.pareto_k_over():.0%}\n")
    annealed = evaluation.annealed_evidence(model, x, chains=16, temperatures=asked.temperatures, key=keys[4])
    gain = annealed.log_evidence - found.log_evidence
    error = np.sqrt(np.sum(annealed.monte_carlo_error**2 + found.monte_carlo_error**2)) / len(x)
    sys.stdout.write(f"annealed less importance sampling: {gain.mean():.3f} +/- {error:.3f} nats (over draws)\n")
    sys.stdout.write("\n".join([*found.warnings(), f"log p(x) = {found.mean:.2f} +/- {found.standard_error:.2f}\n"]))


if __name__ == "__main__":
    main()
