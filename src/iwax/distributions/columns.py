"""Rows of a table, whose columns are of different kinds."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from iwax._typing import AnyArray, PRNGKey
from iwax.distributions.bernoulli import Bernoulli
from iwax.distributions.categorical import Categorical
from iwax.distributions.independent import AbstractIndependent
from iwax.parts import Trace

__all__ = ["Columns", "check_columns"]


class Columns(AbstractIndependent):
    """``p(x) = prod_g p_g(x[columns_g])``: a distribution of independent features for each group of columns.

    Raises ValueError unless every column from 0 on belongs to one group.

    >>> from iwax.distributions import Bernoulli, Normal
    >>> p = Columns(((0, 2), (1,)), (Normal(jnp.zeros(2), jnp.ones(2)), Bernoulli(jnp.array([1e4]))))
    >>> p.mean
    Array([0., 1., 0.], dtype=float32)
    """

    columns: tuple[tuple[int, ...], ...] = eqx.field(static=True)
    groups: tuple[Any, ...]

    def __check_init__(self) -> None:
        check_columns(self.columns, len(self.groups))

    @property
    def reparameterized(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether a draw has a derivative: where it has one in every group."""
        return all(group.reparameterized for group in self.groups)

    @property
    def mean(self) -> Array:
        """``E x_j`` of every column."""
        return self._in_order([group.mean for group in self.groups])

    @property
    def classes(self) -> Float[Array, "features classes"] | None:
        """``P(x_j = c)`` of columns that are classes, or 0 or 1; all 0 for others, and None where there are no such."""
        parts = [_classes(group) for group in self.groups]
        most = max((part.shape[-1] for part in parts if part is not None), default=0)
        if not most:
            return None
        sizes = [len(columns) for columns in self.columns]
        padded = [
            jnp.zeros((size, most)) if part is None else jnp.pad(part, ((0, 0), (0, most - part.shape[-1])))
            for part, size in zip(parts, sizes, strict=True)
        ]
        return jnp.concatenate(padded)[np.argsort(np.concatenate(self.columns))]

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


def _classes(group: Any) -> Array | None:
    if isinstance(group, Categorical):
        return group.probabilities
    return jnp.stack([1 - group.mean, group.mean], axis=-1) if isinstance(group, Bernoulli) else None


def check_columns(columns: tuple[tuple[int, ...], ...], groups: int) -> None:
    """Raise ValueError unless every column, from 0 to the last, belongs to one of the groups.

    >>> check_columns(((0, 2), (1,)), 2)
    """
    found = sorted(column for group in columns for column in group)
    if not found or found != list(range(len(found))) or len(columns) != groups or () in columns:
        raise ValueError(
            "every column, from 0 to the last, must belong to one group, and every group have columns and a part of "
            f"its own: got columns {columns} for {groups} groups"
        )
