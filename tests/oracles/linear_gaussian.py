"""x = W z + b + eps, z ~ N(0, I), eps ~ N(0, diag(psi)): everything about it is known exactly.

p(x) = N(b, W W' + diag(psi)), p(z|x) = N(C W' (x - b) / psi, C) with C = (I + W' diag(1/psi) W)^-1.
The columns of W are orthogonal in the metric 1/psi, so that C is diagonal and a mean-field posterior can be exact.
"""

from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from iwax import likelihoods, nn, posteriors, priors
from iwax.model import LatentVariableModel


def log_evidence(weight, bias, variance, x):
    """log p(x) [batch] of x [batch, D]; jax in, jax out."""
    covariance = weight @ weight.T + jnp.diag(variance)
    factor = jnp.linalg.cholesky(covariance)
    white = jax.scipy.linalg.solve_triangular(factor, (x - bias).T, lower=True)
    log_det = 2 * jnp.log(jnp.diagonal(factor)).sum()
    return -0.5 * ((white**2).sum(axis=0) + log_det + len(bias) * jnp.log(2 * jnp.pi))


@dataclass(frozen=True)
class LinearGaussian:
    """weight [D, latent], bias [D], variance [D] (psi), all float64."""

    weight: np.ndarray
    bias: np.ndarray
    variance: np.ndarray

    @classmethod
    def random(cls, features: int, latent: int, *, seed: int) -> "LinearGaussian":
        rng = np.random.default_rng(seed)
        variance = rng.uniform(0.3, 1.2, size=features)
        orthogonal, _ = np.linalg.qr(rng.normal(size=(features, latent)))
        weight = np.sqrt(variance)[:, None] * orthogonal * rng.uniform(0.7, 1.8, size=latent)
        return cls(weight, rng.normal(size=features), variance)

    def sample(self, count: int, *, seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        z = rng.normal(size=(count, self.weight.shape[1]))
        noise = rng.normal(size=(count, len(self.bias))) * np.sqrt(self.variance)
        return z @ self.weight.T + self.bias + noise

    def log_evidence(self, x: np.ndarray) -> np.ndarray:
        """Exact log p(x) [batch]."""
        covariance = self.weight @ self.weight.T + np.diag(self.variance)
        difference = np.asarray(x, np.float64) - self.bias
        distance = np.einsum("ni,ni->n", difference, np.linalg.solve(covariance, difference.T).T)
        return -0.5 * (distance + np.linalg.slogdet(2 * np.pi * covariance)[1])

    def posterior(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Exact mean [batch, latent] and covariance [latent, latent] of p(z|x)."""
        precision = np.eye(self.weight.shape[1]) + self.weight.T @ (self.weight / self.variance[:, None])
        covariance = np.linalg.inv(precision)
        return (x - self.bias) / self.variance @ self.weight @ covariance, covariance

    def gradients(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Exact d sum_n log p(x_n) / d (W, b)."""
        with jax.enable_x64(True):

            def total(weight, bias):
                return log_evidence(weight, bias, jnp.asarray(self.variance), jnp.asarray(x, jnp.float64)).sum()

            gradients = jax.jit(jax.grad(total, argnums=(0, 1)))(self.weight, self.bias)
        return np.asarray(gradients[0]), np.asarray(gradients[1])

    def model(self, *, scale: float = 1.0, shift: float = 0.0) -> LatentVariableModel:
        """The same model in iwax, in the precision that is on.

        Its posterior is exact but for standard deviations ``scale`` times too wide and means ``shift`` of them off.
        """
        latent = self.weight.shape[1]
        _, covariance = self.posterior(self.bias[None])
        deviation = np.sqrt(np.diagonal(covariance))
        mean = self.weight / self.variance[:, None] @ covariance  # [D, latent]
        offset = shift * deviation - self.bias @ mean
        log_scale = np.log(scale * deviation)
        encoder = linear(np.concatenate([mean, np.zeros_like(mean)], axis=1), np.concatenate([offset, log_scale]))
        return LatentVariableModel(
            prior=priors.StandardNormal(latent),
            likelihood=likelihoods.Gaussian.fixed(
                linear(self.weight.T, self.bias), jnp.sqrt(jnp.asarray(self.variance))
            ),
            posterior=posteriors.Gaussian(encoder),
        )


def linear(weight: np.ndarray, bias: np.ndarray) -> nn.Linear:
    """A linear layer x @ weight [in, out] + bias [out] with these numbers."""
    layer = nn.Linear(*weight.shape, key=jax.random.key(0))
    dtype = jnp.result_type(float)
    arrays = (jnp.asarray(weight, dtype), jnp.asarray(bias, dtype))
    return eqx.tree_at(lambda layer: (layer.weight, layer.bias), layer, arrays)
