"""Posteriors over two latents on a grid: what can be seen of them, and log p(x) by quadrature."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Float
from scipy.special import logsumexp

from iwax._typing import PRNGKey
from iwax.evaluation.importance_posterior import Points, joint_and_posterior, log_sums_of_others, mixed
from iwax.evaluation.rows import DataPoints, at_least, blocks, prepared
from iwax.model import LatentVariableModel
from iwax.parts import Datum, layers_of
from iwax.printed import printed

__all__ = ["PosteriorPlane", "posterior_plane"]

Axis: TypeAlias = Float[np.ndarray, " side"]

_WIDEST = 10.0  # the first window is [-10, 10]^2: beyond it N(0, I) has 1e-23 of its mass
_DEPTH = 14.0  # nats below the peak that a window reaches: for a Gaussian it leaves out e^-14 of the mass


@printed()
@dataclass(frozen=True)
class PosteriorPlane:
    """Densities over the plane of two latents, for n rows of data. Float64; a density's logarithm is in nats.

    ``log_prob`` [n, ks + 1, side, side] holds q_EW(z|x) for each k of ``ks``, then p(z|x), at z_1 = ``first`` [n, side]
    along the last axis and z_2 = ``second`` [n, side] along the one before it. ``kl`` [n, ks] is KL(q_EW || p(z|x)) and
    ``log_evidence`` [n] is log p(x), both by quadrature, and ``log_evidence_error`` [n] how far it lies from what every
    other node of either axis gives, many times its own error. ``mass`` [n] is the integral of q(z|x) over the grid, 1
    where the grid serves. ``outer`` is the number of sets of other draws in each density.
    """

    ks: tuple[int, ...]
    outer: int
    first: np.ndarray
    second: np.ndarray
    log_prob: np.ndarray
    kl: np.ndarray
    log_evidence: np.ndarray
    log_evidence_error: np.ndarray
    mass: np.ndarray

    def warnings(self) -> list[str]:
        """In plain words, where the grid does not serve; empty where it does."""
        wrong = np.flatnonzero(~((np.abs(self.mass - 1) < 0.01) & (self.log_evidence_error < 0.05)))
        return [
            f"datum {i}: q(z|x) integrates to {self.mass[i]:.3f} over the grid and log p(x) has an error of up to "
            f"{self.log_evidence_error[i]:.2g} nats: a larger side than {self.first.shape[1]} is needed"
            for i in wrong
        ]


def posterior_plane(
    model: LatentVariableModel,
    x: DataPoints,
    *,
    ks: Sequence[int] = (1, 10, 100),
    side: int = 121,
    outer: int = 1000,
    key: PRNGKey,
    rows: np.ndarray | None = None,
) -> PosteriorPlane:
    """q_EW(z|x) for each k, and p(z|x), for every row of x, on a grid of side x side points in the window of both.

    p(z|x) = p(x, z) / p(x), with log p(x) by the trapezoid rule on the same grid. q_EW is estimated from ``outer``
    nested sets of draws (`importance_posterior_log_prob`), and its KL is a little too high where they are few.
    Raises ValueError where the model has not two latent units in one layer, x is not a table of finite numbers in the
    likelihood's support, a k or outer is below 1 or side below 11.
    """
    at_least(1, {"outer": outer} | {f"ks[{i}]": k for i, k in enumerate(ks)})
    at_least(11, {"side": side})
    model, x = prepared(model, x, rows, key)
    units = [layer.shape[0] for layer in layers_of(model.latent)]
    if units != [2]:
        raise ValueError(f"a plane of latents needs a model with one layer of 2 latent units, got layers of {units}")
    found = [_one(model, key, block.x, tuple(ks), side, outer) for block in blocks(x, 1)]
    return PosteriorPlane(tuple(ks), outer, *(np.stack(column) for column in zip(*found, strict=True)))


def _one(
    model: LatentVariableModel, key: PRNGKey, x: Datum, ks: tuple[int, ...], side: int, outer: int
) -> tuple[np.ndarray, ...]:
    """The columns of PosteriorPlane for the one row of x."""
    first, second, log_joint, log_q = _window(model, key, x, side)
    log_cell = np.log(first[1] - first[0]) + np.log(second[1] - second[0])
    log_evidence = logsumexp(log_joint) + log_cell
    densities = [mixed(log_joint, log_q, log_sums_of_others(model, key, x, k, outer), k)[0] for k in ks]
    exact = log_joint - log_evidence
    kl = [_divergence(each, exact) for each in densities]
    log_prob = np.stack([*densities, exact]).reshape(-1, side, side)
    mass = np.exp(logsumexp(log_q) + log_cell)
    coarser = logsumexp(log_joint.reshape(side, side)[::2, ::2]) + log_cell + np.log(4)
    error = np.abs(coarser - log_evidence)
    return first, second, log_prob, np.array(kl), np.asarray(log_evidence), np.asarray(error), np.asarray(mass)


def _divergence(log_p: Points, log_q: Points) -> float:
    """KL(p || q) of densities on one grid, each made to sum to 1: never negative."""
    log_p, log_q = log_p - logsumexp(log_p), log_q - logsumexp(log_q)
    return float(np.sum(np.exp(log_p) * (log_p - log_q)))


def _window(model: LatentVariableModel, key: PRNGKey, x: Datum, side: int) -> tuple[Axis, Axis, Points, Points]:
    """The axes of a square grid around what is within reach of the peaks of p(x, z) and of q(z|x), and both on it.

    From [-10, 10]^2 the window narrows until it does so by little. It holds at least the cells around a peak between
    the nodes, so that one as narrow as a tenth of a cell is not lost.
    """
    centre, half = np.zeros(2), _WIDEST
    while True:
        first, second = (np.linspace(middle - half, middle + half, side) for middle in centre)
        z = np.stack(np.meshgrid(first, second), axis=-1).reshape(-1, 2)
        log_joint, log_q = joint_and_posterior(model, key, x, z)
        within = (log_joint > log_joint.max() - _DEPTH) | (log_q > log_q.max() - _DEPTH)
        low, high = z[within].min(axis=0), z[within].max(axis=0)
        reach = (high - low).max() / 2 + 2 * half / (side - 1)
        if reach > 0.9 * half:
            return first, second, log_joint, log_q
        centre, half = (low + high) / 2, reach
