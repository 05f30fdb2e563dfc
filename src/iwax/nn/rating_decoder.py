"""What the latents of a user and of an item say of a rating."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from iwax._typing import AnyArray, PRNGKey
from iwax.nn.sizes import check_inputs

__all__ = ["RatingDecoder"]

_SCALE = 1.1  # of the orthogonal matrices that bases start as (van den Berg et al. 2017)


class RatingDecoder(eqx.Module):
    """``m_r(u, i) = sum_s a_rs z_u' Q_s z_i + b_u + b_i``, of the listed ``pairs`` [pairs, 2] of (user, item).

    The decoder of van den Berg, Kipf and Welling (2017, arXiv:1706.02263), with ``bases`` matrices Q that all
    ``outputs`` of a pair share: a logit for each level (`families.categorical`), or one position (`families.ordinal`).
    With ``biases`` every user and item has a number of its own, as in matrix factorisation, added to all outputs. The
    input is flat, [(users + items) * latent], as of `nn.RatingConvolution`; the outputs are the first of all pairs,
    then the second, and so on.

    >>> net = RatingDecoder(np.array([[0, 0], [1, 0]]), 2, 1, latent=2, outputs=5, key=jax.random.key(0))
    >>> net(jnp.ones(6)).shape
    (10,)
    """

    bases: Float[Array, "bases latent latent"]
    shares: Float[Array, "outputs bases"]
    biases: Float[Array, " nodes"] | None
    pairs: Int[Array, "pairs 2"]
    users: int = eqx.field(static=True)
    items: int = eqx.field(static=True)

    def __init__(
        self,
        pairs: Any,
        users: int,
        items: int,
        *,
        latent: int,
        outputs: int,
        bases: int = 2,
        biases: bool = False,
        key: PRNGKey,
    ) -> None:
        of_bases, of_shares = jax.random.split(key)
        self.bases = _SCALE * jax.random.orthogonal(of_bases, latent, (bases,))
        limit = (6 / (outputs + bases)) ** 0.5
        self.shares = jax.random.uniform(of_shares, (outputs, bases), minval=-limit, maxval=limit)
        self.biases = jnp.zeros(users + items) if biases else None
        self.pairs = jnp.asarray(np.asarray(pairs, np.int32).reshape(-1, 2))
        self.users, self.items = users, items

    @property
    def in_features(self) -> int:
        """How many latents there are, of all users and items."""
        return (self.users + self.items) * self.bases.shape[1]

    @property
    def out_features(self) -> int:
        """How many numbers it gives, for all pairs together."""
        return len(self.pairs) * len(self.shares)

    def listing(self, pairs: Any) -> "RatingDecoder":
        """The same decoder of other pairs."""
        return eqx.tree_at(lambda net: net.pairs, self, jnp.asarray(np.asarray(pairs, np.int32).reshape(-1, 2)))

    def __call__(self, z: Float[AnyArray, " latents"], *, key: PRNGKey | None = None) -> Float[Array, " out"]:
        """The outputs; ``key`` is ignored. Raises ValueError where z has another size."""
        check_inputs(z, self.in_features, "a rating decoder")
        nodes = jnp.asarray(z).reshape(self.users + self.items, -1)
        user, item = self.pairs[:, 0], self.users + self.pairs[:, 1]
        turned = jnp.einsum("ud,sde->sue", nodes[: self.users], self.bases)
        forms = jnp.sum(turned[:, user] * nodes[item], axis=-1)  # [bases, pairs]
        found = self.shares @ forms
        if self.biases is not None:
            found = found + self.biases[user] + self.biases[item]
        return found.ravel()
