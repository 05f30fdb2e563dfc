"""Generalised jackknife estimates: the importance-weighted bound with the first orders of its bias taken away.

    JVI_{k,m} = sum_{j=0..m} c_j mean over the subsets S of j draws of iwae of the k - j draws not in S,
    c_j = (-1)^j (k - j)^m / ((m - j)! j!),

Nowozin (2018, "Debiasing evidence approximations", ICLR), after Sharot (1976). The c_j add up to 1.
"""

import math
from dataclasses import replace
from itertools import combinations
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from iwax._typing import LogWeights, PerDatum, PRNGKey
from iwax.bounds.bound import Bound
from iwax.bounds.importance import iwae

__all__ = ["jackknife"]

_EXACT = 5_000  # subsets, up to which all are taken, as in the paper
_TOGETHER = 32  # subsets worked at once: bounds the memory


def jackknife(order: int, *, subsets: int = 1000) -> Bound:
    """The jackknife estimate of log p(x), whose bias falls as ``k^-(order + 1)``; order 0 is `iwae`.

    Not a lower bound. Its variance rises with the order. At order 1 it costs O(k); above, every subset of up to
    ``order`` draws is left out in turn where there are at most 5,000 of them, and beyond, with a key, ``subsets``
    random ones of each size, the same for all data, whose mean is that of all. Raises ValueError where order is below 0
    or not below k, or subsets below 1.

    >>> log_w = jnp.log(jnp.array([1.0, 3.0]))
    >>> float(jackknife(1)(log_w))  # 2 log 2 - (log 1 + log 3) / 2
    0.837
    """
    if order < 0:
        raise ValueError(f"jackknife needs an order of at least 0, got order={order}")
    if subsets < 1:
        raise ValueError(f"jackknife needs at least one random subset of each size, got subsets={subsets}")
    name = f"jackknife({order})"
    if order == 0:
        return replace(iwae, name=name)
    if order == 1:
        return Bound(name, "estimate", _first_order, _first_order_derivatives, least_k=2)

    def value(log_w: LogWeights, key: PRNGKey | None) -> PerDatum:
        largest = jnp.max(log_w, axis=0)
        return largest + _over_subsets(log_w - largest, _left_out(log_w.shape[0], order, subsets, key))[0]

    def derivatives(log_w: LogWeights, key: PRNGKey | None) -> tuple[LogWeights, LogWeights]:
        total = _over_subsets(log_w - jnp.max(log_w, axis=0), _left_out(log_w.shape[0], order, subsets, key))
        return total[1], total[2]

    return Bound(name, "estimate", value, derivatives, least_k=order + 1, random=lambda k: _number(k, order) > _EXACT)


def coefficients(k: int, order: int) -> list[float]:
    """``c_0, ..., c_m`` of k draws.

    >>> coefficients(8, 1), coefficients(8, 2)
    ([8.0, -7.0], [32.0, -49.0, 18.0])
    """
    return [(-1) ** j * (k - j) ** order / (math.factorial(order - j) * math.factorial(j)) for j in range(order + 1)]


def _first_order(log_w: LogWeights, key: PRNGKey | None) -> PerDatum:
    """``L + (k - 1) mean of what L loses where one draw is left out``: -log(1 - w̃_s) + log(1 - 1/k) nats."""
    k, largest = log_w.shape[0], jnp.max(log_w, axis=0)
    share, top, rest = _without_the_largest(log_w)
    total = jax.nn.logsumexp(log_w - largest, axis=0)
    lost = jnp.where(top, total + (largest - jax.nn.logsumexp(rest, axis=0)), -jnp.log1p(-share))
    return largest + total - math.log(k) + (k - 1) * (jnp.mean(lost, axis=0) + math.log1p(-1 / k))


def _first_order_derivatives(log_w: LogWeights, key: PRNGKey | None) -> tuple[LogWeights, LogWeights]:
    """``L'_i = k w̃_i - (k - 1)/k sum_{s != i} w̃_i / (1 - w̃_s)``, and L'' alike: O(k)."""
    k = log_w.shape[0]
    share, second = iwae.derivatives(log_w, None)
    others, top, rest = _without_the_largest(log_w)
    alone, inverse = jax.nn.softmax(rest, axis=0), jnp.where(top, 0, 1 / (1 - others))
    left = alone + share * (jnp.sum(inverse, axis=0) - inverse)
    squared = alone**2 + share**2 * (jnp.sum(inverse**2, axis=0) - inverse**2)
    return k * share - (k - 1) / k * left, k * second - (k - 1) / k * (left - squared)


def _without_the_largest(log_w: LogWeights) -> tuple[LogWeights, Bool[Array, "k *batch"], LogWeights]:
    """The normalised weights but the largest (0), which one that is, and the log-weights but the largest (-inf).

    1 - w̃_s loses no digits but at the largest weight, without which the others must be added up again.
    """
    top = jnp.arange(log_w.shape[0]).reshape(-1, *[1] * (log_w.ndim - 1)) == jnp.argmax(log_w, axis=0)
    return jnp.where(top, 0, jax.nn.softmax(log_w, axis=0)), top, jnp.where(top, -jnp.inf, log_w)


class _Subsets(NamedTuple):
    """Draws left out, padded with k, in blocks; and what multiplies the bound of the rest (0 for padding)."""

    members: Int[Array, "blocks together order"]
    factor: Float[Array, "blocks together"]
    rest: Float[Array, "blocks together"]


def _number(k: int, order: int) -> int:
    return sum(math.comb(k, j) for j in range(1, order + 1))


def _left_out(k: int, order: int, subsets: int, key: PRNGKey | None) -> _Subsets:
    """Every subset of 0 to ``order`` draws, or random ones of each size, with c_j over their number."""
    members, factors, rests = [], [], []
    for j, coefficient in enumerate(coefficients(k, order)):
        if j == 0 or _number(k, order) <= _EXACT:
            chosen = np.array(list(combinations(range(k), j)), int).reshape(math.comb(k, j), j)
        elif key is None:
            raise ValueError(f"jackknife({order}) draws random subsets at k={k}: it needs a key, got None")
        else:
            chosen = _random_subsets(jax.random.fold_in(key, j), k, j, subsets)
        members.append(jnp.pad(jnp.asarray(chosen), ((0, 0), (0, order - j)), constant_values=k))
        factors.append(np.full(len(chosen), coefficient / len(chosen)))
        rests.append(np.full(len(chosen), k - j))
    missing = -sum(len(each) for each in factors) % _TOGETHER
    members = jnp.pad(jnp.concatenate(members), ((0, missing), (0, 0)), constant_values=k)
    factor = np.pad(np.concatenate(factors), (0, missing))
    rest = np.pad(np.concatenate(rests), (0, missing), constant_values=k)
    cut = (-1, _TOGETHER)
    return _Subsets(members.reshape(*cut, order), jnp.asarray(factor.reshape(cut)), jnp.asarray(rest.reshape(cut)))


def _random_subsets(key: PRNGKey, k: int, j: int, subsets: int) -> Int[Array, "subsets j"]:
    """Subsets of j of the k draws, all equally likely: the places of the j largest of k uniform numbers."""
    _, places = jax.lax.top_k(jax.random.uniform(key, (subsets, k)), j)
    return places


def _over_subsets(log_w: LogWeights, left_out: _Subsets) -> tuple[PerDatum, LogWeights, LogWeights]:
    """The weighted sum over subsets of iwae of the rest, and of its first and second derivatives."""
    k, axes = log_w.shape[0], (1,) * (log_w.ndim - 1)

    def add(total: tuple, block: _Subsets) -> tuple[tuple, None]:
        left = jnp.any(block.members[:, None, :] == jnp.arange(k)[:, None], axis=-1)  # [together, k]
        rest = jnp.where(left.reshape(*left.shape, *axes), -jnp.inf, log_w)  # [together, k, *batch]
        factor = block.factor.reshape(-1, *axes).astype(log_w.dtype)
        log_sum = jax.nn.logsumexp(rest, axis=1)
        bound = log_sum - jnp.log(block.rest).reshape(-1, *axes).astype(log_w.dtype)
        share = jnp.exp(rest - log_sum[:, None])
        sums = (factor * bound, factor[:, None] * share, factor[:, None] * share * (1 - share))
        return jax.tree.map(lambda old, new: old + jnp.sum(new, axis=0), total, sums), None

    zero = (jnp.zeros_like(log_w[0]), jnp.zeros_like(log_w), jnp.zeros_like(log_w))
    return jax.lax.scan(add, zero, left_out)[0]
