"""A posterior whose noise is a table that a test fills in, for expectations that are sums over nodes of noise.

The keys that reach the draws are found out beforehand (`keys_of_draws`); a draw finds its row of the table by its
key, so that everything between the public functions and the draw stays as it is.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from iwax import batched
from iwax.distributions import Normal
from iwax.model import LatentVariableModel
from iwax.parts import Distribution, Posterior


def look_up(key, words, table):
    """The row of ``table`` [k, ...] whose words [k, words a key] are those of the key; NaN if there is none."""
    found = (words == jax.random.key_data(key)).all(axis=-1)
    return jnp.where(found.any(), table[jnp.argmax(found)], jnp.nan)


class KnownNormal(Normal):
    """N(loc, scale^2) drawn as loc + scale * noise[i], with i the row of ``words`` that is the key (NaN if none)."""

    noise: jax.Array  # [k, latent]
    words: jax.Array  # [k, words a key]

    def draw(self, key):
        return self.loc + self.scale * look_up(key, self.words, self.noise), None


class KnownPosterior(Posterior):
    """q(z|x) = N(loc, exp(log_scale)^2) whatever x, with known noise."""

    loc: jax.Array
    log_scale: jax.Array
    noise: jax.Array
    words: jax.Array

    def __call__(self, context, *, key):
        return KnownNormal(self.loc, jnp.exp(self.log_scale), self.noise, self.words)


class KeyReader(Posterior):
    """Draws the words of the key that it was called with and of the key that it is drawn with, as numbers."""

    def __call__(self, context, *, key):
        return _Keys(jax.random.key_data(key).astype(jnp.float64))


class _Keys(Distribution):
    own: Any
    mean = None

    def draw(self, key):
        return (self.own, jax.random.key_data(key).astype(jnp.float64)), None

    def log_prob(self, value, trace=None, where=None):
        raise NotImplementedError("a reader of keys has no density")

    sample_and_log_prob = log_prob


def keys_of_parts(model: LatentVariableModel, key, x, *, k: int, reader):
    """The pairs of words [k, words] of the keys with which q(z|x) is made and drawn for the one row of x; in float64.

    ``reader`` is a `KeyReader`, or what a part made of several gives: a chain of readers, a tuple of pairs.
    """
    reading = eqx.tree_at(lambda m: m.posterior, model, reader)
    words, _ = batched.propose(reading, key, x, jnp.arange(k), score=False)
    return jax.tree.map(lambda each: np.asarray(each[0]).astype(np.uint32), words)


def keys_of_draws(model: LatentVariableModel, key, x, *, k: int) -> np.ndarray:
    """The words [k, words] of the keys with which q(z|x) is drawn for the one row of x; needs float64."""
    return keys_of_parts(model, key, x, k=k, reader=KeyReader())[1]
