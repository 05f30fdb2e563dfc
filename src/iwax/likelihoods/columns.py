"""Tables, whose columns are of different families."""

from collections.abc import Sequence
from typing import Any, TypeAlias

from iwax import families
from iwax.families import FAMILIES, Family
from iwax.likelihoods.likelihood import Likelihood

__all__ = ["ColumnKind", "Columns", "columns_of"]

ColumnKind: TypeAlias = str | tuple[str, int] | Family  # a name of FAMILIES, ("categorical", classes), or a family


def columns_of(kinds: Sequence[ColumnKind], *, floor: float = 0.0) -> families.Columns:
    """The families of columns by kind: a name of `families.FAMILIES`, ("categorical", classes) or a family.

    Alike ones form a group; groups stand in the order in which their kinds first appear. Scales that the network gives
    are at least ``floor``, but for a Student-t. Raises ValueError where a kind is unknown.

    >>> columns_of(("gaussian", ("categorical", 3), "gaussian", families.poisson())).outputs
    8
    """
    groups: dict[Any, list[int]] = {}
    for column, kind in enumerate(kinds):
        groups.setdefault(id(kind) if isinstance(kind, Family) else kind, []).append(column)
    return families.Columns(
        tuple(map(tuple, groups.values())), tuple(_of_kind(kinds[columns[0]], floor) for columns in groups.values())
    )


class Columns(Likelihood):
    """``p(x|z) = prod_g p_g(x[columns_g] | z)``: a family for each group of columns, all from one network.

    Make one from the columns' kinds with `of_kinds`. Raises ValueError unless every column from 0 on belongs to one
    group, and where the network's outputs do not fit.

    >>> import jax, jax.numpy as jnp
    >>> from iwax.nn import MLP
    >>> kinds = ("gaussian", ("categorical", 3), "gaussian", "poisson")
    >>> network = MLP(2, (8,), columns_of(kinds).outputs, key=jax.random.key(0))
    >>> Columns.of_kinds(network, kinds)(jnp.zeros(2), key=jax.random.key(1)).mean.shape
    (4,)
    """

    def __init__(
        self, network: Any, columns: tuple[tuple[int, ...], ...], groups: Sequence[Family | Likelihood]
    ) -> None:
        of_groups: Any = tuple(group.family if isinstance(group, Likelihood) else group for group in groups)
        super().__init__(network, families.Columns(columns, of_groups))

    @classmethod
    def of_kinds(cls, network: Any, kinds: Sequence[ColumnKind], *, floor: float = 0.0) -> "Columns":
        """The likelihood of `columns_of` these kinds."""
        found = columns_of(kinds, floor=floor)
        return cls(network, found.columns, found.groups)

    @property
    def outputs(self) -> int:
        """How many outputs the network must have."""
        return self.family.outputs  # pyright: ignore[reportAttributeAccessIssue]


def _of_kind(kind: ColumnKind, floor: float) -> Family:
    if isinstance(kind, Family):
        return kind
    if isinstance(kind, str) and kind in FAMILIES:
        return FAMILIES[kind](floor=floor)
    if isinstance(kind, tuple) and kind[0] == "categorical":
        return families.categorical(kind[1])
    raise ValueError(
        f"a column's kind must be one of {', '.join(FAMILIES)}, ('categorical', number of classes), or a family; "
        f"got {kind!r}"
    )
