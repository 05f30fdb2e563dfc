"""Densities of single features by SciPy and mpmath in float64: what they sum to, their means, where draws fall."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy.special
import scipy.stats


class Feature(NamedTuple):
    """``log_prob(values)``, and nodes and weights with which it integrates to one; counts have weights of one."""

    log_prob: Callable[[np.ndarray], np.ndarray]
    nodes: np.ndarray
    weights: np.ndarray

    @property
    def mean(self) -> float:
        """The sum of node times density times weight."""
        return float(np.sum(self.nodes * np.exp(self.log_prob(self.nodes)) * self.weights))

    def uniform(self, values: np.ndarray, seed: int) -> np.ndarray:
        """What draws become under their distribution function, uniform between its two sides where it jumps."""
        mass = np.exp(self.log_prob(self.nodes)) * self.weights
        if (self.weights == 1).all():
            place = np.searchsorted(self.nodes, values - 1e-4)
            assert np.abs(self.nodes[place] - values).max() < 1e-6, "a draw outside the support"
            return (np.cumsum(mass) - mass)[place] + np.random.default_rng(seed).random(len(values)) * mass[place]
        if self.nodes[0] == 0 and self.weights[0] == 1:  # a mass at 0 before a density
            above = np.interp(values, self.nodes[1:], mass[0] + np.cumsum(mass[1:]) - mass[1:] / 2)
            return np.where(values == 0, mass[0] * np.random.default_rng(seed).random(len(values)), above)
        return np.interp(values, self.nodes, np.cumsum(mass) - mass / 2)


def over_the_line(log_prob, loc: float, scale: float) -> Feature:
    """A density on all real numbers with tails down to those of a Student-t: ``x = loc + scale sinh u``."""
    u = np.linspace(-17, 17, 6001)
    return Feature(log_prob, loc + scale * np.sinh(u), scale * np.cosh(u) * (u[1] - u[0]))


def over_counts(log_prob, largest: int) -> Feature:
    return Feature(log_prob, np.arange(largest + 1.0), np.ones(largest + 1))


def normal(loc: float, scale: float) -> Feature:
    return over_the_line(lambda x: scipy.stats.norm.logpdf(x, loc, scale), loc, scale)


def student_t(df: float, loc: float, scale: float) -> Feature:
    return over_the_line(lambda x: scipy.stats.t.logpdf(x, df, loc, scale), loc, scale)


def log_normal(loc: float, scale: float) -> Feature:
    u = np.linspace(-12, 12, 4001)
    x = np.exp(loc + scale * u)
    return Feature(lambda x: scipy.stats.lognorm.logpdf(x, scale, scale=np.exp(loc)), x, x * scale * (u[1] - u[0]))


def continuous_bernoulli(logit: float) -> Feature:
    """A truncated exponential, or its mirror image; uniform at 0."""
    nodes, weights = np.polynomial.legendre.leggauss(400)
    size = abs(logit)

    def log_prob(x):
        if size == 0:
            return np.zeros_like(x)
        return scipy.stats.truncexpon.logpdf(x if logit < 0 else 1 - x, size, scale=1 / size)

    return Feature(log_prob, (nodes + 1) / 2, weights / 2)


def bernoulli(logit: float) -> Feature:
    return over_counts(lambda x: scipy.stats.bernoulli.logpmf(x, scipy.special.expit(logit)), 1)


def categorical(logits) -> Feature:
    log_probability = scipy.special.log_softmax(logits)
    return over_counts(lambda x: log_probability[np.asarray(x).astype(int)], len(logits) - 1)


def poisson(rate: float) -> Feature:
    return over_counts(lambda x: scipy.stats.poisson.logpmf(x, rate), int(rate + 40 * np.sqrt(rate) + 40))


def negative_binomial(mean: float, concentration: float) -> Feature:
    p = concentration / (concentration + mean)
    return over_counts(lambda x: scipy.stats.nbinom.logpmf(x, concentration, p), int(60 * (mean + 1) / p))


def zero_inflated(counts: Feature, gate: float) -> Feature:
    g = scipy.special.expit(gate)

    def log_prob(x):
        counted = np.log1p(-g) + counts.log_prob(x)
        return np.where(np.asarray(x) == 0, np.logaddexp(np.log(g), counted), counted)

    return Feature(log_prob, counts.nodes, counts.weights)


def hurdle(positive: Feature, gate: float) -> Feature:
    """A mass at 0, the first node, and a density above it."""

    def log_prob(x):
        above = positive.log_prob(np.where(np.asarray(x) > 0, x, 1)) + np.log(scipy.special.expit(-gate))
        return np.where(np.asarray(x) == 0, np.log(scipy.special.expit(gate)), above)

    return Feature(log_prob, np.append(0, positive.nodes), np.append(1, positive.weights))


def integer_logistic(loc: float, scale: float, lower: int) -> Feature:
    """By the distribution function below loc, and by the survival function above; over 80 scales to either side."""
    logistic = scipy.stats.logistic(loc, scale)

    def log_prob(x):
        low, high = np.where(np.asarray(x) <= lower, -np.inf, np.asarray(x) - 0.5), np.asarray(x) + 0.5
        by_cdf, by_sf = logistic.cdf(high) - logistic.cdf(low), logistic.sf(low) - logistic.sf(high)
        return np.log(np.where(low < loc, by_cdf, by_sf))

    nodes = np.arange(max(lower, round(loc - 80 * scale) - 3), round(loc + 80 * scale) + 4.0)
    return Feature(log_prob, nodes, np.ones(len(nodes)))


def discretized_logistic(loc: float, scale: float, bins: int) -> Feature:
    """By the distribution function below loc, and by the survival function above."""

    def log_prob(x):
        k = np.round(np.asarray(x) * (bins - 1))
        low, high = np.where(k == 0, -np.inf, k / bins), np.where(k == bins - 1, np.inf, (k + 1) / bins)
        logistic = scipy.stats.logistic(loc, scale)
        by_cdf, by_sf = logistic.cdf(high) - logistic.cdf(low), logistic.sf(low) - logistic.sf(high)
        return np.log(np.where(low < loc, by_cdf, by_sf))

    return Feature(log_prob, np.arange(bins) / (bins - 1), np.ones(bins))


def mixture(logits, components: list[Feature]) -> Feature:
    log_weights = scipy.special.log_softmax(logits)

    def log_prob(x):
        each = [weight + component.log_prob(x) for weight, component in zip(log_weights, components, strict=True)]
        return scipy.special.logsumexp(each, axis=0)

    return Feature(log_prob, components[0].nodes, components[0].weights)
