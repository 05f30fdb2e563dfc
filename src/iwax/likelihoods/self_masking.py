"""Values that hide themselves: which are observed, given the values."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax import distributions
from iwax._typing import AnyArray, PRNGKey
from iwax.nn.sizes import units
from iwax.parts import Likelihood

__all__ = ["SelfMasking"]


class SelfMasking(Likelihood):
    """``P(s_j = 1 | x) = sigmoid(slope_j (x_j - loc_j) / scale_j + bias_j)``: whether x_j is observed depends on x_j.

    A model of missingness (`LatentVariableModel.missingness`), as in Ipsen, Mattei and Frellsen (2021,
    arXiv:2006.12871, section 2.2): incomes that are withheld where they are high. Slopes and biases are learned, from
    0; loc and scale, the units of the data, are not. What depends on all values is `likelihoods.Bernoulli` with a
    network of x. Raises ValueError unless there is a loc and a positive scale per feature.

    >>> p = SelfMasking(jnp.zeros(3), jnp.ones(3))
    >>> p(jnp.array([1.0, 2.0, 3.0]), key=jax.random.key(0)).mean.tolist()
    [0.5, 0.5, 0.5]
    """

    slope: Float[Array, " features"]
    bias: Float[Array, " features"]
    loc: Float[Array, " features"]
    scale: Float[Array, " features"]

    def __init__(self, loc: Float[AnyArray, " features"], scale: Float[AnyArray, " features"]) -> None:
        self.loc, self.scale = units(loc, scale, "a model of missingness")
        self.slope, self.bias = jnp.zeros_like(self.loc), jnp.zeros_like(self.loc)

    def __call__(self, z: Any, given: Any = None, *, key: PRNGKey) -> distributions.Bernoulli:
        """The distribution of s, which values are observed, at a row x."""
        loc, scale = jax.lax.stop_gradient((self.loc, self.scale))
        return distributions.Bernoulli(self.slope * (z - loc) / scale + self.bias)
