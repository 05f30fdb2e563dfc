"""Maps after maps, and maps the other way round."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from iwax._typing import AnyArray, Scalar

__all__ = ["Composite", "Inverted", "Stacked"]

_UNROLLED = 10  # steps of a loop written out: short flows run without one


class Composite(eqx.Module):
    """``f_T o ... o f_1`` of the given maps, the first applied first.

    >>> from iwax.bijections import Householder
    >>> twice = Composite((Householder(jnp.array([1.0, 1.0])),) * 2)
    >>> bool(jnp.allclose(twice.forward(jnp.array([3.0, 4.0]))[0], jnp.array([3.0, 4.0])))
    True
    """

    maps: tuple[Any, ...]

    @property
    def affine(self) -> bool:
        """Whether every one of them is affine."""
        return all(each.affine for each in self.maps)

    @property
    def closed(self) -> bool:
        """Whether every one of them has its inverse in closed form."""
        return all(each.closed for each in self.maps)

    def forward(self, z: Float[AnyArray, " features"]) -> tuple[Float[Array, " features"], Scalar]:
        """The image of z, and the log-determinant there."""
        y, total = jnp.asarray(z), jnp.zeros((), z.dtype)
        for each in self.maps:
            y, log_det = each.forward(y)
            total = total + log_det
        return y, total

    def inverse(self, y: Float[AnyArray, " features"], near: AnyArray | None = None) -> tuple[Array, Scalar]:
        """The z whose image is y, and the log-determinant there."""
        on_the_way: list[Array | None] = [None] * len(self.maps)
        if near is not None and not self.closed:
            point = jnp.asarray(near)
            for i, each in enumerate(self.maps):
                on_the_way[i] = jax.lax.stop_gradient(point)
                point, _ = each.forward(point)
        z, total = jnp.asarray(y), jnp.zeros((), y.dtype)
        for each, preimage in zip(reversed(self.maps), reversed(on_the_way), strict=True):
            z, log_det = each.inverse(z, preimage)
            total = total + log_det
        return z, total


class Stacked(eqx.Module):
    """``f_T o ... o f_1`` of maps of one kind, stored as one map whose arrays have a leading axis of T; run as a loop.

    ``orders`` [T, features] are permutations, one applied before each map; None for none. They are fixed, not learned.

    >>> from iwax.bijections import Householder
    >>> twice = Stacked(Householder(jnp.ones((2, 2))))
    >>> bool(jnp.allclose(twice.forward(jnp.array([3.0, 4.0]))[0], jnp.array([3.0, 4.0])))
    True
    """

    maps: Any
    orders: tuple[tuple[int, ...], ...] | None = eqx.field(static=True, default=None)

    @property
    def affine(self) -> bool:
        """Whether the maps are affine."""
        return self.maps.affine

    @property
    def closed(self) -> bool:
        """Whether the maps have their inverse in closed form."""
        return self.maps.closed

    def forward(self, z: Float[AnyArray, " features"]) -> tuple[Float[Array, " features"], Scalar]:
        """The image of z, and the log-determinant there."""
        (y, total), _ = self._forward(jnp.asarray(z), keep=False)
        return y, total

    def inverse(self, y: Float[AnyArray, " features"], near: AnyArray | None = None) -> tuple[Array, Scalar]:
        """The z whose image is y, and the log-determinant there."""
        given = None if near is None or self.closed else self._forward(jnp.asarray(near), keep=True)[1]
        arrays, static = eqx.partition(self.maps, eqx.is_array)
        back = None if self.orders is None else np.argsort(np.asarray(self.orders), axis=-1)

        def step(carry: tuple[Array, Scalar], at: Any) -> tuple[tuple[Array, Scalar], None]:
            point, total = carry
            arrays, back, near = at
            z, log_det = eqx.combine(arrays, static).inverse(point, near)
            return (z if back is None else z[back], total + log_det), None

        at = (arrays, None if back is None else jnp.asarray(back), given)
        start = (jnp.asarray(y), jnp.zeros((), y.dtype))
        return jax.lax.scan(step, start, at, reverse=True, unroll=min(_UNROLLED, self._length))[0]

    @property
    def _length(self) -> int:
        return jax.tree.leaves(eqx.filter(self.maps, eqx.is_array))[0].shape[0]

    def _forward(self, z: Array, *, keep: bool) -> tuple[tuple[Array, Scalar], Array | None]:
        """The image and the log-determinant; with ``keep``, also what every map was applied to, held constant."""
        arrays, static = eqx.partition(self.maps, eqx.is_array)

        def step(carry: tuple[Array, Scalar], at: Any) -> tuple[tuple[Array, Scalar], Array | None]:
            point, total = carry
            arrays, order = at
            taken = point if order is None else point[order]
            y, log_det = eqx.combine(arrays, static).forward(taken)
            return (y, total + log_det), jax.lax.stop_gradient(taken) if keep else None

        at = (arrays, None if self.orders is None else jnp.asarray(self.orders))
        start = (z, jnp.zeros((), z.dtype))
        return jax.lax.scan(step, start, at, unroll=min(_UNROLLED, self._length))


class Inverted(eqx.Module):
    """``y = f^-1(z)``: the map the other way round.

    >>> from iwax.bijections import UnitTriangular
    >>> back = Inverted(UnitTriangular(jnp.array([2.0])))
    >>> back.forward(jnp.array([1.0, 3.0]))[0].tolist()
    [1.0, 1.0]
    """

    map: Any

    @property
    def affine(self) -> bool:
        """Whether the map is affine."""
        return self.map.affine

    @property
    def closed(self) -> bool:
        """The way back is the map itself."""
        return True

    def forward(self, z: Float[AnyArray, " features"]) -> tuple[Float[Array, " features"], Scalar]:
        """The preimage of z, and the log-determinant there."""
        y, log_det = self.map.inverse(z)
        return y, -log_det

    def inverse(self, y: Float[AnyArray, " features"], near: AnyArray | None = None) -> tuple[Array, Scalar]:
        """The image of y, and the log-determinant there."""
        z, log_det = self.map.forward(y)
        return z, -log_det
