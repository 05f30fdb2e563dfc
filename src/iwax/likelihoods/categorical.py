"""Data whose features are one of several classes."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from iwax import distributions
from iwax._typing import PRNGKey
from iwax.likelihoods.outputs import split
from iwax.likelihoods.supports import not_codes
from iwax.parts import Likelihood

__all__ = ["Categorical"]

_WHO = "a categorical likelihood"


class Categorical(Likelihood):
    """``P(x_j = c | z) = softmax(m_j(z))_c``: values are the numbers of the classes, 0 to C - 1.

    The network gives the logits of class 0 for all features, then those of class 1, and so on. Raises ValueError where
    there are fewer than 2 classes.

    >>> import jax
    >>> from iwax.nn import MLP
    >>> p = Categorical(MLP(2, (8,), 3 * 5, key=jax.random.key(0)), classes=3)(jnp.zeros(2), key=jax.random.key(1))
    >>> p.probabilities.shape
    (5, 3)
    """

    network: Any
    classes: int = eqx.field(static=True)

    def __check_init__(self) -> None:
        if self.classes < 2:
            raise ValueError(f"{_WHO} needs at least 2 classes, got {self.classes}")

    @property
    def outputs_a_feature(self) -> int:
        """How many outputs of the network a feature needs."""
        return self.classes

    @property
    def support(self) -> str:
        """The data that have a density, in words."""
        return f"whole numbers from 0 to {self.classes - 1}"

    def outside(self, values: np.ndarray) -> np.ndarray:
        """Which values have no density here: all but 0 to C - 1.

        >>> Categorical(None, classes=3).outside(np.array([0.0, 1.5, 2.0, 3.0]))
        array([False,  True, False,  True])
        """
        return not_codes(values, self.classes)

    def of_outputs(self, outputs: Array) -> distributions.Categorical:
        """The distribution of x, given what the network gives: the logits, class by class."""
        return distributions.Categorical(jnp.stack(split(outputs, self.classes, _WHO), axis=-1))

    def __call__(self, context: Any, given: Any = None, *, key: PRNGKey) -> distributions.Categorical:
        """The distribution of x at a latent."""
        return self.of_outputs(self.network(context, key=key))
