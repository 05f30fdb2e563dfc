"""What was not observed, given what was: single and multiple imputation by importance weights."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from numpy.typing import ArrayLike

from iwax import batched
from iwax._typing import Datum, PRNGKey
from iwax.inference import inputs
from iwax.inference.pieces import Piece, pieces
from iwax.model import LatentVariableModel

__all__ = ["Imputation", "impute"]

_CHUNK = 2_000  # rows times draws worked on at once
_OF_VALUES, _OF_CHOICE = 2**32 - 4, 2**32 - 5  # numbers that no draw has: keys of what is drawn beside the draws
_FEW = 10  # draws that count: below so many, an error of a mean is a guess


@dataclass(frozen=True)
class Imputation:
    """Rows [n, D] with their holes filled; observed cells are those that were given, untouched.

    ``values`` hold ``E[x_missing | x_observed]``, ``error`` [n, D] the Monte-Carlo error of these means (0 where x was
    observed). In columns that are classes they hold the most probable class, and the probability that it is another.
    ``ess`` [n] how many of the k draws count (NaN for a row without holes), ``missing`` [n, D] marks the
    holes. ``draws`` [m, n, D] are m draws of ``p(x_missing | x_observed)``, where they were asked for: whole tables,
    over which whatever is computed varies as it should.
    """

    k: int
    values: np.ndarray
    error: np.ndarray
    ess: np.ndarray
    missing: np.ndarray
    draws: np.ndarray | None

    @property
    def ess_median(self) -> float | None:
        """The median effective sample size of the rows with holes; None without any."""
        known = self.ess[np.isfinite(self.ess)]
        return float(np.median(known)) if known.size else None

    def warnings(self) -> list[str]:
        """Reasons to distrust the numbers, in words; empty where there are none."""
        few = int(np.sum(self.ess < _FEW))
        if not few:
            return []
        return [
            f"for {few:,} of {int(np.isfinite(self.ess).sum()):,} rows with holes fewer than {_FEW} of the k={self.k} "
            "draws count: what fills them is less certain than its error says; a larger k helps"
        ]


class _Found(NamedTuple):
    """Of a piece of rows: means and their errors [batch, D], effective sample sizes [batch], draws [m, batch, D]."""

    means: Any
    error: Any
    ess: Any
    draws: Any


def impute(
    model: LatentVariableModel,
    x: ArrayLike,
    *,
    k: int,
    key: PRNGKey,
    draws: int = 0,
    rows: np.ndarray | None = None,
    batch: int = 100,
) -> Imputation:
    """``sum_i w̃_i E[x_missing | z_i]``, z_i ~ q(z|x_observed), for every NaN of x [n, D]; w̃_i = w_i / sum w.

    w = p(x_observed, z) / q(z|x_observed). A mean of means, which varies less than one of draws of x (Mattei and
    Frellsen 2019, arXiv:1812.02633, section 3.4); with a model of missingness w has its p(s|x) too, which hangs on what
    was drawn into the holes, and that is averaged. With ``draws`` = m there are m imputed tables besides, by sampling
    importance resampling: z_j of the k draws, j ~ Cat(w̃), then x_missing ~ p(x|z_j); they are draws of
    p(x_missing|x_observed) as k grows. ``batch`` rows are taken at once; of their draws a log-weight each is kept. The
    result is a function of (key, row number, k), but for rounding; ``rows`` are the row numbers (0, 1, ... by default).
    Raises ValueError for data of another shape, infinite, outside the likelihood's support, or without an observed
    value in a row; for a likelihood that is not of independent features; and for k or batch below 1 or draws below 0.

    >>> from iwax import likelihoods, nn, posteriors, priors
    >>> model = LatentVariableModel(
    ...     prior=priors.StandardNormal(2),
    ...     likelihood=likelihoods.Gaussian.scalar(nn.Linear(2, 3, key=jax.random.key(0))),
    ...     posterior=posteriors.Gaussian(nn.Linear(3, 4, key=jax.random.key(1))),
    ... )
    >>> found = impute(model, np.array([[0.5, np.nan, 1.0]]), k=100, key=jax.random.key(2))
    >>> found.values[0, [0, 2]].tolist(), bool(found.error[0, 1] > 0)
    ([0.5, 1.0], True)
    """
    table = np.asarray(inputs.rows(model, x, key, missing=True))
    k, batch = inputs.check_count("k", k), inputs.check_count("batch", batch)
    draws = draws if draws == 0 else inputs.check_count("draws", draws)
    model.refuse_outside(table, missing=True)
    numbers = np.arange(len(table)) if rows is None else np.asarray(rows)
    if numbers.shape != table.shape[:1]:
        raise ValueError(f"rows must number the {len(table)} rows of x, got shape {numbers.shape}")
    missing = np.isnan(table) if table.dtype.kind == "f" else np.zeros(table.shape, bool)
    values = np.array(table, np.result_type(table.dtype, np.float32))
    error, ess = np.zeros(table.shape), np.full(len(table), np.nan)
    copies = np.repeat(values[None], draws, axis=0) if draws else None
    (holed,) = np.nonzero(missing.any(axis=1))
    model = batched.ready(model, key)
    for piece in pieces(table[holed], len(holed), size=batch, numbers=numbers[holed]) if len(holed) else ():
        at = holed[piece.first : piece.first + piece.kept]
        found, holes = _of_piece(model, key, piece, k, draws), missing[at]
        values[at] = np.where(holes, found.means, values[at])
        error[at] = np.where(holes, found.error, 0)
        ess[at] = found.ess
        if copies is not None:
            copies[:, at] = np.where(holes, found.draws, copies[:, at])
    return Imputation(k, values, error, ess, missing, copies)


def _of_piece(model: LatentVariableModel, key: PRNGKey, piece: Piece, k: int, draws: int) -> _Found:
    """On the host, less what fills the piece up."""
    chunk = max(1, min(k, _CHUNK // piece.x.values.shape[0]))
    found = _imputed(model, key, piece.x, k, chunk, draws)
    kept = piece.kept
    means, error, ess = (np.asarray(each)[:kept] for each in found[:3])
    return _Found(means, error, ess, np.asarray(found.draws)[:, :kept])


class _Sums(NamedTuple):
    """Sums over draws of w, w d, w^2, w^2 d and w^2 d^2: w relative to the ``largest`` so far, d = mean - anchor."""

    largest: Float[Array, " batch"]
    w: Float[Array, " batch"]
    wd: Float[Array, "batch features"]
    ww: Float[Array, " batch"]
    wwd: Float[Array, "batch features"]
    wwdd: Float[Array, "batch features"]
    wp: Float[Array, "batch features classes"] | None  # p: the probabilities of classes


@eqx.filter_jit
def _imputed(model: LatentVariableModel, key: PRNGKey, x: Datum, k: int, chunk: int, draws: int) -> _Found:
    """All k draws, ``chunk`` of them at a time; of each, the log-weight is kept."""
    _, first_means, first_classes = batched.weighted_means(model, key, x, k=1)
    anchor = first_means[:, 0]
    none, zeros = jnp.zeros(anchor.shape[0]), jnp.zeros_like(anchor)

    def add(sums: _Sums, first: Array) -> tuple[_Sums, Array]:
        log_w, means, classes = batched.weighted_means(model, key, x, k=chunk, first=first)
        there = (first + jnp.arange(chunk) < k)[:, None] & ~jnp.isnan(log_w)
        log_w = jnp.where(there, log_w, -jnp.inf).T
        return _added(sums, log_w, means - anchor[:, None], classes), log_w

    no_classes = None if first_classes is None else jnp.zeros_like(first_classes[:, 0])
    start = _Sums(none - jnp.inf, none, zeros, none, zeros, zeros, no_classes)
    sums, log_w = jax.lax.scan(add, start, chunk * jnp.arange(-(-k // chunk)))
    shift = sums.wd / sums.w[:, None]
    variance = sums.wwdd - 2 * shift * sums.wwd + shift**2 * sums.ww[:, None]
    error = jnp.sqrt(jnp.maximum(variance, 0)) / sums.w[:, None]
    means = anchor + shift
    if sums.wp is not None:
        p = sums.wp / sums.w[:, None, None]
        of_classes = p.sum(axis=-1) > 0
        means = jnp.where(of_classes, jnp.argmax(p, axis=-1), means)
        error = jnp.where(of_classes, 1 - p.max(axis=-1), error)
    chosen = _chosen(key, x, jnp.swapaxes(log_w, 0, 1).reshape(len(none), -1), draws)
    return _Found(means, error, sums.w**2 / sums.ww, _values(model, key, x, chosen))


def _added(sums: _Sums, log_w: Array, d: Array, p: Array | None) -> _Sums:
    """The sums after further draws: log-weights [batch, chunk], means less the anchor [batch, chunk, features]."""
    largest = jnp.maximum(sums.largest, log_w.max(axis=1))
    safe = jnp.where(jnp.isfinite(largest), largest, 0)
    old, w = jnp.exp(sums.largest - safe), jnp.exp(log_w - safe[:, None])
    ww = w**2
    return _Sums(
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
            return model.likelihood(drawn.z, key=drawn.keys[1]).draw(key_of_value)[0]

        of_values = jax.random.fold_in(key, _OF_VALUES)
        return batched.over_draws(value, of_values, chosen.shape[0], chosen)

    return jnp.swapaxes(batched.over_data(one, key, x, chosen), 0, 1)
