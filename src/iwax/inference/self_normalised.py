"""Means and draws of what was not observed, by self-normalised importance weights, a chunk of draws at a time.

The error of a mean ``sum_i w̃_i h_i`` depends on the tail of w and on that of w |h - E[h]|, of which either may be the
heavier (Vehtari et al. 2024, arXiv:1507.02646): a Pareto k-hat is fitted to w (1 + |h - E[h]|), whose tail is as heavy
as the heavier of both. A row has a mean for every one of its cells that is estimated; |h - E[h]| is the largest of
their distances from the first draw's mean, each in units of its average over the draws that follow.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from iwax import batched, likelihoods, streams
from iwax._typing import PRNGKey
from iwax.compiler import compiler_options
from iwax.evaluation import trust
from iwax.evaluation.pareto import Tail
from iwax.evaluation.rows import Block
from iwax.inference import proposals
from iwax.inference.gibbs import filled_in
from iwax.inference.proposals import EVERY
from iwax.model import LatentVariableModel
from iwax.parts import Datum
from iwax.printed import printed

__all__ = ["Estimates", "Sampling", "SelfNormalised", "estimated"]

_CHUNK, _NUMBERS = 2_000, 180_000  # worked on at once: rows times draws, or, if rows are short, numbers
_SCALING = 16  # draws after the first from which distances have their units: a chunk holds them
_DRAWS_PER_CALL = 10_000  # per row, about: then their log-weights leave the device, and only the largest stay


class SelfNormalised:
    """The diagnostics of a self-normalised estimate, from its ``ess`` and ``pareto_k`` [n]: the base of results.

    ``phrases`` are words for what is estimated, for such rows, and for what helps.
    """

    k: int
    error: np.ndarray
    ess: np.ndarray
    pareto_k: np.ndarray
    phrases: ClassVar[tuple[str, str, str]]

    @property
    def estimated(self) -> np.ndarray:
        """Which cells are estimates, [n, *event]."""
        return np.ones(self.error.shape, bool)

    @property
    def unknown(self) -> np.ndarray:
        """Whether the error of a row's estimates is unknown, [n]: the rule of `Evidence.known_error`."""
        return trust.unknown(self.ess, self.pareto_k)

    @property
    def known_error(self) -> np.ndarray:
        """``error`` [n, *event], but NaN in the estimates of rows with an unknown error."""
        unknown = self.unknown.reshape(-1, *(1,) * (self.error.ndim - 1))
        return np.where(unknown & self.estimated, np.nan, self.error)

    @property
    def ess_median(self) -> float | None:
        """The median effective sample size of the rows that have one; None without any."""
        known = self.ess[np.isfinite(self.ess)]
        return float(np.median(known)) if known.size else None

    def warnings(self, *, first: int = 0) -> list[str]:
        """Reasons to distrust the numbers, in words; empty where there are none. Rows are numbered from ``first``."""
        if not self.unknown.any():
            return []
        (what, rows, advice), of = self.phrases, int(_by_row(self.estimated).any(axis=1).sum())
        words = trust.unknown_words(what, self.unknown, self.k, of=of, rows=rows)
        return [f"{words} ({trust.named(self.unknown, first=first)}); {advice}"]


@printed()
class Estimates(NamedTuple):
    """Means and errors [batch, *event], effective sample sizes and k-hat [batch], and m draws of a block of rows.

    All on the host; without draws m is 0.
    """

    means: np.ndarray
    error: np.ndarray
    ess: np.ndarray
    pareto_k: np.ndarray
    draws: np.ndarray


class Sampling(NamedTuple):
    """k draws per row, ``draws`` of values, and whether every fifth draw is from the prior.

    The encoder reads what ``iterations`` pseudo-Gibbs iterations make of x.
    """

    k: int
    draws: int
    iterations: int
    defensive: bool


def estimated(model: LatentVariableModel, key: PRNGKey, block: Block, how: Sampling) -> Estimates:
    """The estimates for the rows of a block, less its padding.

    The weights are right for any row that the encoder reads, as long as the noise that made it is not the draws'.
    """
    x = block.x
    if how.iterations:
        of_gibbs = jax.random.fold_in(key, streams.Evaluation.GIBBS)
        x = replace(x, inputs=filled_in(model, of_gibbs, x, how.iterations))
    tail, ratios, log_w = Tail(how.k), (), []
    for sums, of_call, log_size in _calls(model, key, x, how):
        tail.add(np.asarray(log_size).T)
        ratios = _ratios(sums)
        if how.draws:
            log_w.append(of_call)
    means, error, ess = (np.asarray(each) for each in ratios)
    copies = np.zeros((0, *means.shape), means.dtype)
    if how.draws:
        copies = np.asarray(_drawn(model, key, x, jnp.concatenate(log_w, axis=1)[:, : how.k], how))
    n, event = block.size, x.values.shape[1:]
    means, error = (each[:n].reshape(n, *event) for each in (means, error))
    return Estimates(means, error, ess[:n], tail.shape()[:n], copies[:, :n].reshape(-1, n, *event))


class _Sums(NamedTuple):
    """Sums over draws of w, w d, w^2, w^2 d and w^2 d^2: w relative to the ``largest`` so far, d = mean - anchor.

    The ``anchor`` is the first draw's mean: sums of differences from it lose no digits. ``units`` is one over how large
    d is on average over the first draws; 0 where it is 0 or not estimated.
    """

    anchor: Float[Array, "batch features"]
    units: Float[Array, "batch features"]
    largest: Float[Array, " batch"]
    w: Float[Array, " batch"]
    wd: Float[Array, "batch features"]
    ww: Float[Array, " batch"]
    wwd: Float[Array, "batch features"]
    wwdd: Float[Array, "batch features"]
    wp: Float[Array, "batch features classes"] | None  # p: the probabilities of classes


def _draws_per_chunk(how: Sampling, x: Datum) -> int:
    """The number with which a chunk has the size that is fastest, all chunks alike: none is mostly empty."""
    rows, features = x.values.shape[0], math.prod(x.values.shape[1:])
    most = max(1 + _SCALING, max(_CHUNK, _NUMBERS // features) // rows)
    chunk = -(-how.k // -(-how.k // min(how.k, most)))
    return -(-chunk // EVERY) * EVERY if how.defensive else chunk


def _calls(model: LatentVariableModel, key: PRNGKey, x: Datum, how: Sampling) -> Iterator[tuple[_Sums, Array, Array]]:
    """The sums so far, and log w and log w (1 + |h - E[h]|) of the draws of a call, [batch, draws]."""
    compiled = cast(Any, eqx.filter_jit)(_summed, compiler_options=compiler_options())
    chunk, sums = _draws_per_chunk(how, x), None
    chunks = -(-min(how.k, _DRAWS_PER_CALL) // chunk)
    for first in range(0, how.k, chunks * chunk):
        sums, log_w, log_size = compiled(
            model, key, x, sums, jnp.int32(first), jnp.int32(how.k), (chunk, chunks), how.defensive
        )
        yield sums, log_w, log_size


def _summed(
    model: LatentVariableModel,
    key: PRNGKey,
    x: Datum,
    sums: _Sums | None,
    start: Array,
    k: Array,
    size: tuple[int, int],
    defensive: bool,
) -> tuple[_Sums, Array, Array]:
    """The sums after further chunks of draws, from the draw ``start`` on; those from k on have no weight."""
    chunk, chunks = size
    weighted = eqx.filter_closure_convert(
        lambda first: proposals.weighted_means(model, key, x, k=chunk, first=first, defensive=defensive), jnp.int32(0)
    )  # traced here, for its shapes and for the loop
    seen = None if isinstance(model.likelihood, likelihoods.Flipped) else x.observed  # through noise: nothing is
    unseen = _by_row(jnp.ones(x.values.shape, bool) if seen is None else ~seen)

    def add(sums: _Sums, first: Array) -> tuple[_Sums, tuple[Array, Array]]:
        log_w, means, classes = weighted(first)
        means = _by_row(means, 2)
        sums = sums._replace(anchor=jnp.where(first == 0, means[:, 0], sums.anchor))
        there = (first + jnp.arange(chunk) < k)[:, None] & ~jnp.isnan(log_w)
        log_w, d = jnp.where(there, log_w, -jnp.inf).T, means - sums.anchor[:, None]
        sums = sums._replace(units=jnp.where(first == 0, _units(d, unseen), sums.units))
        far = jnp.max(jnp.abs(d) * sums.units[:, None], axis=2)
        log_size = jnp.where(jnp.isfinite(log_w), log_w + jnp.log1p(far), -jnp.inf)
        return _added(sums, log_w, d, classes), (log_w, log_size)

    firsts = start + chunk * jnp.arange(chunks, dtype=jnp.int32)  # of one type in both precisions
    sums, each = jax.lax.scan(add, _none(weighted) if sums is None else sums, firsts)
    log_w, log_size = (jnp.swapaxes(part, 0, 1).reshape(x.values.shape[0], -1) for part in each)
    return sums, log_w, log_size


def _none(weighted: Any) -> _Sums:
    """The sums before any draw."""
    _, mean, probability = eqx.filter_eval_shape(weighted, jnp.int32(0))
    mean = eqx.filter_eval_shape(_by_row, mean, 2)
    zeros = jnp.zeros((mean.shape[0], *mean.shape[2:]), mean.dtype)
    no_classes = None if probability is None else jnp.zeros((probability.shape[0], *probability.shape[2:]))
    none = jnp.zeros(zeros.shape[0])
    return _Sums(zeros, zeros, none - jnp.inf, none, zeros, none, zeros, zeros, no_classes)


def _units(d: Array, unseen: Array) -> Array:
    """One over the mean distance from the first draw, over those after it; 0 for what is constant or was seen."""
    scale = jnp.abs(d[:, : 1 + _SCALING]).mean(axis=1)
    return jnp.where(unseen & (scale > 0), 1 / jnp.where(scale > 0, scale, 1), 0)


def _added(sums: _Sums, log_w: Array, d: Array, p: Array | None) -> _Sums:
    """The sums after further draws: log-weights [batch, chunk], means less the anchor [batch, chunk, features]."""
    largest = jnp.maximum(sums.largest, log_w.max(axis=1))
    safe = jnp.where(jnp.isfinite(largest), largest, 0)
    old, w = jnp.exp(sums.largest - safe), jnp.exp(log_w - safe[:, None])
    ww = w**2
    return _Sums(
        sums.anchor,
        sums.units,
        largest,
        old * sums.w + w.sum(axis=1),
        old[:, None] * sums.wd + jnp.einsum("bk,bkf->bf", w, d),
        old**2 * sums.ww + ww.sum(axis=1),
        old[:, None] ** 2 * sums.wwd + jnp.einsum("bk,bkf->bf", ww, d),
        old[:, None] ** 2 * sums.wwdd + jnp.einsum("bk,bkf->bf", ww, d**2),
        None if sums.wp is None else old[:, None, None] * sums.wp + jnp.einsum("bk,bkfc->bfc", w, p),
    )


@jax.jit
def _ratios(sums: _Sums) -> tuple[Array, Array, Array]:
    """The means, their errors and the effective sample sizes: of classes the most probable one, and 1 - its share."""
    shift = sums.wd / sums.w[:, None]
    variance = sums.wwdd - 2 * shift * sums.wwd + shift**2 * sums.ww[:, None]
    error = jnp.sqrt(jnp.maximum(variance, 0)) / sums.w[:, None]
    means = sums.anchor + shift
    if sums.wp is not None:
        p = sums.wp / sums.w[:, None, None]
        of_classes = p.sum(axis=-1) > 0
        means = jnp.where(of_classes, jnp.argmax(p, axis=-1), means)
        error = jnp.where(of_classes, 1 - p.max(axis=-1), error)
    return means, error, sums.w**2 / sums.ww


@eqx.filter_jit
def _drawn(model: LatentVariableModel, key: PRNGKey, x: Datum, log_w: Float[Array, "batch k"], how: Sampling) -> Array:
    """m draws ``x ~ p(x|z_j)``, j ~ Cat(w̃), [m, batch, features]."""
    return _values(model, key, x, _chosen(key, x, log_w, how.draws), how.defensive)


def _chosen(key: PRNGKey, x: Datum, log_w: Float[Array, "batch k"], m: int) -> Int[Array, "batch m"]:
    """m numbers ``j ~ Cat(w̃)`` for each row, independent."""

    def one(key: PRNGKey, datum: Datum, log_w: Array) -> Array:
        ends = jnp.cumsum(jnp.exp(log_w - log_w.max()))
        points = ends[-1] * jax.random.uniform(jax.random.fold_in(key, streams.Row.CHOICE), (m,))
        return jnp.minimum(jnp.searchsorted(ends, points, side="right"), log_w.shape[0] - 1)

    return batched.over_data(one, key, x, log_w)


def _values(
    model: LatentVariableModel, key: PRNGKey, x: Datum, chosen: Int[Array, "batch m"], defensive: bool
) -> Array:
    """``x ~ p(x|z_j)`` for the draws j [batch, m] of each row, [m, batch, features]."""

    def one(key: PRNGKey, datum: Datum, chosen: Array) -> Array:
        def value(key_of_value: PRNGKey, number: Array) -> Array:
            z, keys = proposals.draw(model, datum, key, number, defensive=defensive)
            return proposals.value(model, datum, key_of_value, keys, z)

        of_values = jax.random.fold_in(key, streams.Row.VALUES)
        return batched.over_draws(value, of_values, chosen.shape[0], chosen)

    return jnp.swapaxes(batched.over_data(one, key, x, chosen), 0, 1)


def _by_row(each: Any, axes: int = 1) -> Any:
    """An array with all axes after the first ``axes`` as one: the values of a row, whatever their shape."""
    return each.reshape(*each.shape[:axes], math.prod(each.shape[axes:]))
