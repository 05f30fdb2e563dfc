"""Networks of a graph's nodes and their neighbours."""

import itertools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from iwax._typing import AnyArray, PRNGKey
from iwax.nn.constant import Constant
from iwax.nn.init import dense_weight
from iwax.nn.products import product
from iwax.nn.sizes import check_inputs

__all__ = ["GraphConvolution"]


class GraphConvolution(eqx.Module):
    """``H_1 = relu(P X W_0), ..., P H W_L`` with ``P = D^-1/2 (A + I) D^-1/2``: layers of Kipf and Welling's (2017).

    arXiv:1609.02907, without biases. The input is A at the listed ``pairs`` [pairs, 2], without direction: a 0 is no
    link, and sends no message, so that what is held out of the input is not seen. ``features`` X [nodes, features] are
    held as they are, never trained; without them X is the identity, and W_0 has a row for each node. The output is
    flat, ``heads`` arrays [nodes, out / heads] one after another: of two heads, all means and then all log-scales.

    >>> net = GraphConvolution(np.array([[0, 1]]), 3, hidden=(4,), out=2, key=jax.random.key(0))
    >>> net(jnp.ones(1)).shape
    (6,)
    """

    weights: tuple[Float[Array, "in out"], ...]
    pairs: Int[Array, "pairs 2"]
    features: Constant | None
    nodes: int = eqx.field(static=True)
    heads: int = eqx.field(static=True)

    def __init__(
        self,
        pairs: Any,
        nodes: int,
        *,
        hidden: tuple[int, ...],
        out: int,
        features: Float[AnyArray, "nodes features"] | None = None,
        heads: int = 1,
        key: PRNGKey,
    ) -> None:
        if features is not None and len(features) != nodes:
            raise ValueError(f"a graph convolution needs features of {nodes} nodes, got {len(features)} rows")
        widths = (nodes if features is None else np.shape(features)[1], *hidden, out)
        each = enumerate(itertools.pairwise(widths))
        self.weights = tuple(
            dense_weight(*sizes, heads=heads if i == len(hidden) else 1, key=jax.random.fold_in(key, i))
            for i, sizes in each
        )
        self.pairs = jnp.asarray(np.asarray(pairs, np.int32).reshape(-1, 2))
        self.features = None if features is None else Constant(jnp.asarray(features, self.weights[0].dtype))
        self.nodes, self.heads = nodes, heads

    @property
    def in_features(self) -> int:
        """How many pairs are listed."""
        return len(self.pairs)

    @property
    def out_features(self) -> int:
        """How many numbers it gives, for all nodes together."""
        return self.nodes * self.weights[-1].shape[1]

    def __call__(self, x: Float[AnyArray, " pairs"], *, key: PRNGKey | None = None) -> Float[Array, " out"]:
        """The output at a graph; ``key`` is ignored. Raises ValueError where x has another number of pairs."""
        check_inputs(x, self.in_features, "a graph convolution")
        h: Any = None if self.features is None else self.features.value
        propagate = self._propagation(jnp.asarray(x))
        for i, weight in enumerate(self.weights):
            h = propagate(weight if h is None else product(h, weight))
            h = jax.nn.relu(h) if i < len(self.weights) - 1 else h
        return jnp.concatenate([head.ravel() for head in jnp.split(h, self.heads, axis=1)])

    def _propagation(self, x: Array) -> Any:
        """``h -> P h``, messages along the links in both directions."""
        first, second = self.pairs[:, 0], self.pairs[:, 1]
        degree = jnp.ones(self.nodes, x.dtype).at[first].add(x).at[second].add(x)
        root = jax.lax.rsqrt(degree)
        weight = (x * root[first] * root[second])[:, None]

        def propagate(h: Array) -> Array:
            return (h / degree[:, None]).at[first].add(weight * h[second]).at[second].add(weight * h[first])

        return propagate
