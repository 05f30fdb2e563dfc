"""Draws of which one in five is from the prior, for rows of which the encoder may be too sure.

An encoder that never saw holes takes those of a row for values, and is surer of z than p(z|x_observed) is: weights by
q(z|x) alone may have no variance, and which draws count is then not to be seen in those that were made. Weighed by the
mixture ``p(z) / 5 + 4 q(z|x) / 5``, of which every fifth draw is from the first part, no weight is above 5 p(x|z):
there always is a variance (defensive importance sampling: Hesterberg 1995, Technometrics 37, 185; Owen and Zhou 2000,
JASA 95, 135; the weights are those of the balance heuristic, Veach and Guibas 1995).
"""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from iwax import batched, streams
from iwax._typing import PRNGKey
from iwax.model import LatentVariableModel
from iwax.parts import Datum, Latent

__all__ = ["EVERY", "can_defend", "latent", "weighted_means"]

EVERY = 5  # the draws 4, 9, 14, ... of a row are from p(z)


def can_defend(model: LatentVariableModel, key: PRNGKey) -> bool:
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
    model: LatentVariableModel, key: PRNGKey, x: Datum, *, k: int, first: Array
) -> tuple[Array, Array, Array | None]:
    """`batched.weighted_means` under the mixture; k and ``first`` are multiples of five, and the model is bound."""

    def one(key: PRNGKey, datum: Datum) -> tuple[Array, Array, Array | None]:
        of_q, of_p = (lambda key, own=own: _proposed(model, datum, key, of_prior=own) for own in (False, True))
        keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(first + jnp.arange(k)).reshape(-1, EVERY)
        parts = (jax.vmap(jax.vmap(of_q))(keys[:, :-1]), jax.vmap(jax.vmap(of_p))(keys[:, -1:]))
        drawn = jax.tree.map(lambda *each: jnp.concatenate(each, axis=1).reshape(k, *each[0].shape[2:]), *parts)
        return jax.vmap(lambda each: _weighed(model, datum, *each))(drawn)

    log_w, means, classes = batched.over_data(one, key, x)
    return log_w.T, means, classes


def latent(model: LatentVariableModel, x: Datum, key: PRNGKey, number: Array) -> tuple[Latent, Any]:
    """The draw of that number of a row, made again, and the keys of prior and likelihood."""
    key = jax.random.fold_in(key, number)
    (_, of_q, keys), (_, of_p, _) = (_proposed(model, x, key, of_prior=own) for own in (False, True))
    from_prior = number % EVERY == EVERY - 1
    return jax.tree.map(lambda p, q: jnp.where(from_prior, p, q), of_p, of_q), keys


def _proposed(model: LatentVariableModel, x: Datum, key: PRNGKey, *, of_prior: bool) -> tuple[Any, Latent, Any]:
    """q(z|x), a z from it or from p(z), and the keys of prior and likelihood."""
    proposal = model.propose(x, key)
    if not of_prior:
        return proposal.distribution, proposal.z, proposal.keys
    prior = model.prior(x.given, key=proposal.keys[0])
    z, _ = prior.draw(jax.random.fold_in(key, streams.Beside.LATENT_OF_PRIOR))
    return proposal.distribution, z, proposal.keys


def _weighed(model: LatentVariableModel, x: Datum, q: Any, z: Latent, keys: Any) -> tuple[Array, Array, Array | None]:
    terms = model.terms(x, keys, z, q.log_prob(z))
    mixed = jnp.logaddexp(terms.log_prior - math.log(EVERY), terms.log_posterior + math.log1p(-1 / EVERY))
    log_w = terms._replace(log_posterior=mixed).log_w()
    if model.missingness is not None:  # its weight hangs on the values that were drawn
        return log_w, model.completed(x, keys, z), None
    law: Any = batched.sought(model.likelihood(z, x.given, key=keys[1]), x)
    return log_w, law.mean, law.classes
