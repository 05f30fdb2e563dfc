"""Whole numbers that need not be counts."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from iwax import distributions
from iwax._typing import AnyArray, PRNGKey
from iwax.distributions.integer_logistic import LARGEST, check_bounds
from iwax.likelihoods.outputs import located, to_features
from iwax.likelihoods.supports import not_whole
from iwax.numerics import check_floor
from iwax.parts import Likelihood

__all__ = ["IntegerLogistic"]

_WHO = "a rounded logistic likelihood"


class IntegerLogistic(Likelihood):
    """``p(x|z) = prod_j P(x_j)``: a logistic variable of ``loc_j(z)`` and scale, rounded to a whole number.

    The network gives (loc, s) of every feature in units that are not learned: x has location
    ``centre_j + unit_j loc_j`` and scale ``unit_j exp(s_j)`` or, with a ``floor``, unit_j times what
    `numerics.scale_of` makes of s_j. Whole numbers reach from ``lower`` (0 for what is never negative) to 2^24, and
    both ends take the tails. Raises ValueError where a unit is not positive, lower is not below 2^24, or the floor is
    below 0.

    >>> from iwax.nn import MLP
    >>> net = MLP(2, (8,), 2 * 5, key=jax.random.key(0))
    >>> p = IntegerLogistic(net, centre=jnp.full(5, 3.0), lower=0)(jnp.zeros(2), key=jax.random.key(1))
    >>> p.draw(jax.random.key(2))[0].shape
    (5,)
    """

    network: Any
    centre: Float[Array, "*features"]
    unit: Float[Array, "*features"]
    lower: int = eqx.field(static=True)
    floor: float = eqx.field(static=True)

    def __init__(
        self,
        network: Any,
        *,
        centre: float | AnyArray = 0.0,
        unit: float | AnyArray = 1.0,
        lower: int = -LARGEST,
        floor: float = 0.0,
    ) -> None:
        check_bounds(lower, LARGEST, _WHO)
        check_floor(floor, _WHO)
        if not isinstance(unit, Tracer) and not np.all(np.asarray(unit) > 0):
            raise ValueError(f"the units of {_WHO} must be positive, got {unit}")
        self.network, self.centre, self.unit = network, jnp.asarray(centre, float), jnp.asarray(unit, float)
        self.lower, self.floor = lower, floor

    @property
    def outputs_a_feature(self) -> int:
        """How many outputs of the network a feature needs."""
        return 2

    @property
    def support(self) -> str:
        """The data that have a density, in words."""
        return f"whole numbers from {self.lower} to {LARGEST}"

    def outside(self, values: np.ndarray) -> np.ndarray:
        """Which values have no density here: all but whole numbers from ``lower`` to 2^24.

        >>> IntegerLogistic(None, lower=0).outside(np.array([-1.0, 0.5, 3.0]))
        array([ True,  True, False])
        """
        return not_whole(values, self.lower, LARGEST)

    def of_outputs(self, outputs: Array) -> distributions.IntegerLogistic:
        """The distribution of x, given what the network gives: loc and log scale, in the features' units."""
        loc, scale = located(outputs, None, _WHO, floor=self.floor)
        centre, unit = (
            jax.lax.stop_gradient(to_features(each, loc.shape[-1], name, _WHO))
            for each, name in ((self.centre, "centre"), (self.unit, "unit"))
        )
        return distributions.IntegerLogistic(centre + unit * loc, unit * scale, self.lower)

    def __call__(self, context: Any, given: Any = None, *, key: PRNGKey) -> distributions.IntegerLogistic:
        """The distribution of x at a latent."""
        return self.of_outputs(self.network(context, key=key))
