"""Pareto k-hat: how heavy the tail of importance weights is, hence whether their mean can be trusted.

The M largest weights, less the (M+1)-th (the cutoff), are fitted by a generalised Pareto distribution of
shape k-hat. The mean of k draws converges at the usual rate for k-hat below 0.5, usefully below 0.7, and not
in practice above.

Fit: Zhang and Stephens (2009), "A new and efficient estimation method for the generalized Pareto
distribution", Technometrics 51. Size of the tail, and the weak prior that draws k-hat towards 0.5 by ten
observations' worth: Vehtari, Simpson, Gelman, Yao and Gabry (2024), "Pareto smoothed importance sampling",
JMLR 25, arXiv:1507.02646.
"""

import math

import numpy as np
from scipy.special import logsumexp

from iwax.evaluation.tables import numeric

__all__ = ["Tail", "pareto_k", "tail_size"]

FEWEST = 5  # a tail of fewer weights says nothing about its shape
PRIOR_SHAPE, PRIOR_COUNT = 0.5, 10  # of the shape
PRIOR_QUARTILES = 3  # of the rate, in quartiles of the exceedances: Zhang and Stephens's recommendation
NEGLIGIBLE = 10 * np.finfo(np.float64).eps
EQUAL = 1e-12  # exceedance, as a fraction of the largest weight, up to which weights differ by rounding alone
SMALLEST = 1e-290  # exceedance, as a fraction of the largest, whose inverse is still finite
PIECE = 200_000  # numbers held at once: grid points x tail x data; 1.6 MB, whatever k


def tail_size(k: int) -> int:
    """M = ceil(min(k / 5, 3 sqrt(k))): how many of k weights count as their tail (arXiv:1507.02646).

    ValueError for k below 1.

    >>> tail_size(100), tail_size(5000)
    (20, 213)
    """
    if k < 1:
        raise ValueError(f"k must be at least 1 draw, got {k}")
    # in whole numbers: 0.2 * 35 is more than 7 in floating point
    return min(-(-k // 5), math.isqrt(9 * k - 1) + 1)


def pareto_k(largest: np.ndarray, k: int) -> np.ndarray:
    """k-hat [n] of k log-weights per datum, from the m > tail_size(k) ``largest`` [m, n], in any order.

    Computed in float64. -inf where all of ``largest`` are equal up to rounding (no tail: the best case); NaN where
    k < 21 (the tail would have fewer than five weights), and where one is NaN or the largest infinite.
    A log-weight of -inf is a weight of 0. ValueError for fewer rows than a fit at this k needs.

    >>> spread = np.log(np.random.default_rng(0).pareto(1 / 0.9, size=(10_000, 1)))
    >>> pareto_k(spread, 10_000)
    array([0.89])
    """
    size = tail_size(k)
    largest = numeric("largest", largest).astype(np.float64)
    if largest.ndim != 2:
        raise ValueError(f"largest must be log-weights [m, n], got shape {largest.shape}")
    n = largest.shape[1]
    if size < FEWEST:
        return np.full(n, np.nan)
    if len(largest) < size + 1:
        raise ValueError(f"k = {k} draws need their {size + 1} largest log-weights, got {len(largest)}")
    result = np.full(n, np.nan)
    usable = np.isfinite(largest.max(axis=0))  # the maximum of a column with a NaN is NaN
    result[usable] = _shapes(np.sort(largest[:, usable], axis=0)[-(size + 1) :])
    return result


class Tail:
    """The largest of k log-weights per row that arrive in pieces: as many as `pareto_k` needs, and no more.

    >>> tail = Tail(100)
    >>> for piece in np.split(np.arange(100.0)[:, None], 4):
    ...     tail.add(piece)
    >>> len(tail.largest), bool(tail.shape() == pareto_k(np.arange(100.0)[:, None], 100))
    (21, True)
    """

    def __init__(self, k: int) -> None:
        self.k, self.least, self.largest = k, tail_size(k) + 1, np.empty((0, 0))

    def add(self, log_w: np.ndarray) -> None:
        """Take in log-weights [draws, n]."""
        held = np.concatenate([self.largest.reshape(-1, log_w.shape[1]), log_w])
        cut = len(held) - self.least
        self.largest = np.partition(held, cut, axis=0)[cut:] if cut > 0 else held

    def shape(self) -> np.ndarray:
        """k-hat [n]."""
        return pareto_k(self.largest, self.k)


def _shapes(top: np.ndarray) -> np.ndarray:
    """Shape of each column of ascending log-weights [M + 1, n], in pieces of data that bound the memory."""
    columns = max(1, PIECE // (len(top) * _grid_size(len(top))))
    starts = range(0, top.shape[1], columns)
    return np.concatenate([np.empty(0), *(_shape(top[:, start : start + columns]) for start in starts)])


def _shape(top: np.ndarray) -> np.ndarray:
    """Shape of each column of a few: the exceedances w - cutoff over max w, and their fit."""
    cutoff, tail = top[0], top[1:]
    possible = np.isfinite(tail)
    drop = np.subtract(cutoff, tail, out=np.zeros_like(tail), where=possible)
    # by expm1, so that nearly equal weights keep their digits
    exceedances = -np.expm1(drop) * np.exp(tail - top[-1])
    spread = exceedances[-1] > EQUAL
    fitted = _fit(np.where(spread, exceedances, 1.0), np.exp(cutoff - top[-1]))
    regular = (len(tail) * fitted + PRIOR_COUNT * PRIOR_SHAPE) / (len(tail) + PRIOR_COUNT)
    return np.where(spread, regular, -np.inf)


def _grid_size(size: int) -> int:
    return 30 + math.isqrt(size)


def _fit(x: np.ndarray, cutoff: np.ndarray) -> np.ndarray:
    """The shape that the posterior mean of the rate b implies, b on a grid of quantiles of its prior."""
    size = len(x)
    quartile = x[int(size / 4 + 0.5) - 1]
    # where ties (or weights lost to underflow) leave it at 0, the cutoff is the scale that is left: equal
    # weights with one a little above them are harmless, equal weights with one far above them are not
    quartile = np.maximum(np.where(quartile > 0, quartile, cutoff), SMALLEST)
    quantiles = 1 - np.sqrt(_grid_size(size) / (np.arange(_grid_size(size)) + 0.5))
    b = quantiles[:, None] / (PRIOR_QUARTILES * quartile) + 1 / x[-1]
    shape = np.log1p(-b[:, None] * x).mean(axis=1)
    profile = size * (np.log(-b / shape) - shape - 1)
    weight = np.exp(profile - logsumexp(profile, axis=0))
    weight = np.where(weight < NEGLIGIBLE, 0.0, weight)
    rate = (weight * b).sum(axis=0) / weight.sum(axis=0)
    return np.log1p(-rate * x).mean(axis=0)
