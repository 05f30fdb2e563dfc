"""One latent, two binary pixels, and every derivative of it written out in float64 NumPy.

z ~ N(0, 1), logits w_1 z + b_1 and w_2 z + b_2, x = (1, 0), and q(z|x) = N(loc, exp(log_scale)^2) drawn as
z = loc + exp(log_scale) noise. Parameters are the vector (w_1, w_2, b_1, b_2, loc, log_scale).
"""

from collections.abc import Callable

import numpy as np
from scipy.special import expit, ndtr

from oracles.quadrature import noise

X = np.array([1.0, 0.0])
PARAMETERS = np.array([1.3, -0.8, -0.4, 0.2, 0.3, -0.4])  # q is not the posterior
RISING = np.array([1.3, -0.8, -0.4, 0.2, -0.3, 0.0])  # log w rises with z at every temperature up to 1
OF_THE_MODEL, OF_THE_POSTERIOR = slice(0, 4), slice(4, 6)


def draw(p: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    return p[4] + np.exp(p[5]) * nodes


def log_w(p: np.ndarray, z: np.ndarray, beta: float) -> np.ndarray:
    """log p(x|z) + beta (log p(z) - log q(z|x)), of the shape of z."""
    m = p[:2] * z[..., None] + p[2:4]
    log_likelihood = (X * m - np.logaddexp(0, m)).sum(axis=-1)
    log_ratio = -0.5 * z**2 + 0.5 * ((z - p[4]) / np.exp(p[5])) ** 2 + p[5]  # each with - log(2 pi) / 2
    return log_likelihood + beta * log_ratio


def partials(p: np.ndarray, nodes: np.ndarray, beta: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """d_theta log w [4, ...], d_z log w d_phi z [2, ...] at q held constant, and d_phi log q(z̄) [2, ...]."""
    z, scale = draw(p, nodes), np.exp(p[5])
    left = np.moveaxis(X - expit(p[:2] * z[..., None] + p[2:4]), -1, 0)  # x - sigmoid(logit), a pixel
    of_z = p[0] * left[0] + p[1] * left[1] + beta * (-z + (z - p[4]) / scale**2)
    model = np.stack([left[0] * z, left[1] * z, left[0], left[1]])
    return model, of_z * np.stack([np.ones_like(z), scale * nodes]), np.stack([nodes / scale, nodes**2 - 1])


def update(p: np.ndarray, nodes: np.ndarray, beta: float, weights) -> np.ndarray:
    """What weights (a, b, c), [k, ...] each or None, ascend at noise [k, ...]: [6, ...]."""
    model, path, score = partials(p, nodes, beta)
    a, b, c = (np.zeros_like(nodes) if each is None else np.asarray(each) for each in weights)
    return np.concatenate([(a * model).sum(axis=1), (b * path + c * score).sum(axis=1)])


def expected_value(bound: Callable, p: np.ndarray, nodes: np.ndarray, weights: np.ndarray, beta: float) -> float:
    """The mean over noise [k, n] of a bound of log-weights [k, n]."""
    return float(weights @ bound(log_w(p, draw(p, nodes), beta)))


def expected_gradient(
    bound: Callable, p: np.ndarray, nodes: np.ndarray, weights: np.ndarray, beta: float
) -> np.ndarray:
    """Its derivative, by differences of the eighth order: about 11 digits of it."""
    step, stencil = 0.012, (4 / 5, -1 / 5, 4 / 105, -1 / 280)
    gradient = np.zeros(len(p))
    for j, unit in enumerate(step * np.eye(len(p))):
        for times, factor in enumerate(stencil, start=1):
            sides = [expected_value(bound, p + sign * times * unit, nodes, weights, beta) for sign in (1, -1)]
            gradient[j] += factor * (sides[0] - sides[1]) / step
    return gradient


def expected_gradient_of_the_largest(p: np.ndarray, beta: float) -> np.ndarray:
    """That of the larger of two log-weights that rise with the noise: of the one at the larger noise."""
    nodes = np.linspace(-9, 9, 400)[None]
    density = 2 * np.exp(-0.5 * nodes[0] ** 2) / np.sqrt(2 * np.pi) * ndtr(nodes[0]) * (nodes[0, 1] - nodes[0, 0])
    one = np.ones_like(nodes)
    return update(p, nodes, beta, (one, one, -beta * one)) @ density


def plain_noise(draws: int, *, points: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise [draws, n] and weights [n] for smooth functions, by the trapezoid rule."""
    nodes, weights = noise(draws, points=points)
    return np.ascontiguousarray(nodes.T), weights


def ordered_noise(*, points: int = 80, width: float = 8.5) -> tuple[np.ndarray, np.ndarray]:
    """Noise [2, n] and weights [n] for functions of two draws, smooth on either side of where the two are equal."""
    x, w = np.polynomial.legendre.leggauss(points)
    high = width * x
    half = (high + width) / 2  # of the interval from -width to the larger draw
    low = -width + half[:, None] * (x + 1)
    weights = width * w[:, None] * half[:, None] * w
    high, low, weights = np.broadcast_to(high[:, None], low.shape).ravel(), low.ravel(), weights.ravel()
    nodes = np.concatenate([np.stack([high, low]), np.stack([low, high])], axis=1)
    density = np.exp(-0.5 * (nodes**2).sum(axis=0)) / (2 * np.pi)
    return nodes, np.concatenate([weights, weights]) * density
