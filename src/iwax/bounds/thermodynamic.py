"""log p(x) as an integral along the path from q(z|x) to p(z|x)."""

from itertools import pairwise
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from iwax._typing import LogWeights, PerDatum, PRNGKey
from iwax.bounds.bound import Bound

__all__ = ["thermodynamic"]


def thermodynamic(intervals: int, *, first: float = 0.025, side: Literal["left", "right"] = "left") -> Bound:
    """``sum_s (b_{s+1} - b_s) E_{pi_{b_s}} log w``, pi_b proportional to q w^b: a Riemann sum on the path from q to p.

    Masrani, Le and Wood (2019, arXiv:1907.00031). E is taken by the weights w_i^b, normalised, and
    0 = b_0 < first = b_1 < ... < b_S = 1, spaced evenly in their logarithm from ``first`` on. The integrand rises with
    b and integrates to `iwae`, draw by draw: the left sum is a lower bound at every k (one interval: `elbo`), the right
    one an estimate that lies above `iwae`. Raises ValueError where intervals is below 1 or not 0 < first < 1.

    >>> log_w = jnp.log(jnp.array([1.0, 3.0]))
    >>> float(thermodynamic(1)(log_w)), float(thermodynamic(2, first=0.5)(log_w))
    (0.5493, 0.6229)
    """
    if intervals < 1:
        raise ValueError(f"thermodynamic needs at least one interval, got intervals={intervals}")
    if not 0 < first < 1:
        raise ValueError(f"thermodynamic needs 0 < first < 1, got first={first}")
    if side not in ("left", "right"):
        raise ValueError(f"thermodynamic needs side to be left or right, got {side!r}")
    later = np.geomspace(first, 1, intervals) if intervals > 1 else np.ones(1)
    points = np.concatenate([[0.0], later])
    terms = [(b if side == "left" else after, after - b) for b, after in pairwise(points.tolist())]

    def value(log_w: LogWeights, key: PRNGKey | None) -> PerDatum:
        return sum((width * _path(log_w, b)[1] for b, width in terms), start=jnp.zeros(()))

    def derivatives(log_w: LogWeights, key: PRNGKey | None) -> tuple[LogWeights, LogWeights]:
        first, second = jnp.zeros_like(log_w), jnp.zeros_like(log_w)
        for b, width in terms:
            share, _, away = _path(log_w, b)
            lift = 1 + b * away
            first += width * share * lift
            second += width * b * share * ((1 - share) * lift + 1 - share * lift)
        return first, second

    def covariance(log_w: LogWeights, beta: Any) -> LogWeights:
        """``sum_s width_s pi_i [(1 - beta b_s)(log w_i - E log w) - beta]``: what multiplies d_phi log q(z_i|x)."""
        total = jnp.zeros_like(log_w)
        for b, width in terms:
            share, _, away = _path(log_w, b)
            total += width * share * ((1 - beta * b) * away - beta)
        return total

    def weighted(log_w: LogWeights, log_mass: LogWeights) -> PerDatum:
        shares = ((width, jax.nn.softmax(log_mass + b * log_w, axis=0)) for b, width in terms)
        return sum((width * jnp.sum(share * log_w, axis=0) for width, share in shares), start=jnp.zeros(()))

    name = f"thermodynamic({intervals}, {first:g}, {side})"
    kind = "lower" if side == "left" else "estimate"
    return Bound(name, kind, value, derivatives, covariance=covariance, weighted=weighted)


def _path(log_w: LogWeights, b: float) -> tuple[LogWeights, PerDatum, LogWeights]:
    """The weights of pi_b, the mean of log w under it, and how far each is away: a weight of zero has no share."""
    share = jax.nn.softmax(b * log_w, axis=0) if b else jnp.full_like(log_w, 1 / log_w.shape[0])
    mean = jnp.sum(jnp.where(share > 0, share * log_w, 0), axis=0)
    return share, mean, jnp.where(share > 0, log_w - mean, 0)
