"""Autoregressive maps."""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.scipy.linalg
from jaxtyping import Array, Float

from iwax._typing import AnyArray, Scalar
from iwax.bijections.searched import searched_inverse

__all__ = ["Autoregressive"]


class Autoregressive(eqx.Module):
    """``y_i = z_i exp(s_i(z_<i)) + t_i(z_<i)``: as a posterior, the inverse autoregressive flow.

    Kingma et al. (2016, arXiv:1606.04934); inverted, as a prior, the masked autoregressive flow (Papamakarios, Pavlakou
    and Murray 2017, arXiv:1705.07057). ``network(z, context)`` is masked (`nn.MaskedMLP`) and gives [2, features]: t,
    and the raw s, held within ``bound`` by ``bound`` tanh(raw / ``bound``). One pass forwards, as many as there are
    features back.

    >>> from iwax.nn import MaskedMLP
    >>> flow = Autoregressive(MaskedMLP(2, (8,), heads=2, key=jax.random.key(0)))
    >>> y, _ = flow.forward(jnp.array([0.5, -1.0]))
    >>> bool(jnp.allclose(flow.inverse(y)[0], jnp.array([0.5, -1.0]), atol=1e-5))
    True
    """

    affine: ClassVar[bool] = False
    closed: ClassVar[bool] = False

    network: Any
    context: Float[AnyArray, " context"] | None = None
    bound: float = eqx.field(static=True, kw_only=True, default=3.0)

    def forward(self, z: Float[AnyArray, " features"]) -> tuple[Float[Array, " features"], Scalar]:
        """The image of z, and the log-determinant there."""
        shift, log_scale = self._shift_and_log_scale(z)
        return jnp.asarray(z) * jnp.exp(log_scale) + shift, jnp.sum(log_scale)

    def inverse(self, y: Float[AnyArray, " features"], near: AnyArray | None = None) -> tuple[Array, Scalar]:
        """The z whose image is y, one feature after the other, and the log-determinant there."""
        return searched_inverse(self, y, near, _solve)

    def _shift_and_log_scale(self, z: AnyArray) -> tuple[Array, Array]:
        outputs = self.network(z) if self.context is None else self.network(z, self.context)
        if outputs.shape != (2, z.shape[-1]):
            raise ValueError(
                f"the network of an autoregressive map of {z.shape[-1]} features needs to give outputs of shape "
                f"(2, {z.shape[-1]}), got {outputs.shape}"
            )
        shift, raw = outputs
        return shift, self.bound * jnp.tanh(raw / self.bound)

    def search(self, y: Array) -> Array:
        """The z whose image is y, without derivatives."""

        def again(_: Any, z: Array) -> Array:
            """One more feature is right after every pass."""
            shift, log_scale = self._shift_and_log_scale(z)
            return (y - shift) * jnp.exp(-log_scale)

        return jax.lax.fori_loop(0, y.shape[-1], again, jnp.zeros_like(y))


def _solve(given: tuple[Autoregressive, Array], z: Array, v: Array) -> Array:
    """The Jacobian is lower triangular."""
    jacobian = jax.jacfwd(lambda z: given[0].forward(z)[0])(z)
    return jax.scipy.linalg.solve_triangular(jacobian, v, lower=True)
