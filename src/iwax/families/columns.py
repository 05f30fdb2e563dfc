"""Rows of a table, whose columns are of different families."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from iwax import distributions
from iwax.distributions.columns import check_columns
from iwax.families.family import Family
from iwax.supports import OfColumns

__all__ = ["Columns"]


class Columns(eqx.Module):
    """``p(x) = prod_g p_g(x[columns_g])``: a family for each group of columns.

    The network's outputs are cut in the order of the groups, ``outputs_per_feature`` for each of a group's columns.
    Raises ValueError unless every column from 0 on belongs to one group, and where the network's outputs do not fit.
    """

    columns: tuple[tuple[int, ...], ...] = eqx.field(static=True)
    groups: tuple[Family, ...]

    def __check_init__(self) -> None:
        check_columns(self.columns, len(self.groups))

    @property
    def _sizes(self) -> list[int]:
        return [len(c) * group.outputs_per_feature for c, group in zip(self.columns, self.groups, strict=True)]

    @property
    def outputs(self) -> int:
        """How many outputs the network must have."""
        return sum(self._sizes)

    @property
    def support(self) -> OfColumns:
        """The support of each group."""
        return OfColumns(columns=self.columns, supports=tuple(group.support for group in self.groups))

    def of_outputs(self, outputs: Float[Array, " outputs"]) -> distributions.Columns:
        """The distribution of a row, given the network's outputs: those of group after group."""
        if outputs.shape[-1] != self.outputs:
            raise ValueError(
                f"the network of a likelihood of {sum(map(len, self.columns))} columns of these kinds must give "
                f"{self.outputs} outputs, got {outputs.shape[-1]}"
            )
        cut = jnp.split(outputs, np.cumsum(self._sizes)[:-1], axis=-1)
        groups = tuple(group.of_outputs(part) for group, part in zip(self.groups, cut, strict=True))
        return distributions.Columns(self.columns, groups)

    def in_units(self, loc: Float[np.ndarray, " columns"], scale: Float[np.ndarray, " columns"]) -> "Columns":
        """The families in units of their own, where they have such (`Family.in_units`)."""
        at = [list(columns) for columns in self.columns]
        groups = (group.in_units(loc[c], scale[c]) for group, c in zip(self.groups, at, strict=True))
        return Columns(self.columns, tuple(groups))
