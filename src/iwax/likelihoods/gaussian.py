"""Real data, and the conditional layers of a chain."""

from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from iwax._typing import AnyArray, PRNGKey
from iwax.distributions import Factorized

__all__ = ["Gaussian"]


class Gaussian(eqx.Module):
    """``p(x|z) = N(loc(z), diag scale^2)`` with a scale that is fixed, learned, or given by the network.

    ``log_scale`` is an array of shape () (one for all features) or [features], learned unless ``variance="fixed"``;
    with ``variance="network"`` it is None and the network gives ``(loc, log scale)``. Make one with `fixed`, `scalar`,
    `feature` or `of_network`. Raises ValueError where the network's outputs and the variance do not fit.

    >>> from iwax.nn import MLP
    >>> p = Gaussian.scalar(MLP(2, (8,), 5, key=jax.random.key(0)), scale=0.5)(jnp.zeros(2), key=jax.random.key(1))
    >>> p.mean.shape
    (5,)
    """

    network: Any
    log_scale: Float[Array, "*features"] | None
    variance: Literal["fixed", "learned", "network"] = eqx.field(static=True)

    @classmethod
    def fixed(cls, network: Any, scale: float | AnyArray) -> "Gaussian":
        """A scale that is not learned: a positive number, or one a feature."""
        return cls(network, _log_of_positive(scale), "fixed")

    @classmethod
    def scalar(cls, network: Any, scale: float = 1.0) -> "Gaussian":
        """One learned scale for all features, starting at ``scale``."""
        return cls(network, _log_of_positive(scale), "learned")

    @classmethod
    def feature(cls, network: Any, features: int, scale: float = 1.0) -> "Gaussian":
        """A learned scale for each of the features, starting at ``scale``."""
        return cls(network, jnp.full(features, _log_of_positive(scale)), "learned")

    @classmethod
    def of_network(cls, network: Any) -> "Gaussian":
        """The network gives the location and the log scale of every feature."""
        return cls(network, None, "network")

    @staticmethod
    def outside(values: np.ndarray) -> np.ndarray:
        """Which values have no density here: NaN and infinities.

        >>> Gaussian.outside(np.array([0.5, np.nan]))
        array([False,  True])
        """
        return ~np.isfinite(values)

    def __call__(self, context: Any, *, key: PRNGKey) -> Factorized:
        """The distribution of x at a latent."""
        outputs = self.network(context, key=key)
        if self.log_scale is None:
            if outputs.shape[-1] % 2:
                raise ValueError(
                    "the network of a Gaussian likelihood with network-given variance must give a loc and a log scale "
                    f"for each feature: an even number of outputs is needed, got {outputs.shape[-1]}"
                )
            loc, log_scale = jnp.split(outputs, 2, axis=-1)
            return Factorized.normal(loc, jnp.exp(log_scale))
        if self.log_scale.shape not in ((), outputs.shape[-1:]):
            raise ValueError(
                f"a Gaussian likelihood of {outputs.shape[-1]} features needs one scale, or one a feature; "
                f"got scales of shape {self.log_scale.shape}"
            )
        log_scale = jax.lax.stop_gradient(self.log_scale) if self.variance == "fixed" else self.log_scale
        return Factorized.normal(outputs, jnp.broadcast_to(jnp.exp(log_scale), outputs.shape))


def _log_of_positive(scale: float | AnyArray) -> Array:
    # on the host, so that a model can be built inside `jax.eval_shape`; what is traced has no value to look at
    if not isinstance(scale, Tracer) and not np.all(np.asarray(scale) > 0):
        raise ValueError(f"the scale of a Gaussian likelihood must be positive, got {scale}")
    return jnp.log(jnp.asarray(scale, float))
