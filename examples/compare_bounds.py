"""Does the objective matter? One small net on the digits, trained by the ELBO, by IWAE and by PIWAE, measured alike.

    python examples/compare_bounds.py

The difference to the first is taken image by image, so that its error is far smaller than that of either number.
"""

import argparse
import sys

import jax
import numpy as np
import optax

from iwax import bounds, data, evaluation, gradients, likelihoods, nn, posteriors, priors, training
from iwax.model import LatentVariableModel

ESTIMATORS = {
    "ELBO": gradients.pathwise(bounds.elbo),
    "IWAE": gradients.doubly_reparameterized(bounds.iwae),
    "PIWAE": gradients.paired(model=gradients.pathwise(bounds.iwae), posterior=gradients.pathwise(bounds.miwae(4))),
}


def main() -> None:
    """Train each from the same first weights, and compare."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--epochs", type=int, default=100)
    words.add_argument("--k", type=int, default=1000, help="importance samples of the evaluation")
    asked = words.parse_args()

    digits, keys = data.load("digits"), jax.random.split(jax.random.key(0), 4)
    first: np.ndarray | None = None
    for name, estimator in ESTIMATORS.items():
        model = LatentVariableModel(
            prior=priors.StandardNormal(10),
            likelihood=likelihoods.Bernoulli(nn.MLP(10, (100,), 64, key=keys[0])),
            posterior=posteriors.Gaussian(nn.MLP(64, (100,), 2 * 10, key=keys[1])),
        )
        objective = gradients.Objective(estimator, k=8)
        adam, x = optax.adam(1e-3), digits.train.values
        result = training.fit(model, objective, x, binarize=True, optimizer=adam, epochs=asked.epochs, key=keys[2])
        found = evaluation.log_evidence(result.model, digits.test.values, k=asked.k, key=keys[3])
        line = f"{name:6s} log p(x) = {found.mean:.2f} +/- {found.standard_error:.2f} nats"
        first = found.log_evidence if first is None else first
        gain = found.log_evidence - first
        if name != "ELBO":
            line += f", above the ELBO's by {gain.mean():.3f} +/- {gain.std(ddof=1) / np.sqrt(gain.size):.3f}"
        sys.stdout.write("\n".join([line, *found.warnings()]) + "\n")


if __name__ == "__main__":
    main()
