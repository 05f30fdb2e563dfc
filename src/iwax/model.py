"""The one model: a prior, a likelihood and a posterior, written for one datum and one draw."""

import operator
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from iwax import streams
from iwax._typing import AnyArray, PRNGKey, Scalar
from iwax.parts import (
    Datum,
    Distribution,
    Latent,
    Likelihood,
    Posterior,
    Prior,
    Trace,
    as_datum,
    needs_of,
)

__all__ = ["Datum", "Draw", "LatentVariableModel", "Terms"]


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

    prior: Prior
    likelihood: Likelihood
    posterior: Posterior
    missingness: Likelihood | None = None

    def __check_init__(self) -> None:
        """Raise ValueError, naming both parts and both sizes, where the parts do not fit; nothing is computed."""
        key = jax.random.key(0)

        def shapes(of: str, function: Callable[[], Any]) -> Any:
            try:
                return eqx.filter_eval_shape(function)
            except (TypeError, ValueError) as error:
                raise ValueError(f"{of}: {error}") from error

        parts = (self.prior, self.likelihood, self.posterior)
        for part, kind in zip(parts, (Prior, Likelihood, Posterior), strict=True):
            if not isinstance(part, kind):
                wanted = kind.__name__
                raise TypeError(f"a {wanted.lower()} has to derive from iwax.parts.{wanted}, got {_named(part)}")
        given_zeros = _zeros(dict(self.needs)) or None

        def drawn() -> Latent:
            return self.prior.bind(self, key=key)(given_zeros, key=key).draw(key)[0]

        z = shapes(f"prior {_named(self.prior)} with posterior {_named(self.posterior)}", drawn)
        given = f"likelihood {_named(self.likelihood)} at a z of shape {_shape_of(z)} from prior {_named(self.prior)}"
        x = shapes(given, lambda: self.likelihood(_zeros(z), given_zeros, key=key).draw(key)[0])
        source = f"from likelihood {_named(self.likelihood)}"
        given = f"posterior {_named(self.posterior)} at an x of shape {_shape_of(x)} {source}"
        found = shapes(given, lambda: self.infer(Datum(_zeros(x), given=given_zeros), key=key).draw(key)[0])
        if self.missingness is not None:
            part, given = self.missingness, f"missingness {_named(self.missingness)} at an x of shape {_shape_of(x)}"
            marks = shapes(given, lambda: part(_zeros(x), given_zeros, key=key).draw(key)[0])
            if _shape_of(marks) != _shape_of(x):
                raise ValueError(f"{given} needs a mark for each value of x, got marks of shape {_shape_of(marks)}")
        if _shape_of(found) != _shape_of(z):
            raise ValueError(
                f"prior {_named(self.prior)} and posterior {_named(self.posterior)} need z of one shape, "
                f"got {_shape_of(z)} and {_shape_of(found)}"
            )

    @property
    def needs(self) -> Mapping[str, Any]:
        """The covariates of a data point that the parts read: shapes and dtypes by name."""
        return needs_of(self)

    def check_given(self, given: Any, *, generating: bool = False) -> None:
        """Raise ValueError unless the covariates of one data point have what the parts need, in that shape.

        ``generating``: what prior and likelihood need, of data that have no data point yet.
        """
        parts = (self.prior, self.likelihood)
        for part in parts if generating else (*parts, self.posterior, self.missingness):
            for name, wanted in needs_of(part).items():
                there = sorted(given) if isinstance(given, Mapping) else []
                got = _shape_of(given[name]) if name in there else f"covariates {there}" if there else "no covariates"
                if got != _shape_of(wanted):
                    raise ValueError(
                        f"{_named(part)} needs the covariate {name!r} of shape {_shape_of(wanted)} for each data "
                        f"point, got {got}: give iwax.Datum.of(x, given={{{name!r}: ...}})"
                    )

    def bind(self, *, key: PRNGKey) -> "LatentVariableModel":
        """The model with its parts bound to each other (`parts.Part.bind`): prior, then likelihood, then posterior.

        Once a step or an evaluation, for all data and draws: a VampPrior encodes its pseudo-inputs then, a Hamiltonian
        posterior is given the density that it follows.
        """
        model = self
        for i, name in enumerate(("prior", "likelihood", "posterior")):
            own = key if i == 0 else jax.random.fold_in(key, i)
            part = operator.attrgetter(name)
            model = eqx.tree_at(part, model, part(model).bind(model, key=own))
        return model

    def infer(self, x: Datum | AnyArray, *, key: PRNGKey) -> Distribution:
        """``q(z|x)``: the posterior, bound to this model, at a data point."""
        return self.posterior.bind(self, key=key)(self._checked(x), key=key)

    def propose(self, x: Datum | AnyArray, key: PRNGKey) -> Draw:
        """``z ~ q(z|x)``. Everything random in it is a function of ``key``."""
        distribution = self.infer(x, key=jax.random.fold_in(key, streams.Draw.POSTERIOR))
        z, trace = distribution.draw(jax.random.fold_in(key, streams.Draw.LATENT))
        return Draw(distribution, z, trace, self._part_keys(key))

    def propose_with_log_prob(self, x: Datum | AnyArray, key: PRNGKey) -> tuple[Draw, Scalar]:
        """The same draw with ``log q(z|x)`` under its total derivative: all that the pathwise gradient needs."""
        distribution = self.infer(x, key=jax.random.fold_in(key, streams.Draw.POSTERIOR))
        z, log_posterior = distribution.sample_and_log_prob(jax.random.fold_in(key, streams.Draw.LATENT))
        return Draw(distribution, z, None, self._part_keys(key)), log_posterior

    def terms(self, x: Datum | AnyArray, keys: tuple[PRNGKey, PRNGKey], z: Latent, log_posterior: Scalar) -> Terms:
        """The terms of log w at z, of a model that is bound (`bind`); ``keys`` are the draw's."""
        x = self._checked(x)
        log_prior = self.prior(x.given, key=keys[0]).log_prob(z)
        log_likelihood = self.likelihood(z, x.given, key=keys[1]).log_prob(x.values, where=x.observed)
        if self.missingness is not None:
            marks = jnp.ones_like(x.values) if x.observed is None else x.observed.astype(x.values.dtype)
            of_marks = jax.random.fold_in(keys[1], streams.Likelihood.MARKS)
            p_marks = self.missingness(self.completed(x, keys, z), x.given, key=of_marks)
            log_likelihood = log_likelihood + p_marks.log_prob(marks)
        return Terms(log_prior, log_likelihood, log_posterior)

    def completed(self, x: Datum | AnyArray, keys: tuple[PRNGKey, PRNGKey], z: Latent) -> Array:
        """x with what was not observed drawn from p(x|z), a function of the draw's keys; differentiable in z.

        Raises ValueError where such a draw has no derivative.
        """
        x = self._checked(x)
        if x.observed is None:
            return x.values
        p_x = self.likelihood(z, x.given, key=keys[1])
        if not p_x.reparameterized:
            raise ValueError(
                "a model of missingness needs a likelihood whose draws have a derivative, as Gaussian, StudentT and "
                f"LogNormal have, got {type(self.likelihood).__name__}"
            )
        return jnp.where(x.observed, x.values, p_x.draw(jax.random.fold_in(keys[1], streams.Likelihood.MISSING))[0])

    def generate(self, key: PRNGKey, given: Any = None) -> tuple[Latent, Array, Array]:
        """``z ~ p(z)``, the mean of ``p(x|z)``, and ``x ~ p(x|z)``, of a model that is bound, at covariates."""
        self.check_given(given, generating=True)
        keys = self._part_keys(key)
        z, _ = self.prior(given, key=keys[0]).draw(jax.random.fold_in(key, streams.Generated.LATENT))
        p_x = self.likelihood(z, given, key=keys[1])
        x, _ = p_x.draw(jax.random.fold_in(key, streams.Generated.VALUES))
        return z, p_x.mean, x

    @property
    def event(self) -> Any:
        """The shape of the values of one data point, (features,), or a tree of shapes. Nothing is computed."""
        key, given = jax.random.key(0), _zeros(dict(self.needs)) or None
        return _shape_of(eqx.filter_eval_shape(lambda: self.bind(key=key).generate(key, given)[1]))

    @property
    def latent(self) -> Any:
        """Shapes and dtypes (`jax.ShapeDtypeStruct`) of the latents, a tuple for several layers."""
        key, given = jax.random.key(0), _zeros(dict(self.needs)) or None
        return eqx.filter_eval_shape(lambda: self.bind(key=key).generate(key, given)[0])

    def refuse_outside(self, x: np.ndarray | Datum, *, missing: bool = False) -> None:
        """Raise ValueError, naming the first cell, where rows [n, *event] lie outside the likelihood's support.

        With ``missing`` a NaN is a value that was not observed, and passes; a datum says by itself what was observed.
        """
        values, observed = (x.values, x.observed) if isinstance(x, Datum) else (x, None)
        if not isinstance(values, np.ndarray):  # a tree of arrays, of which a support says nothing
            return
        if observed is not None:
            values, missing = np.where(observed, values, np.nan), True
        support = self.likelihood.support
        cell = support.first_outside(values, missing=missing)
        if cell is not None:
            place = f" in row {cell[0]}, column {', '.join(map(str, cell[1:]))}"
            raise ValueError(support.refusal(values[cell], place))

    def _checked(self, x: Datum | AnyArray) -> Datum:
        x = x if isinstance(x, Datum) else as_datum(x, event=self.event, batch=False)
        self.check_given(x.given)
        return x

    @staticmethod
    def _part_keys(key: PRNGKey) -> tuple[PRNGKey, PRNGKey]:
        return jax.random.fold_in(key, streams.Draw.PRIOR), jax.random.fold_in(key, streams.Draw.LIKELIHOOD)


def _shape_of(shapes: Any) -> Any:
    """(50,), or a tree of such."""
    return jax.tree.map(lambda leaf: jnp.shape(leaf), shapes)


def _named(part: Any) -> str:
    """priors.Vamp"""
    folder = type(part).__module__.rpartition(".")[0].rpartition(".")[2]
    return f"{folder}.{type(part).__name__}" if folder else type(part).__name__


def _zeros(shapes: Any) -> Any:
    return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
