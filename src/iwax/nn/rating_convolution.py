"""Networks of users and items that are linked by ratings."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from iwax._typing import AnyArray, PRNGKey
from iwax.nn.init import dense_weight
from iwax.nn.products import product
from iwax.nn.sizes import check_inputs

__all__ = ["RatingConvolution"]


class RatingConvolution(eqx.Module):
    """``h_u = relu(stack_r (1/|N_u|) sum_(i rated r) W_r[i])``, ``z_u = h_u W``, and items alike.

    The encoder of van den Berg, Kipf and Welling (2017, arXiv:1706.02263) for nodes that are known by their number: a
    table of messages [users + items, width] for each rating level, averages of them over the neighbours of a node
    within each level, side by side. The input are the levels, 0 to ``levels`` - 1, of the listed ``pairs`` [pairs, 2]
    of (user, item), all of which were observed. With ``dropout`` all messages of a node are left out with that
    probability, and the others grow accordingly; `at_rest` is the network without. The output is flat, ``heads`` arrays
    [users + items, out / heads] one after another.

    >>> net = RatingConvolution(np.array([[0, 0], [1, 0]]), 2, 1, levels=5, width=3, out=2, key=jax.random.key(0))
    >>> net(jnp.array([4.0, 0.0])).shape
    (6,)
    """

    tables: Float[Array, "levels nodes width"]
    of_users: Float[Array, "stacked out"]
    of_items: Float[Array, "stacked out"]
    pairs: Int[Array, "pairs 2"]
    users: int = eqx.field(static=True)
    items: int = eqx.field(static=True)
    heads: int = eqx.field(static=True)
    dropout: float

    def __init__(
        self,
        pairs: Any,
        users: int,
        items: int,
        *,
        levels: int,
        width: int,
        out: int,
        heads: int = 1,
        dropout: float = 0.0,
        key: PRNGKey,
    ) -> None:
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be a probability from 0 to below 1, got {dropout}")
        listed = np.asarray(pairs, np.int32).reshape(-1, 2)
        if len(listed) and not ((listed >= 0).all() and (listed < [users, items]).all()):
            raise ValueError(f"pairs need users below {users} and items below {items}, got up to {listed.max(axis=0)}")
        of_tables, of_users, of_items = jax.random.split(key, 3)
        each = jax.random.split(of_tables, levels)
        self.tables = jnp.stack([dense_weight(users + items, width, key=one) for one in each])
        self.of_users = dense_weight(levels * width, out, heads=heads, key=of_users)
        self.of_items = dense_weight(levels * width, out, heads=heads, key=of_items)
        self.pairs = jnp.asarray(listed)
        self.users, self.items, self.heads, self.dropout = users, items, heads, dropout

    @property
    def in_features(self) -> int:
        """How many pairs are listed."""
        return len(self.pairs)

    @property
    def out_features(self) -> int:
        """How many numbers it gives, for all users and items together."""
        return (self.users + self.items) * self.of_users.shape[1]

    def at_rest(self) -> "RatingConvolution":
        """The same network without dropout."""
        return eqx.tree_at(lambda net: net.dropout, self, 0.0)

    def __call__(self, x: Float[AnyArray, " pairs"], *, key: PRNGKey | None = None) -> Float[Array, " out"]:
        """The output at the levels of the listed pairs; ``key`` is that of dropout, which needs one.

        Raises ValueError where x has another number of pairs.
        """
        check_inputs(x, self.in_features, "a rating convolution")
        level, user, item = jnp.asarray(x).astype(jnp.int32), self.pairs[:, 0], self.pairs[:, 1]
        kept = self._kept(key)
        ends = ((user, self.users + item, self.users), (item, user, self.items))  # receiver, sender, how many receive
        hidden = [self._messages(level, *each, kept) for each in ends]
        both = [product(h, weight) for h, weight in zip(hidden, (self.of_users, self.of_items), strict=True)]
        out = jnp.concatenate(both)
        return jnp.concatenate([head.ravel() for head in jnp.split(out, self.heads, axis=1)])

    def _messages(self, level: Array, receiver: Array, sender: Array, count: int, kept: Array) -> Array:
        """relu of the averages of messages within each level, [count, levels * width]."""
        levels, nodes, width = self.tables.shape
        sent = self.tables.reshape(levels * nodes, width)[level * nodes + sender] * kept[sender][:, None]
        total = jnp.zeros((count * levels, width), sent.dtype).at[receiver * levels + level].add(sent)
        degree = jnp.zeros(count, sent.dtype).at[receiver].add(1)
        return jax.nn.relu(total.reshape(count, levels * width) / jnp.maximum(degree, 1)[:, None])

    def _kept(self, key: PRNGKey | None) -> Array:
        nodes = self.users + self.items
        if not self.dropout:
            return jnp.ones(nodes)
        if key is None:
            raise ValueError(f"dropout={self.dropout} needs a key; net.at_rest() has none")
        return jax.random.bernoulli(key, 1 - self.dropout, (nodes,)) / (1 - self.dropout)
