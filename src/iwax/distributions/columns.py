"""Rows of a table, whose columns are of different kinds."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from iwax._typing import AnyArray, PRNGKey, Trace
from iwax.distributions.independent import AbstractIndependent

__all__ = ["Columns", "check_columns"]


class Columns(AbstractIndependent):
    """``p(x) = prod_g p_g(x[columns_g])``: a distribution of independent features for each group of columns.

    Raises ValueError unless every column from 0 on belongs to one group.

    >>> from iwax.distributions import Bernoulli, Factorized
    >>> p = Columns(((0, 2), (1,)), (Factorized.normal(jnp.zeros(2), jnp.ones(2)), Bernoulli(jnp.array([1e4]))))
    >>> p.mean
    Array([0., 1., 0.], dtype=float32)
    """

    columns: tuple[tuple[int, ...], ...] = eqx.field(static=True)
    groups: tuple[Any, ...]

    def __check_init__(self) -> None:
        check_columns(self.columns, len(self.groups))

    @property
    def reparameterized(self) -> bool:
        """Whether a draw has a derivative: where it has one in every group."""
        return all(getattr(group, "reparameterized", True) for group in self.groups)

    @property
    def mean(self) -> Array:
        """``E x_j`` of every column."""
        return self._in_order([group.mean for group in self.groups])

    def draw(self, key: PRNGKey) -> tuple[Array, Trace]:
        """A row; there is no trace."""
        return self._in_order([g.draw(jax.random.fold_in(key, i))[0] for i, g in enumerate(self.groups)]), None

    def each(self, value: AnyArray) -> Float[AnyArray, "*batch features"]:
        """``log p(x_j)`` of every column, nats."""
        parts = zip(self.columns, self.groups, strict=True)
        return self._in_order([group.each(jnp.asarray(value)[..., np.array(columns)]) for columns, group in parts])

    def _in_order(self, parts: list[Array]) -> Array:
        """Numbers of the groups' columns, put where the columns stand."""
        return jnp.concatenate(parts, axis=-1)[..., np.argsort(np.concatenate(self.columns))]


def check_columns(columns: tuple[tuple[int, ...], ...], groups: int) -> None:
    """Raise ValueError unless every column, from 0 to the last, belongs to one of so many groups.

    >>> check_columns(((0, 2), (1,)), 2)
    """
    found = sorted(column for group in columns for column in group)
    if not found or found != list(range(len(found))) or len(columns) != groups or () in columns:
        raise ValueError(
            "every column, from 0 to the last, must belong to one group, and every group have columns and a part of "
            f"its own: got columns {columns} for {groups} groups"
        )
