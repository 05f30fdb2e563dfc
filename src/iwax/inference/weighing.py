"""Means and draws of what was not seen, by importance weights: all draws of a piece of rows, a chunk at a time."""

from dataclasses import replace
from typing import Any, NamedTuple, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from iwax import batched
from iwax._typing import Datum, PRNGKey
from iwax.compiler import compiler_options
from iwax.inference.pieces import Piece
from iwax.inference.sweeps import swept
from iwax.model import LatentVariableModel

__all__ = ["Found", "ess_median", "few_draws", "weighed"]

_CHUNK, _NUMBERS = 2_000, 180_000  # rows times draws worked on at once: so many, or, of short rows, so many numbers
_OF_VALUES, _OF_CHOICE = 2**32 - 4, 2**32 - 5  # numbers that no draw has: keys of what is drawn beside the draws
_OF_SWEEPS = 2**32 - 8  # a number that no row has: sweeps and the draws that are weighed share no noise
_FEW = 10  # draws that count: below so many, an error of a mean is a guess


class Found(NamedTuple):
    """Of a piece of rows: means and their errors [batch, D], effective sample sizes [batch], draws [m, batch, D]."""

    means: Any
    error: Any
    ess: Any
    draws: Any


def weighed(model: LatentVariableModel, key: PRNGKey, piece: Piece, k: int, draws: int, sweeps: int) -> Found:
    """On the host, less what fills the piece up. With ``sweeps`` the encoder reads what so many of them make of x.

    The weights are right for any row that the encoder reads, as long as the noise that made it is not the draws'.
    """
    x = piece.x
    if sweeps:
        x = replace(x, inputs=swept(model, jax.random.fold_in(key, _OF_SWEEPS), x, sweeps))
    rows, features = x.values.shape[:2]
    most = max(1, min(k, max(_CHUNK, _NUMBERS // features) // rows))
    chunk = -(-k // -(-k // most))  # of all chunks alike: none is mostly empty
    compiled = cast(Any, eqx.filter_jit)(_averaged, compiler_options=compiler_options())
    found = compiled(model, key, x, k, chunk, draws)
    kept = piece.kept
    means, error, ess = (np.asarray(each)[:kept] for each in found[:3])
    return Found(means, error, ess, np.asarray(found.draws)[:, :kept])


def ess_median(ess: np.ndarray) -> float | None:
    """The median of the effective sample sizes of the rows that have one; None without any."""
    known = ess[np.isfinite(ess)]
    return float(np.median(known)) if known.size else None


def few_draws(ess: np.ndarray, k: int, rows: str) -> list[str]:
    """A warning where fewer than ten draws count for a row; ``rows`` says whose rows, and what hangs on it."""
    few, known = int(np.sum(ess < _FEW)), int(np.isfinite(ess).sum())
    if not few:
        return []
    return [f"for {few:,} of {known:,} {rows.format(few=_FEW, k=k)}"]


class _Sums(NamedTuple):
    """Sums over draws of w, w d, w^2, w^2 d and w^2 d^2: w relative to the ``largest`` so far, d = mean - anchor.

    The ``anchor`` is the first draw's mean: sums of differences from it lose no digits.
    """

    anchor: Float[Array, "batch features"]
    largest: Float[Array, " batch"]
    w: Float[Array, " batch"]
    wd: Float[Array, "batch features"]
    ww: Float[Array, " batch"]
    wwd: Float[Array, "batch features"]
    wwdd: Float[Array, "batch features"]
    wp: Float[Array, "batch features classes"] | None  # p: the probabilities of classes


def _averaged(model: LatentVariableModel, key: PRNGKey, x: Datum, k: int, chunk: int, draws: int) -> Found:
    """All k draws, ``chunk`` of them at a time; of each, the log-weight is kept."""
    weighted = eqx.filter_closure_convert(
        lambda first: batched.weighted_means(model, key, x, k=chunk, first=first), jnp.int32(0)
    )  # traced here, for its shapes and for the loop
    _, mean, probability = eqx.filter_eval_shape(weighted, jnp.int32(0))
    zeros = jnp.zeros((mean.shape[0], *mean.shape[2:]), mean.dtype)
    no_classes = None if probability is None else jnp.zeros((probability.shape[0], *probability.shape[2:]))
    none = jnp.zeros(zeros.shape[0])

    def add(sums: _Sums, first: Array) -> tuple[_Sums, Array]:
        log_w, means, classes = weighted(first)
        sums = sums._replace(anchor=jnp.where(first == 0, means[:, 0], sums.anchor))
        there = (first + jnp.arange(chunk) < k)[:, None] & ~jnp.isnan(log_w)
        log_w = jnp.where(there, log_w, -jnp.inf).T
        return _added(sums, log_w, means - sums.anchor[:, None], classes), log_w

    start = _Sums(zeros, none - jnp.inf, none, zeros, none, zeros, zeros, no_classes)
    sums, log_w = jax.lax.scan(add, start, chunk * jnp.arange(-(-k // chunk)))
    shift = sums.wd / sums.w[:, None]
    variance = sums.wwdd - 2 * shift * sums.wwd + shift**2 * sums.ww[:, None]
    error = jnp.sqrt(jnp.maximum(variance, 0)) / sums.w[:, None]
    means = sums.anchor + shift
    if sums.wp is not None:
        p = sums.wp / sums.w[:, None, None]
        of_classes = p.sum(axis=-1) > 0
        means = jnp.where(of_classes, jnp.argmax(p, axis=-1), means)
        error = jnp.where(of_classes, 1 - p.max(axis=-1), error)
    ess = sums.w**2 / sums.ww
    if not draws:
        return Found(means, error, ess, jnp.zeros((0, *means.shape)))
    chosen = _chosen(key, x, jnp.swapaxes(log_w, 0, 1).reshape(len(none), -1), draws)
    return Found(means, error, ess, _values(model, key, x, chosen))


def _added(sums: _Sums, log_w: Array, d: Array, p: Array | None) -> _Sums:
    """The sums after further draws: log-weights [batch, chunk], means less the anchor [batch, chunk, features]."""
    largest = jnp.maximum(sums.largest, log_w.max(axis=1))
    safe = jnp.where(jnp.isfinite(largest), largest, 0)
    old, w = jnp.exp(sums.largest - safe), jnp.exp(log_w - safe[:, None])
    ww = w**2
    return _Sums(
        sums.anchor,
        largest,
        old * sums.w + w.sum(axis=1),
        old[:, None] * sums.wd + jnp.einsum("bk,bkf->bf", w, d),
        old**2 * sums.ww + ww.sum(axis=1),
        old[:, None] ** 2 * sums.wwd + jnp.einsum("bk,bkf->bf", ww, d),
        old[:, None] ** 2 * sums.wwdd + jnp.einsum("bk,bkf->bf", ww, d**2),
        None if sums.wp is None else old[:, None, None] * sums.wp + jnp.einsum("bk,bkfc->bfc", w, p),
    )


def _chosen(key: PRNGKey, x: Datum, log_w: Float[Array, "batch k"], m: int) -> Int[Array, "batch m"]:
    """m numbers ``j ~ Cat(w̃)`` for each row, independent."""

    def one(key: PRNGKey, datum: Datum, log_w: Array) -> Array:
        ends = jnp.cumsum(jnp.exp(log_w - log_w.max()))
        points = ends[-1] * jax.random.uniform(jax.random.fold_in(key, _OF_CHOICE), (m,))
        return jnp.minimum(jnp.searchsorted(ends, points, side="right"), log_w.shape[0] - 1)

    return batched.over_data(one, key, x, log_w)


def _values(model: LatentVariableModel, key: PRNGKey, x: Datum, chosen: Int[Array, "batch m"]) -> Array:
    """``x ~ p(x|z_j)`` for the draws j [batch, m] of each row, [m, batch, features]."""

    def one(key: PRNGKey, datum: Datum, chosen: Array) -> Array:
        def value(key_of_value: PRNGKey, number: Array) -> Array:
            drawn = model.propose(datum, jax.random.fold_in(key, number))
            if model.missingness is not None:
                return model.completed(datum, drawn.keys, drawn.z)
            p_x = batched.sought(model.likelihood(drawn.z, key=drawn.keys[1]), datum)
            return p_x.draw(key_of_value)[0]

        of_values = jax.random.fold_in(key, _OF_VALUES)
        return batched.over_draws(value, of_values, chosen.shape[0], chosen)

    return jnp.swapaxes(batched.over_data(one, key, x, chosen), 0, 1)
