"""The one model: a prior, a likelihood and a posterior, written for one datum and one draw."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from iwax._typing import AnyArray, Datum, Distribution, Latent, Part, PRNGKey, Scalar, Trace, as_datum

__all__ = ["Datum", "Draw", "LatentVariableModel", "Terms"]

_OF_HOLES, _OF_MARKS = 2**32 - 6, 2**32 - 7  # numbers that no layer of a network has: keys beside a likelihood's own


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
    A fourth one, ``missingness``, is for values that are missing not at random: ``p(s|x)``, the probability of what was
    observed, s [features] in {0, 1}, given the whole row. The joint is then ``p(z) p(x|z) p(s|x)``, and what was not
    observed is drawn, once for each draw of z: not-MIWAE of Ipsen, Mattei and Frellsen (2021, arXiv:2006.12871).

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
    missingness: Part | None = None

    def __check_init__(self) -> None:
        """Raise ValueError, naming both parts and both sizes, where the parts do not fit; nothing is computed."""
        key = jax.random.key(0)

        def named(part: Any) -> str:
            folder = type(part).__module__.rpartition(".")[0].rpartition(".")[2]
            return f"{folder}.{type(part).__name__}" if folder else type(part).__name__

        def shapes(of: str, function: Callable[[], Any]) -> Any:
            try:
                return eqx.filter_eval_shape(function)
            except (TypeError, ValueError) as error:
                raise ValueError(f"{of}: {error}") from error

        def drawn() -> Latent:
            return self.prior.prepare(self.posterior, key=key)(None, key=key).draw(key)[0]

        z = shapes(f"prior {named(self.prior)} with posterior {named(self.posterior)}", drawn)
        given = f"likelihood {named(self.likelihood)} at a z of shape {_said(z)} from prior {named(self.prior)}"
        x = shapes(given, lambda: self.likelihood(_zeros(z), key=key).draw(key)[0])
        given = (
            f"posterior {named(self.posterior)} at an x of shape {_said(x)} from likelihood {named(self.likelihood)}"
        )
        found = shapes(given, lambda: self.infer(Datum(_zeros(x)), key=key).draw(key)[0])
        if self.missingness is not None:
            part, given = self.missingness, f"missingness {named(self.missingness)} at an x of shape {_said(x)}"
            marks = shapes(given, lambda: part(_zeros(x), key=key).draw(key)[0])
            if _said(marks) != _said(x):
                raise ValueError(f"{given} needs a mark for each value of x, got marks of shape {_said(marks)}")
        if _said(found) != _said(z):
            raise ValueError(
                f"prior {named(self.prior)} and posterior {named(self.posterior)} need z of one shape, "
                f"got {_said(z)} and {_said(found)}"
            )

    def infer(self, x: Datum | AnyArray, *, key: PRNGKey) -> Distribution:
        """q(z|x): the posterior at a datum, beside its siblings where it follows them (`posteriors.Hamiltonian`)."""
        beside = getattr(self.posterior, "beside", None)
        posterior = self.posterior if beside is None else beside(self.prior, self.likelihood)
        return posterior(as_datum(x, axes=1), key=key)

    def propose(self, x: Datum | AnyArray, key: PRNGKey) -> Draw:
        """``z ~ q(z|x)``. Everything random in it is a function of ``key``."""
        distribution = self.infer(x, key=jax.random.fold_in(key, 0))
        z, trace = distribution.draw(jax.random.fold_in(key, 1))
        return Draw(distribution, z, trace, self._part_keys(key))

    def propose_with_log_prob(self, x: Datum | AnyArray, key: PRNGKey) -> tuple[Draw, Scalar]:
        """The same draw with ``log q(z|x)`` under its total derivative: all that the pathwise gradient needs."""
        distribution = self.infer(x, key=jax.random.fold_in(key, 0))
        z, log_posterior = distribution.sample_and_log_prob(jax.random.fold_in(key, 1))
        return Draw(distribution, z, None, self._part_keys(key)), log_posterior

    def terms(
        self, prior: Part, x: Datum | AnyArray, keys: tuple[PRNGKey, PRNGKey], z: Latent, log_posterior: Scalar
    ) -> Terms:
        """The terms of log w at z; ``prior`` is prepared (`prior.prepare`), ``keys`` are the draw's."""
        x = as_datum(x, axes=1)
        log_prior = prior(x, key=keys[0]).log_prob(z)
        log_likelihood = self.likelihood(z, key=keys[1]).log_prob(x.values, where=x.observed)
        if self.missingness is not None:
            marks = jnp.ones_like(x.values) if x.observed is None else x.observed.astype(x.values.dtype)
            p_marks = self.missingness(self.completed(x, keys, z), key=jax.random.fold_in(keys[1], _OF_MARKS))
            log_likelihood = log_likelihood + p_marks.log_prob(marks)
        return Terms(log_prior, log_likelihood, log_posterior)

    def completed(self, x: Datum | AnyArray, keys: tuple[PRNGKey, PRNGKey], z: Latent) -> Array:
        """x with what was not observed drawn from p(x|z), a function of the draw's keys; differentiable in z.

        Raises ValueError where such a draw has no derivative.
        """
        x = as_datum(x, axes=1)
        if x.observed is None:
            return x.values
        p_x = self.likelihood(z, key=keys[1])
        if not getattr(p_x, "reparameterized", True):
            raise ValueError(
                "a model of missingness needs a likelihood whose draws have a derivative, as Gaussian, StudentT and "
                f"LogNormal have, got {type(self.likelihood).__name__}"
            )
        return jnp.where(x.observed, x.values, p_x.draw(jax.random.fold_in(keys[1], _OF_HOLES))[0])

    def generate(self, prior: Part, key: PRNGKey) -> tuple[Latent, Array, Array]:
        """``z ~ p(z)``, the mean of ``p(x|z)``, and ``x ~ p(x|z)``."""
        keys = self._part_keys(key)
        z, _ = prior(None, key=keys[0]).draw(jax.random.fold_in(key, 0))
        p_x = self.likelihood(z, key=keys[1])
        x, _ = p_x.draw(jax.random.fold_in(key, 1))
        return z, p_x.mean, x

    def refuse_outside(self, values: np.ndarray, *, missing: bool = False) -> None:
        """Raise ValueError, naming the first cell, where rows [n, features] lie outside the likelihood's support.

        With ``missing`` a NaN is a value that was not observed, and passes.
        """
        self.likelihood.support.refuse(values, missing=missing)

    @staticmethod
    def _part_keys(key: PRNGKey) -> tuple[PRNGKey, PRNGKey]:
        return jax.random.fold_in(key, 2), jax.random.fold_in(key, 3)


def _said(shapes: Any) -> Any:
    """(50,), or a tuple of such for several layers."""
    return jax.tree.map(lambda leaf: tuple(leaf.shape), shapes)


def _zeros(shapes: Any) -> Any:
    return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
