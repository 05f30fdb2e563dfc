"""A posterior whose noise is a table that a test fills in, for expectations that are sums over nodes of noise.

The keys that reach the draws are found out beforehand (`keys_of_draws`); a draw finds its row of the table by its
key, so that everything between the public functions and the draw stays as it is.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from iwax import batched
from iwax.distributions import Factorized
from iwax.model import LatentVariableModel


class KnownNormal(Factorized):
    """N(loc, scale^2) drawn as loc + scale * noise[i], with i the row of ``words`` that is the key (NaN if none)."""

    noise: jax.Array  # [k, latent]
    words: jax.Array  # [k, words a key]

    def draw(self, key):
        found = (self.words == jax.random.key_data(key)).all(axis=-1)
        noise = jnp.where(found.any(), self.noise[jnp.argmax(found)], jnp.nan)
        loc, scale = self.parameters
        return loc + scale * noise, None


class KnownPosterior(eqx.Module):
    """q(z|x) = N(loc, exp(log_scale)^2) whatever x, with known noise."""

    loc: jax.Array
    log_scale: jax.Array
    noise: jax.Array
    words: jax.Array

    def __call__(self, context, *, key):
        parameters = (self.loc, jnp.exp(self.log_scale))
        return KnownNormal("normal", parameters, self.noise, self.words)


class _KeyReader(eqx.Module):
    """Draws its key's words, as numbers."""

    def __call__(self, context, *, key):
        return self

    def draw(self, key):
        return jax.random.key_data(key).astype(jnp.float64), None


def keys_of_draws(model: LatentVariableModel, key, x, *, k: int) -> np.ndarray:
    """The words [k, words] of the keys with which q(z|x) is drawn for the one row of x; needs float64."""
    reader = eqx.tree_at(lambda m: m.posterior, model, _KeyReader())
    words, _ = batched.propose(reader, key, x, jnp.arange(k), score=False)
    return np.asarray(words[0]).astype(np.uint32)
