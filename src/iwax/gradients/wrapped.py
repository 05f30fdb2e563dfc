"""Objectives made of others."""

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from iwax.gradients.objective import Surrogate

__all__ = ["Objective", "known_as"]

Objective: TypeAlias = Callable[..., Surrogate]  # objective(model, key, x, **settings)


def known_as(objective: Objective, wrapped: Objective) -> Objective:
    """The wrapped objective with the settings of the one inside it: training asks for its k and control variate.

    >>> known_as(partial(print, k=5), print).keywords
    {'k': 5}
    """
    return partial(wrapped, **objective.keywords) if isinstance(objective, partial) else wrapped
