"""A model whose log p(x) is known exactly, measured by the same code that measures every other model.

x = z W + noise with z ~ N(0, I): p(x) is the Gaussian N(0, W'W + s^2 I), and q(z|x) is the exact mean with a scale
that is too wide, so that the weights vary and the estimate has something to get wrong.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from iwax import evaluation, likelihoods, nn, posteriors, priors
from iwax.model import LatentVariableModel

__all__ = ["self_test"]

LATENT, FEATURES, ROWS, SCALE, WIDER = 2, 5, 50, 0.7, 1.2
ERRORS, FLOOR = 5.0, 1e-3  # allowed: five standard errors of the draws, and the rounding of single precision


def self_test(*, k: int = 2000) -> dict[str, Any]:
    """Estimate and exact value of the mean log p(x), their allowed difference, and whether it holds."""
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(LATENT, FEATURES))
    covariance = weight.T @ weight + SCALE**2 * np.eye(FEATURES)
    x = rng.multivariate_normal(np.zeros(FEATURES), covariance, size=ROWS)
    quadratic = np.einsum("ni,ij,nj->n", x, np.linalg.inv(covariance), x)
    exact = -0.5 * float(np.mean(quadratic) + np.linalg.slogdet(2 * np.pi * covariance)[1])
    model = _model(weight)
    evidence = evaluation.log_evidence(model, x.astype(np.float32), k=k, key=jax.random.key(0))
    draws = evaluation.error_of_mean(evidence.monte_carlo_error)
    allowed = ERRORS * draws + FLOOR
    estimate = float(evidence.mean)
    return {
        "exact": exact,
        "estimate": estimate,
        "allowed": allowed,
        "k": k,
        "passed": bool(abs(estimate - exact) <= allowed),
    }


def _model(weight: np.ndarray) -> LatentVariableModel:
    posterior = np.linalg.inv(np.eye(LATENT) + weight @ weight.T / SCALE**2)
    mean = weight.T @ posterior / SCALE**2
    log_scale = np.log(WIDER * np.sqrt(np.diag(posterior)))
    key = jax.random.key(0)
    decoder = _affine(nn.Linear(LATENT, FEATURES, key=key), weight, np.zeros(FEATURES))
    encoder = _affine(
        nn.Linear(FEATURES, 2 * LATENT, key=key),
        np.hstack([mean, np.zeros((FEATURES, LATENT))]),
        np.concatenate([np.zeros(LATENT), log_scale]),
    )
    return LatentVariableModel(
        prior=priors.StandardNormal(LATENT),
        likelihood=likelihoods.Gaussian.fixed(decoder, SCALE),
        posterior=posteriors.Gaussian(encoder),
    )


def _affine(layer: nn.Linear, weight: np.ndarray, bias: np.ndarray) -> nn.Linear:
    new = (jnp.asarray(weight, jnp.float32), jnp.asarray(bias, jnp.float32))
    return eqx.tree_at(lambda part: (part.weight, part.bias), layer, new)
