"""Random variables whose features are independent, each with a density from NumPyro."""

import math
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpyro.distributions
from jaxtyping import Array, Float

from iwax._typing import AnyArray, PRNGKey
from iwax.distributions.independent import AbstractIndependent
from iwax.numerics import reciprocal
from iwax.parts import Trace

__all__ = ["Factorized"]


class _Normal(numpyro.distributions.Normal):
    """NumPyro's, with a gradient in the scale that is right where the scale's square leaves float32's range."""

    def log_prob(self, value: Any, intermediates: Any = None) -> Array:
        loc, scale = jnp.asarray(self.loc), jnp.asarray(self.scale)
        return -0.5 * ((value - loc) * reciprocal(scale)) ** 2 - jnp.log(scale) - 0.5 * math.log(2 * math.pi)


_FAMILIES = {"normal": _Normal}


class Factorized(AbstractIndependent):
    """``p(z) = prod_j p(z_j; parameters_j)``, with the one-dimensional density taken from NumPyro.

    A small pytree of our own rather than a NumPyro object, because it may be returned from `jax.vmap` (a NumPyro object
    would keep a stale batch shape) and because it can draw and evaluate in one go.

    >>> z = Factorized.normal(jnp.zeros(3), jnp.ones(3))
    >>> float(z.log_prob(jnp.zeros(3)))  # -(3/2) log 2 pi
    -2.7568
    """

    reparameterized: ClassVar[bool] = True
    one_a_feature: ClassVar[bool] = True

    family: str = eqx.field(static=True)
    parameters: tuple[Float[AnyArray, "*batch features"], ...]

    @classmethod
    def normal(cls, loc: AnyArray, scale: AnyArray) -> "Factorized":
        """``N(loc, diag scale^2)``."""
        return cls("normal", (loc, scale))

    @property
    def density(self) -> Any:
        """The NumPyro distribution of the single features."""
        return _FAMILIES[self.family](*self.parameters, validate_args=False)

    @property
    def mean(self) -> Array:
        """``E z_j``, a feature."""
        return self.density.mean

    def draw(self, key: PRNGKey) -> tuple[Array, Trace]:
        """A value, differentiable in the parameters where the family allows it; there is no trace."""
        return self.density.sample(key), None

    def each(self, value: AnyArray) -> Float[Array, "*batch features"]:
        """``log p(value_j)`` of every feature, nats."""
        return self.density.log_prob(value)

    def kl(self, other: "Factorized") -> Float[Array, " features"]:
        """``KL(self_j || other_j)`` for every feature, nats, in closed form.

        >>> z = Factorized.normal(jnp.ones(1), jnp.ones(1))
        >>> float(z.kl(Factorized.normal(jnp.zeros(1), jnp.ones(1)))[0])
        0.5
        """
        return jnp.asarray(numpyro.distributions.kl_divergence(self.density, other.density))
