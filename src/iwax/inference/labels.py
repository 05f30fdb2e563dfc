"""What class a row is of, by importance sampling: a probability for each class, with its error."""

from collections.abc import Callable
from dataclasses import dataclass

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from scipy.special import logsumexp

from iwax import samplers
from iwax._typing import ArrayLike, PRNGKey
from iwax.evaluation.rows import at_least, blocks, prepared
from iwax.model import LatentVariableModel
from iwax.parts import Datum
from iwax.printed import printed

__all__ = ["LabelProbabilities", "label_probabilities"]

BATCH, CHUNK = 20, 20  # rows, and draws of each, computed at once


@printed()
@dataclass(frozen=True)
class LabelProbabilities:
    """``p(y|x)`` of rows [n, classes], its Monte-Carlo error, and q(y|x), what the encoder says at once.

    ``log_joint`` [n, classes] are log p(x, y), nats: their logarithmic sum is log p(x), by which a row of no class that
    was seen is known. ``entropy`` [n] of p(y|x), nats: the rows to label next have the largest.
    """

    k: int
    probabilities: np.ndarray
    error: np.ndarray
    classifier: np.ndarray
    log_joint: np.ndarray

    @property
    def labels(self) -> np.ndarray:
        """The most probable class of each row, [n]."""
        return self.probabilities.argmax(axis=1)

    @property
    def log_evidence(self) -> np.ndarray:
        """log p(x) of each row, nats, [n]."""
        return np.asarray(logsumexp(self.log_joint, axis=1))

    @property
    def entropy(self) -> np.ndarray:
        """``-sum_c p_c log p_c`` of each row, nats, [n]."""
        p = self.probabilities
        return -np.sum(np.where(p > 0, p * np.log(np.where(p > 0, p, 1)), 0), axis=1)


def label_probabilities(
    model: LatentVariableModel,
    x: ArrayLike | Datum,
    *,
    k: int,
    key: PRNGKey,
    layer: int = -1,
    missing: bool = False,
    rows: np.ndarray | None = None,
    batch: int = BATCH,
    chunk: int = CHUNK,
    progress: Callable[[int, int], None] | None = None,
) -> LabelProbabilities:
    """``p(y|x) = p(x, y) / sum_y p(x, y)``, where ``p(x, y) = (1/k) sum_i p(x, y, z_iy) / q(z_iy|x, y)``, z_iy ~ q.

    The class y is the latent layer ``layer``, the topmost by default, of a posterior that is a chain
    (`samplers.Enumerated`). Where q(y|x) is what an encoder was trained to say, this is what the generative model says;
    both go to the same as k grows only if the encoder is right. The error is that of the ratio, to first order, from
    the k draws, which the classes share. Raises ValueError as `evaluation.log_evidence` does.
    """
    at_least(1, {"k": k, "batch": batch, "chunk": chunk})
    model, x = prepared(model, x, rows, key, missing=missing)
    found: list[list[np.ndarray]] = []
    for block in blocks(x, batch):
        log_w, log_q = _log_weights(model, key, block.x, k, min(chunk, k), layer)
        found.append([each[: block.size] for each in _probabilities(log_w, log_q)])
        if progress is not None:
            progress(block.stop, len(x))
    return LabelProbabilities(k, *(np.concatenate(each) for each in zip(*found, strict=True)))


def _log_weights(
    model: LatentVariableModel, key: PRNGKey, x: Datum, k: int, chunk: int, layer: int
) -> tuple[np.ndarray, np.ndarray]:
    """``log p(x, y, z_iy) / q(z_iy|x, y)`` [k, classes, batch], and log q(y|x) [classes, batch], nats, in float64."""
    calls = [_call(model, key, x, jnp.uint32(first), chunk, layer) for first in range(0, k, chunk)]
    log_w = np.concatenate([np.asarray(each, np.float64) for each, _ in calls])[:k]
    return log_w, np.asarray(calls[0][1], np.float64)


@eqx.filter_jit
def _call(
    model: LatentVariableModel, key: PRNGKey, x: Datum, first: Array, chunk: int, layer: int
) -> tuple[Array, Array]:
    terms = samplers.Enumerated(layer).terms(model, key, x, k=chunk, first=first)
    log_q = terms.log_mass + jnp.log(float(chunk))
    return terms.log_w() + log_q, log_q[0]


def _probabilities(log_w: np.ndarray, log_q: np.ndarray) -> list[np.ndarray]:
    """p(y|x), its error, q(y|x), and log p(x, y), [batch, classes] each."""
    k = len(log_w)
    weights = np.exp(log_w - log_w.max(axis=(0, 1)))
    total = weights.sum(axis=(0, 1))
    p = weights.sum(axis=0) / total
    error = np.sqrt(np.square(weights - p * weights.sum(axis=1, keepdims=True)).sum(axis=0)) / total
    each = (p, error, np.exp(log_q - logsumexp(log_q, axis=0)), logsumexp(log_w, axis=0) - np.log(k))
    return [one.T for one in each]
