"""The prior of a latent that is a class."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from iwax import distributions
from iwax._typing import ArrayLike, PRNGKey
from iwax.parts import Prior

__all__ = ["Categorical"]


class Categorical(Prior):
    """``P(y = c)`` of the number of a class, [1]: the same for all ``classes``, or these probabilities [classes].

    They are ``learned`` where that is asked for. Raises ValueError for a number of classes below 1, and for
    probabilities that are not positive, or do not sum to 1.

    >>> p = Categorical(4)(None, key=jax.random.key(0))
    >>> float(p.log_prob(jnp.array([2.0])))  # -log 4
    -1.3863
    """

    logits: Float[Array, " classes"]
    learned: bool = eqx.field(static=True)

    def __init__(self, classes: int | ArrayLike, *, learned: bool = False) -> None:
        if isinstance(classes, int):
            if classes < 1:
                raise ValueError(f"a categorical prior needs at least 1 class, got {classes}")
            self.logits = jnp.zeros(classes)
        else:
            given = np.asarray(classes, float)
            if given.ndim != 1 or not (given > 0).all() or not np.isclose(given.sum(), 1, atol=1e-6):
                raise ValueError(f"a categorical prior needs positive probabilities that sum to 1, got {given}")
            self.logits = jnp.asarray(np.log(given), float)
        self.learned = learned

    def __call__(self, given: Any = None, *, key: PRNGKey) -> distributions.Categorical:
        """The distribution, for any covariates."""
        logits = self.logits if self.learned else jax.lax.stop_gradient(self.logits)
        return distributions.Categorical(logits[None])
