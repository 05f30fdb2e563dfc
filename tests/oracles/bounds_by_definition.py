"""Bounds of log-weights [k, *batch] written out from their definitions in float64 NumPy, as plainly as they can be.

Log-weights may be -inf: a weight of zero, which has no part in a mean under normalised weights.
"""

import itertools
import math

import numpy as np


def log_mean_exp(v):
    """log of the mean of exp v over the first axis."""
    largest = v.max(axis=0)
    safe = np.where(np.isfinite(largest), largest, 0.0)
    with np.errstate(divide="ignore"):
        return safe + np.log(np.exp(v - safe).mean(axis=0))


def elbo(v):
    return v.mean(axis=0)


def miwae(m, v):
    """The mean over m groups, in their order, of the iwae of each."""
    return np.mean([log_mean_exp(group) for group in np.split(v, m)], axis=0)


def ciwae(beta, v):
    return (beta * elbo(v) if beta else 0.0) + ((1 - beta) * log_mean_exp(v) if beta < 1 else 0.0)


def renyi(alpha, v):
    if alpha == 1:
        return elbo(v)
    if alpha == -math.inf:
        return v.max(axis=0)
    return log_mean_exp((1 - alpha) * v) / (1 - alpha)


def cubo(n, v):
    """The logarithm of the n-norm of the weights: (mean of w^n)^(1/n)."""
    return log_mean_exp(n * v) / n


def coefficients(k, order):
    """Sharot's, by the rule that terms of 1/k, ..., 1/k^order cancel and that their sum is 1."""
    sizes = k - np.arange(order + 1.0)
    powers = sizes[None, :] ** -np.arange(order + 1.0)[:, None]
    return np.linalg.solve(powers, np.eye(order + 1)[0])


def jackknife(order, v):
    """The combination of the means over all subsets that leave out j draws, j = 0, ..., order."""
    k, total = len(v), 0.0
    for j, coefficient in enumerate(coefficients(k, order)):
        left = [log_mean_exp(np.delete(v, list(subset), axis=0)) for subset in itertools.combinations(range(k), j)]
        total = total + coefficient * np.mean(left, axis=0)
    return total


def thermodynamic(intervals, first, side, v):
    """A Riemann sum of the mean of v under weights w^b, over 0, first, ..., 1 spaced evenly in log b."""
    ratio = first ** (1 / (intervals - 1)) if intervals > 1 else 1.0
    points = [0.0, *(ratio**i for i in reversed(range(intervals)))]
    total = 0.0
    for low, high in itertools.pairwise(points):
        b = low if side == "left" else high
        shares = np.exp(b * (v - v.max(axis=0))) if b else np.ones_like(v)
        shares = shares / shares.sum(axis=0)
        total = total + (high - low) * np.where(shares > 0, shares * v, 0).sum(axis=0)
    return total


def sumo(m, stop, v):
    """The sum that is cut after J = ``stop`` of its terms, of which the j-th counts 1/P(J >= j) = j (j <= 80)."""
    means = [log_mean_exp(v[:size]) for size in range(1, len(v) + 1)]
    return means[m - 1] + sum((means[m + j - 1] - means[m + j - 2]) * j for j in range(1, stop + 1))
