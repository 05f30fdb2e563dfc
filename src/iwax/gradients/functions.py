"""Plain functions as objectives, and the form that objectives had before they were values."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from iwax import samplers
from iwax._typing import PRNGKey
from iwax.gradients.closed_form import ClosedFormKL, closed_form_kl
from iwax.gradients.estimators import Estimator
from iwax.gradients.objective import Objective
from iwax.gradients.protocol import AbstractObjective, Beta, Rows, Surrogate
from iwax.model import LatentVariableModel

__all__ = ["AnyObjective", "Function", "as_objective", "surrogate"]

AnyObjective: TypeAlias = AbstractObjective | Callable[..., Surrogate]  # function(model, key, x, beta=beta)


@dataclass(frozen=True)
class Function(AbstractObjective):
    """``function(model, key, x, beta=beta)`` as an objective, with no k and no control variate that are known.

    Raises ValueError where the function returns the state of a control variate that it was not given.
    """

    function: Callable[..., Surrogate]

    def __call__(
        self, model: LatentVariableModel, key: PRNGKey, x: Rows, *, beta: Beta | None = None, control: Any = None
    ) -> Surrogate:
        given = {name: value for name, value in (("beta", beta), ("control", control)) if value is not None}
        found = self.function(model, key, x, **given)
        if found.control is not None and control is None:
            raise ValueError(
                "the objective returns the state of a control variate, which is lost with a plain function: "
                "give a gradients.Objective, or a subclass of gradients.AbstractObjective with init()"
            )
        return found


def as_objective(objective: AnyObjective) -> AbstractObjective:
    """Return an objective as it is, and a function of (model, key, x, beta=) as one.

    A ``partial`` of `surrogate` or `closed_form_kl`, as objectives once were, is read as the value that it stands for,
    with a DeprecationWarning. Raises TypeError for what cannot be called.

    >>> as_objective(lambda model, key, x, beta: Surrogate(model, model)).k is None
    True
    """
    if isinstance(objective, AbstractObjective):
        return objective
    if not callable(objective):
        raise TypeError(
            "an objective needs to be a gradients.Objective or a function (model, key, x, beta=) -> gradients."
            f"Surrogate, got {objective!r}"
        )
    return _of_partial(objective) or Function(objective)


def _of_partial(function: Callable[..., Surrogate]) -> AbstractObjective | None:
    if not isinstance(function, partial) or function.args:
        return None
    given = {name: value for name, value in function.keywords.items() if name not in ("beta", "control")}
    if function.func is surrogate:
        _warn("partial(gradients.surrogate, k=k, estimator=estimator)", "gradients.Objective(estimator, k)", 4)
        return _objective(**given)
    if function.func is closed_form_kl:
        _warn("partial(gradients.closed_form_kl, k=k)", "gradients.closed_form_kl(k=k)", 4)
        return ClosedFormKL(**given)
    return None


def surrogate(
    model: LatentVariableModel,
    key: PRNGKey,
    x: Rows,
    *,
    k: int,
    estimator: Estimator,
    beta: Beta = 1.0,
    backward: int | None = None,
    chunk: int | None = None,
    control: Any = None,
    mixture: bool = False,
) -> Surrogate:
    """``Objective(estimator, k)(model, key, x)``, as it was written before objectives were values: deprecated."""
    _warn("gradients.surrogate(model, key, x, k=k, estimator=estimator)", "Objective(estimator, k)(model, key, x)", 3)
    objective = _objective(k=k, estimator=estimator, backward=backward, chunk=chunk, mixture=mixture)
    return objective(model, key, x, beta=beta, control=control)


def _objective(
    *, k: int, estimator: Estimator, backward: int | None = None, chunk: int | None = None, mixture: bool = False
) -> Objective:
    sampler = samplers.mixture if mixture else samplers.independent
    return Objective(estimator, k, sampler=sampler, backward=backward, chunk=chunk)


def _warn(old: str, new: str, level: int) -> None:
    warnings.warn(f"{old} is deprecated: write {new}", DeprecationWarning, stacklevel=level)
