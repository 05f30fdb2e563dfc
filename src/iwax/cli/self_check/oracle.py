"""A model of which everything is known: ``x = z W + s eps``, z ~ N(0, I), the rows of W orthogonal.

p(x) is N(0, W'W + s^2 I). p(z|x) is N(x W' / (|w|^2 + s^2), s^2 / (|w|^2 + s^2)), unit by unit, so that a Gaussian q
with independent units can be exact, or too wide or too narrow by a factor.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from iwax import likelihoods, nn, posteriors, priors
from iwax.model import LatentVariableModel

__all__ = ["Oracle"]


class Oracle(NamedTuple):
    """``weight`` [latent, features] with orthogonal rows, and the standard deviation of the noise; float64.

    >>> oracle = Oracle.of(latent=1, features=2)
    >>> oracle.log_evidence(oracle.rows(3)).shape
    (3,)
    """

    weight: np.ndarray
    scale: float = 0.7

    @classmethod
    def of(cls, *, latent: int = 2, features: int = 5, seed: int = 0) -> "Oracle":
        """An oracle of this size."""
        rng = np.random.default_rng(seed)
        rows, _ = np.linalg.qr(rng.normal(size=(features, latent)))
        return cls(rng.uniform(0.8, 2.0, (latent, 1)) * rows.T)

    def rows(self, n: int, *, seed: int = 1) -> np.ndarray:
        """n rows of p(x) [n, features], float64."""
        rng = np.random.default_rng(seed)
        latent, features = self.weight.shape
        return rng.normal(size=(n, latent)) @ self.weight + self.scale * rng.normal(size=(n, features))

    def log_evidence(self, x: np.ndarray) -> np.ndarray:
        """log p(x) [n], nats, exact."""
        covariance = self.weight.T @ self.weight + self.scale**2 * np.eye(self.weight.shape[1])
        quadratic = np.einsum("ni,ij,nj->n", x, np.linalg.inv(covariance), x)
        return -0.5 * (quadratic + np.linalg.slogdet(2 * np.pi * covariance)[1])

    def model(self, *, wider: float = 1.0) -> LatentVariableModel:
        """The same in iwax, in the precision that is on; q(z|x) is exact but for its ``wider`` standard deviations."""
        latent, features = self.weight.shape
        total = (self.weight**2).sum(axis=1) + self.scale**2
        log_scale = np.log(wider * self.scale / np.sqrt(total))
        encoder = np.hstack([self.weight.T / total, np.zeros((features, latent))])
        return LatentVariableModel(
            prior=priors.StandardNormal(latent),
            likelihood=likelihoods.Gaussian.fixed(_affine(self.weight, np.zeros(features)), self.scale),
            posterior=posteriors.Gaussian(_affine(encoder, np.concatenate([np.zeros(latent), log_scale]))),
        )


def _affine(weight: np.ndarray, bias: np.ndarray) -> nn.Linear:
    layer, dtype = nn.Linear(*weight.shape, key=jax.random.key(0)), jnp.result_type(float)
    return eqx.tree_at(
        lambda part: (part.weight, part.bias), layer, (jnp.asarray(weight, dtype), jnp.asarray(bias, dtype))
    )
