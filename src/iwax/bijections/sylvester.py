"""Sylvester flows."""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.scipy.linalg
from jaxtyping import Array, Float

from iwax._typing import AnyArray, Scalar
from iwax.bijections.householder import Householder
from iwax.bijections.searched import searched_inverse
from iwax.numerics import bisect

__all__ = ["Sylvester"]


class Sylvester(eqx.Module):
    """``y = z + Q R tanh(R~ Q'z + b)``: M planes at once, Q [D, M] orthonormal, R and R~ upper triangular M x M.

    Van den Berg, Hasenclever, Tomczak and Welling (2018, arXiv:1803.05649), the Householder kind: Q is the first M
    columns of a product of reflections at ``normals``. The diagonals of R and R~ are 0.999 tanh(raw), so that their
    products exceed -1 and the map is invertible; ``log|det| = sum log(1 + tanh' r_ii r~_ii)``. The inverse is found by
    bisection, one coordinate of Q'z after the other.

    >>> flow = Sylvester(jnp.ones((1, 2)), jnp.eye(2), jnp.eye(2), jnp.zeros(2))
    >>> y, _ = flow.forward(jnp.array([0.5, -1.0]))
    >>> bool(jnp.allclose(flow.inverse(y)[0], jnp.array([0.5, -1.0]), atol=1e-5))
    True
    """

    affine: ClassVar[bool] = False
    closed: ClassVar[bool] = False

    normals: Float[Array, "*layers reflections features"]
    outer: Float[Array, "*layers planes planes"]  # R before the tanh of its diagonal; what lies below is not used
    inner: Float[Array, "*layers planes planes"]  # R~, likewise
    b: Float[Array, "*layers planes"]

    def forward(self, z: Float[AnyArray, " features"]) -> tuple[Float[Array, " features"], Scalar]:
        """The image of z, and the log-determinant there."""
        q, outer, inner = self._matrices(z.shape[-1])
        h = jnp.tanh(inner @ (q.T @ z) + self.b)
        slopes = (1 - h**2) * jnp.sum(outer * inner.T, axis=-1)  # of the diagonal of R R~, that is
        return jnp.asarray(z) + q @ (outer @ h), jnp.sum(jnp.log1p(slopes))

    def inverse(self, y: Float[AnyArray, " features"], near: AnyArray | None = None) -> tuple[Array, Scalar]:
        """The z whose image is y, and the log-determinant there."""
        return searched_inverse(self, y, near, _solve)

    def _matrices(self, features: int) -> tuple[Array, Array, Array]:
        planes = self.b.shape[-1]
        if planes > features:
            raise ValueError(f"a Sylvester flow needs at most as many planes as features, {features}, got {planes}")
        q = jnp.eye(features, planes, dtype=self.b.dtype)

        def reflected(q: Array, normal: Array) -> tuple[Array, None]:
            return jax.vmap(lambda column: Householder(normal).forward(column)[0], 1, 1)(q), None

        q, _ = jax.lax.scan(reflected, q, self.normals, unroll=min(_UNROLLED, len(self.normals)))
        return q, _triangle(self.outer), _triangle(self.inner)

    def search(self, y: Array) -> Array:
        """The z whose image is y, without derivatives."""
        q, outer, inner = self._matrices(y.shape[-1])
        target = q.T @ y

        def coordinate(below: Any, w: Array) -> Array:
            """w with coordinate i found, those after i being known already and those before it still 0."""
            i = self.b.shape[-1] - 1 - below

            def excess(value: Array) -> Array:
                given = w.at[i].set(value)
                return value + outer[i] @ jnp.tanh(inner @ given + self.b) - target[i]

            # before i, outer[i] is zero: what is not yet known does not count
            reach = jnp.sum(jnp.abs(outer[i])) + 1e-3
            return w.at[i].set(bisect(excess, target[i] - reach, target[i] + reach))

        w = jax.lax.fori_loop(0, self.b.shape[-1], coordinate, jnp.zeros_like(target))
        return y - q @ (outer @ jnp.tanh(inner @ w + self.b))


def _triangle(raw: AnyArray) -> Array:
    return jnp.where(jnp.eye(raw.shape[-1], dtype=bool), _LARGEST * jnp.tanh(raw), jnp.triu(raw, 1))


def _solve(given: tuple[Sylvester, Any], z: Array, v: Array) -> Array:
    """``(I + Q R T R~ Q')^-1 v``, T the diagonal of tanh', by way of the triangular ``I + T R~ R`` (Woodbury 1950)."""
    flow, _ = given
    q, outer, inner = flow._matrices(z.shape[-1])
    steep = 1 - jnp.tanh(inner @ (q.T @ z) + flow.b) ** 2
    small = jnp.eye(len(steep), dtype=steep.dtype) + steep[:, None] * (inner @ outer)
    return v - q @ (outer @ jax.scipy.linalg.solve_triangular(small, steep * (inner @ (q.T @ v))))


_UNROLLED = 8  # reflections traced side by side: of a network that asks for thousands all would take minutes
_LARGEST = 0.999  # of the diagonals: a determinant of 0 cannot occur
