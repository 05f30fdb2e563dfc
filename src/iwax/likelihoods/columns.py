"""Tables, whose columns are of different kinds."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from iwax import distributions
from iwax._typing import PRNGKey
from iwax.distributions.columns import check_columns
from iwax.likelihoods.bernoulli import Bernoulli
from iwax.likelihoods.categorical import Categorical
from iwax.likelihoods.continuous_bernoulli import ContinuousBernoulli
from iwax.likelihoods.gaussian import Gaussian
from iwax.likelihoods.integer_logistic import IntegerLogistic
from iwax.likelihoods.log_normal import LogNormal
from iwax.likelihoods.negative_binomial import NegativeBinomial
from iwax.likelihoods.poisson import Poisson
from iwax.likelihoods.student_t import StudentT
from iwax.likelihoods.zero_inflated_log_normal import ZeroInflatedLogNormal
from iwax.likelihoods.zero_inflated_negative_binomial import ZeroInflatedNegativeBinomial
from iwax.likelihoods.zero_inflated_poisson import ZeroInflatedPoisson
from iwax.parts import Likelihood

__all__ = ["COLUMN_KINDS", "ColumnKind", "Columns"]

_NAMED = 8  # columns of a group that a message names

ColumnKind: TypeAlias = str | tuple[str, int]  # a name of COLUMN_KINDS, or ("categorical", number of classes)

# each without a network; what there is to learn is given by the table's; its scales have the floor, where it has scales
COLUMN_KINDS: dict[str, Callable[[float], Any]] = {
    "bernoulli": lambda _: Bernoulli(None),
    "continuous_bernoulli": lambda _: ContinuousBernoulli(None),
    "gaussian": lambda floor: Gaussian.of_network(None, floor=floor),
    "integer_logistic": lambda floor: IntegerLogistic(None, floor=floor),
    "lognormal": lambda floor: LogNormal.of_network(None, floor=floor),
    "negative_binomial": lambda _: NegativeBinomial.of_network(None),
    "nonnegative_integer_logistic": lambda floor: IntegerLogistic(None, lower=0, floor=floor),
    "poisson": lambda _: Poisson(None),
    "student_t": lambda _: StudentT.of_network(None),
    "zero_inflated_lognormal": lambda floor: ZeroInflatedLogNormal.of_network(None, floor=floor),
    "zero_inflated_negative_binomial": lambda _: ZeroInflatedNegativeBinomial.of_network(None),
    "zero_inflated_poisson": lambda _: ZeroInflatedPoisson(None),
}


class Columns(Likelihood):
    """``p(x|z) = prod_g p_g(x[columns_g] | z)``: a likelihood for each group of columns, all from one network.

    ``groups`` are likelihoods without a network of their own; the network's outputs are cut in the order of the groups,
    ``outputs_a_feature`` for each of a group's columns. Make one from the columns' kinds with `of_kinds`. Raises
    ValueError unless every column from 0 on belongs to one group, and where the network's outputs do not fit.

    >>> import jax
    >>> from iwax.nn import MLP
    >>> kinds = ("gaussian", ("categorical", 3), "gaussian", "poisson")
    >>> outputs = Columns.of_kinds(None, kinds).outputs
    >>> p = Columns.of_kinds(MLP(2, (8,), outputs, key=jax.random.key(0)), kinds)(jnp.zeros(2), key=jax.random.key(1))
    >>> outputs, p.mean.shape
    (8, (4,))
    """

    network: Any
    columns: tuple[tuple[int, ...], ...] = eqx.field(static=True)
    groups: tuple[Any, ...]

    def __check_init__(self) -> None:
        check_columns(self.columns, len(self.groups))

    @classmethod
    def of_kinds(cls, network: Any, kinds: Sequence[ColumnKind], *, floor: float = 0.0) -> "Columns":
        """One kind a column: a name of `COLUMN_KINDS`, or ``("categorical", classes)``; alike ones form a group.

        Groups stand in the order in which their kinds first appear. Scales that the network gives are at least
        ``floor``, but for a Student-t. Raises ValueError where a kind is unknown.
        """
        groups: dict[ColumnKind, list[int]] = {}
        for column, kind in enumerate(kinds):
            groups.setdefault(kind, []).append(column)
        return cls(network, tuple(map(tuple, groups.values())), tuple(_of_kind(kind, floor) for kind in groups))

    @property
    def outputs(self) -> int:
        """How many outputs the network must have."""
        return sum(self._sizes)

    @property
    def _sizes(self) -> list[int]:
        return [len(c) * group.outputs_a_feature for c, group in zip(self.columns, self.groups, strict=True)]

    @property
    def support(self) -> str:
        """The data that have a density, in words."""
        groups = [
            f"{group.support} in column{'s' * (len(columns) > 1)} {', '.join(map(str, columns[:_NAMED]))}"
            f"{' ...' * (len(columns) > _NAMED)}"
            for columns, group in zip(self.columns, self.groups, strict=True)
        ]
        return "; ".join(groups)

    def outside(self, values: np.ndarray) -> np.ndarray:
        """Which values have no density here, column by column.

        >>> Columns.of_kinds(None, ("bernoulli", "poisson")).outside(np.array([[2.0, 2.0], [1.0, 0.5]]))
        array([[ True, False],
               [False,  True]])
        """
        marked = np.zeros(values.shape, bool)
        for columns, group in zip(self.columns, self.groups, strict=True):
            marked[..., list(columns)] = group.outside(values[..., list(columns)])
        return marked

    def of_outputs(self, outputs: Array) -> distributions.Columns:
        """The distribution of a row, given what the network gives: the outputs of group after group."""
        if outputs.shape[-1] != self.outputs:
            raise ValueError(
                f"the network of a likelihood of {sum(map(len, self.columns))} columns of these kinds must give "
                f"{self.outputs} outputs, got {outputs.shape[-1]}"
            )
        cut = jnp.split(outputs, np.cumsum(self._sizes)[:-1], axis=-1)
        groups = tuple(group.of_outputs(part) for group, part in zip(self.groups, cut, strict=True))
        return distributions.Columns(self.columns, groups)

    def __call__(self, context: Any, given: Any = None, *, key: PRNGKey) -> distributions.Columns:
        """The distribution of a row at a latent."""
        return self.of_outputs(self.network(context, key=key))


def _of_kind(kind: ColumnKind, floor: float) -> Any:
    if isinstance(kind, str) and kind in COLUMN_KINDS:
        return COLUMN_KINDS[kind](floor)
    if isinstance(kind, tuple) and kind[0] == "categorical":
        return Categorical(None, kind[1])
    raise ValueError(
        f"a column's kind must be one of {', '.join(COLUMN_KINDS)}, or ('categorical', number of classes); got {kind!r}"
    )
