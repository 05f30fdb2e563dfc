"""The mean-field Gaussian posterior."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp

from iwax._typing import PRNGKey
from iwax.distributions import Normal
from iwax.numerics import check_floor, scale_of
from iwax.parts import values_of
from iwax.posteriors.amortised import Amortised

__all__ = ["Gaussian"]


class Gaussian(Amortised):
    """``q(z|x) = N(loc(x), diag scale(x)^2)``, the network giving ``(loc, log scale)``.

    Kingma and Welling (2014, arXiv:1312.6114); the scale is a standard deviation, its logarithm unclamped, as in Burda,
    Grosse and Salakhutdinov (2016, arXiv:1509.00519); with a ``floor`` the network gives what a scale of at least that
    is made of (`numerics.scale_of`). Raises ValueError if the network gives an odd number of outputs, or the floor is
    below 0.

    >>> import jax
    >>> from iwax.nn import MLP
    >>> q = Gaussian(MLP(4, (8,), 2 * 3, key=jax.random.key(0), heads=2))(jnp.zeros(4), key=jax.random.key(1))
    >>> q.mean.shape
    (3,)
    """

    floor: float = eqx.field(static=True, default=0.0)

    def __check_init__(self) -> None:
        check_floor(self.floor, "a Gaussian posterior")

    def __call__(self, context: Any, *, key: PRNGKey) -> Normal:
        """The distribution at a data point, or at the latent of the layer below."""
        outputs = self.network(values_of(context), key=key)
        if outputs.shape[-1] % 2:
            raise ValueError(
                "the network of a Gaussian posterior must give a loc and a log scale for each latent: "
                f"an even number of outputs is needed, got {outputs.shape[-1]}"
            )
        loc, s = jnp.split(outputs, 2, axis=-1)
        return Normal(loc, scale_of(s, self.floor))
