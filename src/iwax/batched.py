"""The only place where functions of one datum and one draw are mapped over data and draws.

The noise of a draw is a function of (key, row number, draw number) alone: neither the batch nor the chunk it falls in
changes it.
"""

from collections.abc import Callable
from typing import Any, Literal, TypeAlias, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Num, PyTree

from iwax import former_names, streams
from iwax._typing import AnyArray, LogWeights, PRNGKey, Scalar
from iwax.model import LatentVariableModel, Terms
from iwax.numerics import log_mean_exp
from iwax.parts import Datum, Latent, as_datum
from iwax.threefry import in_one_pass

__all__ = [
    "Draws",
    "Hold",
    "bound",
    "decode",
    "generate",
    "layers",
    "log_weights",
    "mixture_terms",
    "over_data",
    "over_draws",
    "propose",
    "ready",
    "redraw",
    "reparameterized",
    "rows",
    "terms",
    "terms_at",
    "terms_of_draws",
]

Output = TypeVar("Output")
Values: TypeAlias = PyTree[Num[Array, "n ..."]]  # of n data points, events of any shape
Hold: TypeAlias = Literal["draws", "densities"]
Draws: TypeAlias = Int[Array, " k"] | Int[Array, "batch k"]  # numbers of draws: the same for all rows, or each its own


def rows(model: Any, x: Datum | AnyArray) -> Datum:
    """An array of complete rows [n, *event of the model] as a datum, and a datum as it is."""
    return as_datum(x, event=model.event if isinstance(model, LatentVariableModel) else None)


def over_data(
    function: Callable[..., Output], key: PRNGKey, x: Datum | AnyArray, *others: PyTree[Num[Array, "batch ..."]]
) -> Output:
    """``function(key, datum, *others)`` for every row of x and of what goes with it; its key is ``fold_in(key, row)``.

    x is a datum, or an array of complete rows [batch, features], whose numbers are then 0, 1, ...

    >>> over_data(lambda key, datum: 2 * datum.values, jax.random.key(0), jnp.arange(3.0)[:, None]).shape
    (3, 1)
    """
    x = as_datum(x)
    key, numbers = in_one_pass(key), jnp.arange(len(x)) if x.index is None else x.index
    return jax.vmap(lambda row, *each: function(jax.random.fold_in(key, row), *each))(numbers, x, *others)


def over_draws(
    function: Callable[..., Output],
    key: PRNGKey,
    k: int,
    *others: PyTree[Num[Array, "k ..."]],
    first: int | Array = 0,
) -> Output:
    """``function(key, *others)`` for the draws i = first, ..., first + k - 1; its key is ``fold_in(key, i)``.

    >>> over_draws(lambda key: jax.random.normal(key), jax.random.key(0), 5).shape
    (5,)
    """
    key, numbers = in_one_pass(key), first + jnp.arange(k)
    return jax.vmap(lambda i, *each: function(jax.random.fold_in(key, i), *each))(numbers, *others)


def terms(model: LatentVariableModel, key: PRNGKey, x: Datum | AnyArray, *, k: int, first: int | Array = 0) -> Terms:
    """The terms of log w, [k, batch] each, under the total derivative."""
    model = bound(model, key)

    def one(key: PRNGKey, datum: Datum) -> tuple[Latent, Array, Any]:
        def draw(key: PRNGKey) -> tuple[Latent, Array, Any]:
            proposal, log_posterior = model.propose_with_log_prob(datum, key)
            return proposal.z, log_posterior, proposal.keys

        return over_draws(draw, key, k, first=first)

    return terms_of_draws(model, x, *over_data(one, key, x))


def mixture_terms(
    model: LatentVariableModel, key: PRNGKey, x: Datum | AnyArray, *, k: int, hold: Hold | None = None
) -> Terms:
    """The terms of log w with ``log (1/k) sum_j q_j(z_i|x)`` in the place of ``log q_i(z_i|x)``, [k, batch] each.

    q_j is the posterior as the j-th draw has it, with weights of its own where they are random. The weights of multiple
    importance sampling (Veach and Guibas 1995, the balance heuristic): their mean is as unbiased, and varies less.
    ``hold`` says what of q is held constant.
    """
    model = bound(model, key)

    def one(key: PRNGKey, datum: Datum) -> tuple[Latent, Array, Any]:
        def draw(key: PRNGKey) -> tuple[Any, Latent, Any]:
            proposal = model.propose(datum, key)
            return proposal.distribution, proposal.z, proposal.keys

        each, z, keys = over_draws(draw, key, k)
        each = jax.lax.stop_gradient(each) if hold == "densities" else each
        z = jax.lax.stop_gradient(z) if hold == "draws" else z
        of_all = jax.vmap(lambda z: jax.vmap(lambda q: q.log_prob(z))(each))(z)  # [draw, posterior]
        return z, jnp.asarray(log_mean_exp(of_all.T)), keys

    return terms_of_draws(model, x, *over_data(one, key, x))


def log_weights(
    model: LatentVariableModel,
    key: PRNGKey,
    x: Datum | AnyArray,
    *,
    k: int,
    beta: Scalar | float = 1.0,
    first: int | Array = 0,
) -> LogWeights:
    """``log w = log p(x|z) + beta (log p(z) - log q(z|x))`` for k draws of every row, [k, batch], nats."""
    return terms(model, key, x, k=k, first=first).log_w(beta)


def propose(
    model: LatentVariableModel, key: PRNGKey, x: Datum | AnyArray, draws: Draws, *, score: bool
) -> tuple[Latent, Float[Array, "k batch"] | None]:
    """The draws z [batch, k, ...] and, with ``score``, ``log q(z̄|x)`` at z held constant (None without)."""

    def draw(datum: Datum, key: PRNGKey) -> tuple[Latent, Any]:
        proposal = model.propose(datum, key)
        if not score:
            return proposal.z, None
        z, trace = jax.lax.stop_gradient((proposal.z, proposal.trace))
        return proposal.z, proposal.distribution.log_prob(z, trace)

    z, log_posterior = _over_data_and_draws(draw, key, x, draws)
    return z, _draws_first(log_posterior)


def terms_at(model: LatentVariableModel, key: PRNGKey, x: Datum | AnyArray, draws: Draws, z: Latent) -> Terms:
    """The terms of log w at the draws z [batch, k, ...] of `propose`, [k, batch] each; q's leaves are held constant.

    The draw is made again from its key, for its distribution, trace and part keys; its inputs, z, are live.
    """
    model = bound(model, key)

    def draw(datum: Datum, key: PRNGKey, z: Latent) -> tuple[Array, Any]:
        proposal = model.propose(datum, key)
        frozen, trace = jax.lax.stop_gradient((proposal.distribution, proposal.trace))
        return frozen.log_prob(z, trace), proposal.keys

    return terms_of_draws(model, x, z, *_over_data_and_draws(draw, key, x, draws, z))


def _over_data_and_draws(
    function: Callable[..., Output], key: PRNGKey, x: Datum | AnyArray, draws: Draws, *others: Any
) -> Output:
    """``function(datum, key, *others)`` for every row and every one of its draws, [batch, k, ...]."""

    def at(key: PRNGKey, datum: Datum, numbers: Array, *others: Any) -> Output:
        return jax.vmap(lambda i, *each: function(datum, jax.random.fold_in(key, i), *each))(numbers, *others)

    if draws.ndim == 1:
        return over_data(lambda key, datum, *others: at(key, datum, draws, *others), key, x, *others)
    return over_data(at, key, x, draws, *others)


def reparameterized(model: LatentVariableModel, key: PRNGKey, x: Datum | AnyArray) -> bool:
    """Whether a draw from q(z|x) has a derivative in the parameters of q, in every layer. Nothing is computed."""
    return all(layer.reparameterized for layer in layers(model, key, x))


def layers(model: LatentVariableModel, key: PRNGKey, x: Datum | AnyArray) -> tuple[Any, ...]:
    """The distribution of every layer of q(z|x), from the data upwards: shapes in the place of arrays."""

    def of(datum: Datum) -> tuple[Any, ...]:
        proposal = model.propose(datum, key)
        return proposal.distribution.layers(proposal.z)

    rows = as_datum(x)
    return eqx.filter_eval_shape(lambda: of(jax.tree.map(lambda leaf: leaf[0], rows)))


def terms_of_draws(
    model: LatentVariableModel, x: Datum | AnyArray, z: Latent, log_posterior: Array, keys: Any
) -> Terms:
    """The terms of log w, [k, batch] each, at draws z [batch, k, ...], all of them in one row of the data axis.

    One axis rather than two nested ones: the gradient of a matrix is then a plain product, where the compiler would
    otherwise transpose the activations first (-12 % of a step).
    """
    batch, k = log_posterior.shape
    rows = jax.tree.map(lambda leaf: jnp.repeat(leaf, k, axis=0), as_datum(x))
    flat = jax.tree.map(lambda leaf: leaf.reshape(batch * k, *leaf.shape[2:]), (keys, z, log_posterior))
    terms = jax.vmap(lambda datum, *draw: model.terms(datum, *draw))(rows, *flat)
    return jax.tree.map(lambda leaf: leaf.reshape(batch, k).T, terms)


def generate(
    model: LatentVariableModel, key: PRNGKey, n: int, *, first: int | Array = 0, given: Any = None
) -> tuple[Latent, Values, Values]:
    """n draws ``z ~ p(z)``, the means of ``p(x|z)``, and ``x ~ p(x|z)``, each at its own covariates [n, ...]."""
    model = bound(model, key)
    return over_draws(lambda key, given: model.generate(key, given), key, n, given, first=first)


def redraw(
    model: LatentVariableModel, key: PRNGKey, x: Datum | AnyArray, draw: Int[Array, " batch"]
) -> tuple[Latent, Values]:
    """The draw of the given number [batch] of each row, made again from its key, and the mean of ``p(x|z)`` there."""

    def one(key: PRNGKey, datum: Datum, i: Array) -> tuple[Latent, Array]:
        drawn = model.propose(datum, jax.random.fold_in(key, i))
        return drawn.z, model.likelihood(drawn.z, datum.given, key=drawn.keys[1]).mean

    return over_data(one, key, x, draw)


def decode(model: LatentVariableModel, key: PRNGKey, z: Latent, *, first: int | Array = 0, given: Any = None) -> Values:
    """The means of ``p(x|z)`` at latents [n, ...], a tuple of them for a chain; row i is keyed by ``first + i``."""
    rows = jax.tree.leaves(z)[0].shape[0]
    return over_draws(lambda key, z, c: model.likelihood(z, c, key=key).mean, key, rows, z, given, first=first)


def bound(model: LatentVariableModel, key: PRNGKey) -> LatentVariableModel:
    """The model with its parts bound to each other, once for all rows and draws.

    The key is that of the random stream `streams.Data.PREPARED`, which no row has.
    """
    return model.bind(key=jax.random.fold_in(key, streams.Data.PREPARED))


@eqx.filter_jit
def ready(model: LatentVariableModel, key: PRNGKey) -> LatentVariableModel:
    """The model with its parts `bound` once for all that follows: an evaluation encodes pseudo-inputs but once."""
    return bound(model, key)


def _draws_first(tree: Output) -> Output:
    return jax.tree.map(lambda leaf: jnp.swapaxes(leaf, 0, 1) if jnp.ndim(leaf) > 1 else leaf, tree)


__getattr__ = former_names.of(__name__)
