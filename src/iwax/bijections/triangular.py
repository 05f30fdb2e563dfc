"""Linear maps with a triangular matrix of unit diagonal."""

from functools import lru_cache
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.scipy.linalg
import numpy as np
from jaxtyping import Array, Float

from iwax._typing import AnyArray, Scalar

__all__ = ["UnitTriangular", "packed_size"]


def packed_size(features: int) -> int:
    """How many numbers lie strictly below the diagonal, ``D (D - 1) / 2``.

    >>> packed_size(40)
    780
    """
    return features * (features - 1) // 2


class UnitTriangular(eqx.Module):
    """``y = L z + shift``, L with ones on the diagonal and ``below`` under it, row by row; log-determinant 0.

    The linear inverse autoregressive flow of Tomczak and Welling (2016, arXiv:1611.09630). Only the D (D - 1) / 2
    numbers that matter are stored, and L z is formed without L: as ``((z E) * below) S``, E and S spreading columns and
    summing rows, which no scatter slows down. ``shift`` may be left out.

    >>> y, _ = UnitTriangular(jnp.array([2.0])).forward(jnp.array([1.0, 1.0]))
    >>> y.tolist()
    [1.0, 3.0]
    """

    affine: ClassVar[bool] = True
    closed: ClassVar[bool] = True

    below: Float[Array, "*layers packed"]
    shift: Float[Array, "*layers features"] | None = None

    def forward(self, z: Float[AnyArray, " features"]) -> tuple[Float[Array, " features"], Scalar]:
        """The image of z, and 0."""
        spread, rows = (jnp.asarray(table, self.below.dtype) for table in self._tables(z.shape[-1]))
        moved = jnp.asarray(z) + _exactly(_exactly(z, spread) * self.below, rows)
        return moved if self.shift is None else moved + self.shift, jnp.zeros((), self.below.dtype)

    def inverse(self, y: Float[AnyArray, " features"], near: AnyArray | None = None) -> tuple[Array, Scalar]:
        """``L^-1 (y - shift)`` by substitution, and 0."""
        spread, rows = (jnp.asarray(table, self.below.dtype) for table in self._tables(y.shape[-1]))
        lower = _exactly(spread * self.below, rows).T + jnp.eye(y.shape[-1], dtype=self.below.dtype)
        centred = y if self.shift is None else y - self.shift
        solved = jax.scipy.linalg.solve_triangular(lower, centred, lower=True, unit_diagonal=True)
        return solved, jnp.zeros((), self.below.dtype)

    def _tables(self, features: int) -> tuple[np.ndarray, np.ndarray]:
        if self.below.shape[-1] != packed_size(features):
            raise ValueError(
                f"a triangular map of {features} features needs {packed_size(features)} numbers below the diagonal, "
                f"got {self.below.shape[-1]}"
            )
        return _spread_and_rows(features)


@lru_cache
def _spread_and_rows(features: int) -> tuple[np.ndarray, np.ndarray]:
    """E [features, packed] with ``(z E)_p = z_column(p)``, and S [packed, features] with ``(m S)_i = sum of row i``."""
    row, column = np.tril_indices(features, -1)
    entries = np.arange(len(row))
    spread, rows = np.zeros((features, len(row)), np.float32), np.zeros((len(row), features), np.float32)
    spread[column, entries] = 1.0
    rows[entries, row] = 1.0
    return spread, rows


def _exactly(a: AnyArray, b: Array) -> Array:
    return jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)  # zeros and ones: no digit may be lost
