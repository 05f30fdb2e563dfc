"""The one model: a prior, a likelihood and a posterior, written for one datum and one draw."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Float

from iwax._typing import Datum, Distribution, Latent, Part, PRNGKey, Scalar, Trace

__all__ = ["Draw", "LatentVariableModel", "Terms"]


class Draw(NamedTuple):
    """A draw from q(z|x): the distribution it came from, the value, its trace, and keys for prior and likelihood."""

    distribution: Distribution
    z: Latent
    trace: Trace
    keys: tuple[PRNGKey, PRNGKey]


class Terms(NamedTuple):
    """The terms of a log-weight, each in nats; ``penalty`` is what else a datum costs (zero for most models)."""

    log_prior: Float[Array, "..."]
    log_likelihood: Float[Array, "..."]
    log_posterior: Float[Array, "..."]
    penalty: Float[Array, "..."] | float = 0.0

    def log_w(self, beta: Scalar | float = 1.0) -> Float[Array, "..."]:
        """``log p(x|z) + beta (log p(z) - log q(z|x)) - penalty``.

        >>> import jax.numpy as jnp
        >>> terms = Terms(log_prior=jnp.array(-3.0), log_likelihood=jnp.array(-5.0), log_posterior=jnp.array(-1.0))
        >>> float(terms.log_w(0.5))
        -6.0
        """
        return self.log_likelihood + beta * (self.log_prior - self.log_posterior) - self.penalty


class LatentVariableModel(eqx.Module):
    """``p(x, z) = p(z) p(x|z)`` with an approximate posterior ``q(z|x)``; log w = log p(z) + log p(x|z) - log q(z|x).

    Parts are functions of (context, key) that give a distribution: any Equinox module that keeps that protocol will do.

    >>> from iwax import likelihoods, posteriors, priors
    >>> from iwax.nn import MLP
    >>> model = LatentVariableModel(
    ...     prior=priors.StandardNormal(2),
    ...     likelihood=likelihoods.Bernoulli(network=MLP(2, (8,), 4, key=jax.random.key(0))),
    ...     posterior=posteriors.Gaussian(network=MLP(4, (8,), 2 * 2, key=jax.random.key(1))),
    ... )
    """

    prior: Any
    likelihood: Part
    posterior: Part

    def propose(self, x: Datum, key: PRNGKey) -> Draw:
        """``z ~ q(z|x)``. Everything random in it is a function of ``key``."""
        distribution = self.posterior(x, key=jax.random.fold_in(key, 0))
        z, trace = distribution.draw(jax.random.fold_in(key, 1))
        return Draw(distribution, z, trace, self._part_keys(key))

    def propose_with_log_prob(self, x: Datum, key: PRNGKey) -> tuple[Draw, Scalar]:
        """The same draw with ``log q(z|x)`` under its total derivative: all that the pathwise gradient needs."""
        distribution = self.posterior(x, key=jax.random.fold_in(key, 0))
        z, log_posterior = distribution.sample_and_log_prob(jax.random.fold_in(key, 1))
        return Draw(distribution, z, None, self._part_keys(key)), log_posterior

    def terms(self, prior: Part, x: Datum, keys: tuple[PRNGKey, PRNGKey], z: Latent, log_posterior: Scalar) -> Terms:
        """The terms of log w at z; ``prior`` is prepared (`prior.prepare`), ``keys`` are the draw's."""
        log_prior = prior(x, key=keys[0]).log_prob(z)
        log_likelihood = self.likelihood(z, key=keys[1]).log_prob(x.values, where=x.observed)
        return Terms(log_prior, log_likelihood, log_posterior)

    def generate(self, prior: Part, key: PRNGKey) -> tuple[Latent, Array, Array]:
        """``z ~ p(z)``, the mean of ``p(x|z)``, and ``x ~ p(x|z)``."""
        keys = self._part_keys(key)
        z, _ = prior(None, key=keys[0]).draw(jax.random.fold_in(key, 0))
        p_x = self.likelihood(z, key=keys[1])
        x, _ = p_x.draw(jax.random.fold_in(key, 1))
        return z, p_x.mean, x

    def refuse_outside(self, values: np.ndarray) -> None:
        """Raise ValueError, naming the first cell, where rows [n, features] lie outside the likelihood's support.

        A likelihood says so in a method ``outside(values) -> marked``; one without is taken at its word.
        """
        outside = getattr(self.likelihood, "outside", None)
        marked = outside(values) if outside is not None else np.zeros(values.shape, bool)
        if marked.any():
            row, column = np.argwhere(marked)[0]
            raise ValueError(
                f"the likelihood gives no density to {values[row, column]} in row {row}, column {column}: "
                "binarise grey values (binarize=True redraws 0..255 while training), or use another likelihood"
            )

    @staticmethod
    def _part_keys(key: PRNGKey) -> tuple[PRNGKey, PRNGKey]:
        return jax.random.fold_in(key, 2), jax.random.fold_in(key, 3)
