"""Objectives made of others."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from jaxtyping import Array

from iwax._typing import PRNGKey
from iwax.gradients.objective import Surrogate
from iwax.model import LatentVariableModel
from iwax.parts import Datum

__all__ = ["Objective", "known_as", "penalised"]

Objective: TypeAlias = Callable[..., Surrogate]  # objective(model, key, x, **settings)
Cost: TypeAlias = Callable[[LatentVariableModel, PRNGKey, Datum], Array]  # of every datum, or one for all


def known_as(objective: Objective, wrapped: Objective) -> Objective:
    """The wrapped objective with the settings of the one inside it: training asks for its k and control variate.

    >>> known_as(partial(print, k=5), print).keywords
    {'k': 5}
    """
    return partial(wrapped, **objective.keywords) if isinstance(objective, partial) else wrapped


def penalised(objective: Objective, cost: Cost) -> Objective:
    """The objective less a cost that is no part of log w: the bound that is reported stays one."""

    def _less(model: LatentVariableModel, key: PRNGKey, x: Datum, **given: Any) -> Surrogate:
        found = objective(model, key, x, **given)
        return found._replace(value=found.value - cost(model, key, x))

    return known_as(objective, _less)
