"""A part of one's own: a prior with heavier tails than N(0, I), in a model that otherwise stays as it is.

    python examples/own_prior.py

A prior is an Equinox module that derives from `iwax.parts.Prior` and gives a distribution. That is all that
bounds, gradients, training and evaluation ask for.
"""

import argparse
import sys
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optax

from iwax import (
    bounds,
    data,
    distributions,
    evaluation,
    gradients,
    likelihoods,
    nn,
    parts,
    posteriors,
    priors,
    training,
)
from iwax.model import LatentVariableModel


class HeavyTailed(parts.Prior):
    """``p(z) = prod_j t(z_j; df, 0, 1)`` with one learned number of degrees of freedom, above 2."""

    log_excess: jax.Array
    features: int = eqx.field(static=True)

    def __call__(self, given: Any = None, *, key: jax.Array) -> distributions.StudentT:
        """The same distribution whatever the covariates."""
        each = jnp.ones(self.features)
        return distributions.StudentT(each * (2 + jnp.exp(self.log_excess)), 0 * each, each)


def main() -> None:
    """The same net with either prior."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--epochs", type=int, default=100)
    words.add_argument("--k", type=int, default=1000, help="importance samples of the evaluation")
    asked = words.parse_args()

    digits, keys = data.load("digits"), jax.random.split(jax.random.key(0), 4)
    objective = gradients.Objective(gradients.doubly_reparameterized(bounds.iwae), k=5)
    for prior in (priors.StandardNormal(8), HeavyTailed(jnp.log(8.0), 8)):
        model = LatentVariableModel(
            prior=prior,
            likelihood=likelihoods.Bernoulli(nn.MLP(8, (64,), 64, key=keys[0])),
            posterior=posteriors.Gaussian(nn.MLP(64, (64,), 2 * 8, key=keys[1])),
        )
        adam, x = optax.adam(2e-3), digits.train.values
        result = training.fit(model, objective, x, binarize=True, optimizer=adam, epochs=asked.epochs, key=keys[2])
        found = evaluation.log_evidence(result.model, digits.test.values, k=asked.k, key=keys[3])
        line = f"{type(prior).__name__:14s} log p(x) = {found.mean:.2f} +/- {found.standard_error:.2f} nats"
        if isinstance(result.model.prior, HeavyTailed):
            line += f"; degrees of freedom {2 + float(jnp.exp(result.model.prior.log_excess)):.1f}"
        sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
