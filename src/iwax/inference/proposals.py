"""Where the draws of a self-normalised answer come from: q(z|x), or for every fifth draw the prior.

An encoder that never saw missing values takes the zeros in their place for values, and is surer of z than
p(z|x_observed) is: weights by q(z|x) alone may have no variance, and the draws that were made do not show which ones
would count. With the mixture ``p(z) / 5 + 4 q(z|x) / 5`` in the denominator, of which every fifth draw is from the
first part, no weight is above 5 p(x|z), so that the variance is finite (defensive importance sampling: Hesterberg 1995,
Technometrics 37, 185; Owen and Zhou 2000, JASA 95, 135; the weights are those of the balance heuristic, Veach and
Guibas 1995).
"""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax import batched, streams
from iwax._typing import LogWeights, PRNGKey
from iwax.model import LatentVariableModel
from iwax.parts import Datum, Latent

__all__ = ["EVERY", "draw", "has_cheap_density", "value", "weighted_means"]

EVERY = 5  # the draws 4, 9, 14, ... of a row are from p(z)


def has_cheap_density(model: LatentVariableModel, key: PRNGKey) -> bool:
    """Whether q has a density at any given z, as cheap as at a z that it drew; flows have not. Nothing is computed."""

    def drawn() -> Any:
        given = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), dict(model.needs)) or None
        z = model.prior(given, key=key).draw(key)[0]
        q = model.infer(Datum(model.likelihood(z, given, key=key).draw(key)[0], given=given), key=key)
        return q.draw(key)[1], q.log_prob(z)

    try:
        trace, _ = eqx.filter_eval_shape(drawn)
    except ValueError:  # of the posterior, which says so
        return False
    return not jax.tree.leaves(trace)  # what a flow passed through, and would have to find again


def weighted_means(
    model: LatentVariableModel,
    key: PRNGKey,
    x: Datum,
    *,
    k: int,
    first: int | Array = 0,
    defensive: bool = False,
) -> tuple[LogWeights, Float[Array, "batch k features"], Float[Array, "batch k features classes"] | None]:
    """The log-weights of k draws of every row, [k, batch], nats, and the means of ``p(x|z)`` there.

    For rows seen through noise, the means of the rows without it (`Distribution.clean`). For a model of missingness,
    the rows with their missing values drawn, as their weights need them, in place of means. For a table with classes
    also their probabilities (`Distribution.classes`); else None. ``defensive``: under the mixture with the prior; k and
    ``first`` are then multiples of five.
    """
    model = batched.bound(model, key)

    def of_posterior(datum: Datum, key: PRNGKey) -> tuple[Array, Array, Array | None]:
        proposal, log_posterior = model.propose_with_log_prob(datum, key)
        log_w = model.terms(datum, proposal.keys, proposal.z, log_posterior).log_w()
        return _with_means(model, datum, proposal.keys, proposal.z, log_w)

    def of_mixture(datum: Datum, key: PRNGKey) -> tuple[Array, Array, Array | None]:
        of_q, of_p = (lambda key, own=own: _proposed(model, datum, key, of_prior=own) for own in (False, True))
        keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(first + jnp.arange(k)).reshape(-1, EVERY)
        parts = (jax.vmap(jax.vmap(of_q))(keys[:, :-1]), jax.vmap(jax.vmap(of_p))(keys[:, -1:]))
        drawn = jax.tree.map(lambda *each: jnp.concatenate(each, axis=1).reshape(k, *each[0].shape[2:]), *parts)
        return jax.vmap(lambda each: _against_mixture(model, datum, *each))(drawn)

    def one(key: PRNGKey, datum: Datum) -> tuple[Array, Array, Array | None]:
        if defensive:
            return of_mixture(datum, key)
        return batched.over_draws(lambda key: of_posterior(datum, key), key, k, first=first)

    log_w, means, classes = batched.over_data(one, key, x)
    return log_w.T, means, classes


def draw(model: LatentVariableModel, x: Datum, key: PRNGKey, number: Array, *, defensive: bool) -> tuple[Latent, Any]:
    """The draw of that number of a row, made again, and the keys of prior and likelihood."""
    key = jax.random.fold_in(key, number)
    _, of_q, keys = _proposed(model, x, key, of_prior=False)
    if not defensive:
        return of_q, keys
    _, of_p, _ = _proposed(model, x, key, of_prior=True)
    from_prior = number % EVERY == EVERY - 1
    return jax.tree.map(lambda p, q: jnp.where(from_prior, p, q), of_p, of_q), keys


def value(model: LatentVariableModel, x: Datum, key: PRNGKey, keys: Any, z: Latent) -> Array:
    """A draw of the whole row given what was observed of it, and z."""
    if model.missingness is not None:
        return model.completed(x, keys, z)
    return model.likelihood(z, x.given, key=keys[1]).clean(x.values, x.observed).draw(key)[0]


def _proposed(model: LatentVariableModel, x: Datum, key: PRNGKey, *, of_prior: bool) -> tuple[Any, Latent, Any]:
    """q(z|x), a z from it or from p(z), and the keys of prior and likelihood."""
    proposal = model.propose(x, key)
    if not of_prior:
        return proposal.distribution, proposal.z, proposal.keys
    prior = model.prior(x.given, key=proposal.keys[0])
    z, _ = prior.draw(jax.random.fold_in(key, streams.Proposal.LATENT_OF_PRIOR))
    return proposal.distribution, z, proposal.keys


def _against_mixture(model: LatentVariableModel, x: Datum, q: Any, z: Latent, keys: Any) -> tuple[Array, Array, Any]:
    terms = model.terms(x, keys, z, q.log_prob(z))
    mixed = jnp.logaddexp(terms.log_prior - math.log(EVERY), terms.log_posterior + math.log1p(-1 / EVERY))
    return _with_means(model, x, keys, z, terms._replace(log_posterior=mixed).log_w())


def _with_means(model: LatentVariableModel, x: Datum, keys: Any, z: Latent, log_w: Array) -> tuple[Array, Array, Any]:
    if model.missingness is not None:  # its weight depends on the values that were drawn
        return log_w, model.completed(x, keys, z), None
    p_x = model.likelihood(z, x.given, key=keys[1]).clean(x.values, x.observed)
    return log_w, p_x.mean, p_x.classes
