"""Likelihoods of independent features."""

import warnings
from typing import Any

import numpy as np
from jaxtyping import Array, Float

from iwax import parts
from iwax._typing import PRNGKey
from iwax.families import Columns, Family
from iwax.nn import hidden_layers
from iwax.parts import Distribution, Latent
from iwax.supports import Support

__all__ = ["Likelihood"]


class Likelihood(parts.Likelihood):
    """``p(x|z) = prod_j p(x_j; eta_j(z))``: a network of z, and the family of densities whose parameters it gives.

    Raises TypeError if the family does not derive from `families.Family`.

    >>> import jax, jax.numpy as jnp
    >>> from iwax import families, nn
    >>> p_x = Likelihood(nn.MLP(2, (8,), 2 * 5, key=jax.random.key(0)), families.gaussian(scale="network"))
    >>> p_x(jnp.zeros(2), key=jax.random.key(1)).mean.shape, str(p_x.support)
    ((5,), 'finite numbers')
    """

    network: Any
    family: Family | Columns

    def __check_init__(self) -> None:
        if not isinstance(self.family, Family | Columns):
            raise TypeError(f"a likelihood needs a family (iwax.families), got {type(self.family).__name__}")

    @property
    def support(self) -> Support:
        """The values that have a density."""
        return self.family.support

    def of_outputs(self, outputs: Float[Array, " outputs"]) -> Distribution:
        """The distribution of x, given the network's outputs."""
        return self.family.of_outputs(outputs)

    def __call__(self, z: Latent, given: Any = None, *, key: PRNGKey) -> Distribution:
        """The distribution of x at a latent."""
        return self.family.of_outputs(self.network(z, key=key))

    def hidden_layers(self, context: Latent, *, key: PRNGKey) -> list[Array] | None:
        """The hidden layers of the network at a latent; None where it does not give them."""
        return hidden_layers(self.network, context, key=key)

    def outside(self, values: np.ndarray) -> np.ndarray:
        """Deprecated: ``support.outside(values)``."""
        warnings.warn("likelihood.outside is likelihood.support.outside", DeprecationWarning, stacklevel=2)
        return self.support.outside(values)

    @property
    def outputs_a_feature(self) -> int:
        """Deprecated: ``family.outputs_per_feature``."""
        warnings.warn("outputs_a_feature is family.outputs_per_feature", DeprecationWarning, stacklevel=2)
        return self.family.outputs_per_feature  # pyright: ignore[reportAttributeAccessIssue]
