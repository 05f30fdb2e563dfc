"""Coupling layers."""

from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from iwax._typing import AnyArray, Scalar

__all__ = ["Coupling"]


class Coupling(eqx.Module):
    """``(a, b) -> (a, b exp s(a) + t(a))``, a the first half of the features; additive where ``scaled`` is False.

    Additive: NICE (Dinh, Krueger and Bengio 2014, arXiv:1410.8516), log-determinant 0. Affine: RealNVP (Dinh,
    Sohl-Dickstein and Bengio 2017, arXiv:1605.08803), s = ``bound`` tanh(raw / ``bound``), log-determinant sum s. The
    network takes a (and the ``context`` behind it, where there is one) and gives t, or t and the raw s.

    >>> import jax
    >>> from iwax.nn import MLP
    >>> layer = Coupling(MLP(1, (8,), 1, key=jax.random.key(0)), scaled=False)
    >>> y, log_det = layer.forward(jnp.array([1.0, 2.0]))
    >>> float(y[0]), float(log_det)
    (1.0, 0.0)
    """

    affine: ClassVar[bool] = False
    closed: ClassVar[bool] = True

    network: Any
    context: Float[AnyArray, " context"] | None = None
    scaled: bool = eqx.field(static=True, kw_only=True)
    bound: float = eqx.field(static=True, kw_only=True, default=3.0)

    def forward(self, z: Float[AnyArray, " features"]) -> tuple[Float[Array, " features"], Scalar]:
        """The image of z, and the log-determinant there."""
        a, b = self._halves(z)
        log_scale, shift = self._log_scale_and_shift(a, b.shape[-1])
        return jnp.concatenate([a, b * jnp.exp(log_scale) + shift]), jnp.sum(log_scale)

    def inverse(self, y: Float[AnyArray, " features"], near: AnyArray | None = None) -> tuple[Array, Scalar]:
        """The z whose image is y, and the log-determinant there."""
        a, b = self._halves(y)
        log_scale, shift = self._log_scale_and_shift(a, b.shape[-1])
        return jnp.concatenate([a, (b - shift) * jnp.exp(-log_scale)]), jnp.sum(log_scale)

    @staticmethod
    def _halves(z: AnyArray) -> tuple[Array, Array]:
        if z.shape[-1] < 2:
            raise ValueError(
                f"a coupling layer needs at least 2 features, one to go by and one to move, got {z.shape[-1]}"
            )
        middle = z.shape[-1] // 2
        return jnp.asarray(z[:middle]), jnp.asarray(z[middle:])

    def _log_scale_and_shift(self, a: Array, moved: int) -> tuple[Array, Array]:
        outputs = self.network(a if self.context is None else jnp.concatenate([a, self.context]))
        needed = 2 * moved if self.scaled else moved
        if outputs.shape[-1] != needed:
            raise ValueError(
                f"the network of a coupling layer that moves {moved} features needs to give {needed} outputs, "
                f"got {outputs.shape[-1]}"
            )
        if not self.scaled:
            return jnp.zeros_like(outputs), outputs
        shift, raw = jnp.split(outputs, 2)
        return self.bound * jnp.tanh(raw / self.bound), shift
