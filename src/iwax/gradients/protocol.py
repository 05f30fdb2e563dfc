"""What is ascended, what training asks of it, and objectives that are made of others."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from jaxtyping import Array

from iwax._typing import AnyArray, PerDatum, PRNGKey, Scalar
from iwax.model import LatentVariableModel
from iwax.parts import Datum
from iwax.printed import printed

__all__ = ["AbstractObjective", "Beta", "Penalty", "Rows", "Surrogate", "WithPenalties", "Wrapper", "less"]

Beta: TypeAlias = Scalar | float
Rows: TypeAlias = Datum | AnyArray
Penalty: TypeAlias = Callable[[LatentVariableModel, PRNGKey, Datum], Array]  # nats per data point, or one for all


@printed()
class Surrogate(NamedTuple):
    """What is differentiated (``value``, [batch]; its value means nothing) and the bound itself ([batch], nats).

    ``control`` is the control variate's state after these data; None where it has none.
    """

    value: PerDatum
    bound: PerDatum
    control: Any = None


class AbstractObjective:
    """A function of the model whose gradient is ascended, and what training asks of it; a subclass writes `ascend`.

    ``k`` is the number of draws per data point, by which training chooses how many rows it takes at once (None: it is
    not known, and all rows of a batch are taken together); ``whole_batch`` says that the value of a row depends on the
    other rows of its batch.
    """

    k: int | None = None
    whole_batch: bool = False

    def init(self) -> Any:
        """The state of the control variate before the first step; None where there is none."""
        return None

    def decoded(self, model: LatentVariableModel, x: Datum) -> int | None:
        """The number of latents that are decoded for each data point of x; None if it is not known.

        It is k, unless a draw is more than one latent. Nothing is computed.
        """
        return self.k

    def __call__(
        self, model: LatentVariableModel, key: PRNGKey, x: Rows, *, beta: Beta = 1.0, control: Any = None
    ) -> Surrogate:
        """The surrogate and the bound of every row of x, and the state of the control variate after them.

        ``control`` is its state before them, ``init()`` at first.
        """
        return self.ascend(model, key, x, beta, control)

    def ascend(self, model: LatentVariableModel, key: PRNGKey, x: Rows, beta: Beta, control: Any) -> Surrogate:
        """What `__call__` gives."""
        raise NotImplementedError(f"{type(self).__name__} needs the method ascend(model, key, x, beta, control)")


@dataclass(frozen=True)
class Wrapper(AbstractObjective):
    """An objective made of another: its draws and its control variate are that one's."""

    objective: AbstractObjective

    @property
    def k(self) -> int | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        """That of the objective inside."""
        return self.objective.k

    @property
    def whole_batch(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """That of the objective inside."""
        return self.objective.whole_batch

    def init(self) -> Any:
        """That of the objective inside."""
        return self.objective.init()

    def decoded(self, model: LatentVariableModel, x: Datum) -> int | None:
        """That of the objective inside."""
        return self.objective.decoded(model, x)


@dataclass(frozen=True)
class WithPenalties(Wrapper):
    """An objective less penalties, which are no part of log w: the bound that is reported stays the objective's."""

    penalties: tuple[Penalty, ...]

    def ascend(self, model: LatentVariableModel, key: PRNGKey, x: Rows, beta: Beta, control: Any) -> Surrogate:
        found = self.objective(model, key, x, beta=beta, control=control)
        return less(found, self.penalties, model, key, x)


def less(
    found: Surrogate, penalties: tuple[Penalty, ...], model: LatentVariableModel, key: PRNGKey, x: Any
) -> Surrogate:
    """The surrogate with every penalty taken off its value."""
    for penalty in penalties:
        found = found._replace(value=found.value - penalty(model, key, x))
    return found
