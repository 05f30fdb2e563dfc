"""A first model in Python: points on a ring, two latents, an IWAE, and a picture of data next to samples.

python examples/first_model.py -o ring.png
"""

import argparse
import sys
from pathlib import Path

import jax
import optax

from iwax import bounds, data, evaluation, gradients, inference, likelihoods, nn, posteriors, priors, training
from iwax.model import LatentVariableModel
from iwax.report import figures


def main() -> None:
    """Train, measure, draw."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("-o", "--output", type=Path, default=Path("ring.png"))
    words.add_argument("--epochs", type=int, default=40)
    words.add_argument("--k", type=int, default=1000, help="importance samples of the evaluation")
    asked = words.parse_args()

    ring, keys = data.load("ring"), jax.random.split(jax.random.key(0), 5)
    model = LatentVariableModel(
        prior=priors.StandardNormal(2),
        likelihood=likelihoods.Gaussian.scalar(nn.MLP(2, (64, 64), 2, key=keys[0]), 0.5),
        posterior=posteriors.Gaussian(nn.MLP(2, (64, 64), 2 * 2, key=keys[1])),
    )
    objective = gradients.Objective(gradients.doubly_reparameterized(bounds.iwae), k=20)
    result = training.fit(
        model, objective, ring.train.values, optimizer=optax.adam(2e-3), epochs=asked.epochs, key=keys[2]
    )
    evidence = evaluation.log_evidence(result.model, ring.test.values, k=asked.k, key=keys[3])
    lines = [f"log p(x) = {evidence.mean:.3f} +/- {evidence.standard_error:.3f} nats", *evidence.warnings()]
    drawn = inference.generate(result.model, 1000, key=keys[4])
    lines.append(f"wrote {figures.scatter(ring.test.values, drawn.sample).write(asked.output)}")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
