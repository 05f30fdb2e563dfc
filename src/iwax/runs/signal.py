"""The signal-to-noise ratio of a run's gradients against k, for its own objective and for others."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from iwax import evaluation
from iwax._typing import PRNGKey
from iwax.gradients import AbstractObjective
from iwax.model import LatentVariableModel
from iwax.runs.reporter import Reporter
from iwax.settings.former import FORMER
from iwax.settings.named import named_today, validated
from iwax.settings.objective import Objective, build_objective
from iwax.settings.parted import owners, parts_of
from iwax.settings.parts.bounds import Miwae

__all__ = ["name_of", "parameters_of", "signal_curve", "variants"]

Curve = dict[str, Any]
_BOUNDS = parts_of(Objective)["bound"]
_PARAMETERS = dict.fromkeys(name for kind in _BOUNDS for name in kind.model_fields if name != kind.HEAD)


def variants(
    own: Objective, bounds: Sequence[str], gradients: Sequence[str], parameters: Mapping[str, Any]
) -> list[Objective]:
    """The run's objective, or every one of the bounds with every one of the gradients; what is not named is the run's.

    A bound's parameter (m, alpha, order ...) is looked for among ``parameters``, then in the run's objective. Raises
    ValueError for a name that there is not, a parameter that is missing, or a gradient that a bound cannot serve.

    >>> [each.gradient.kind for each in variants(Objective(), [], ["pathwise", "wake"], {})]
    ['pathwise', 'wake']
    """
    if not (bounds or gradients):
        return [own]
    found = []
    for bound in bounds or [own.bound.kind]:
        known = {**dict(own.bound), **parameters}
        its = (name for name in _PARAMETERS if bound in owners(Objective, f"bound.{name}"))
        named = {name: known[name] for name in its if name in known}
        for gradient in gradients or [own.gradient.kind]:
            estimator = own.gradient if gradient == own.gradient.kind else gradient
            k = 60 * (named["m"] if bound == "miwae" and "m" in named else 1)
            found.append(_validated({"bound": {"kind": bound} | named, "gradient": estimator, "k": k}))
    return found


def _validated(settings: Mapping[str, Any]) -> Objective:
    """An objective of these settings. ValueError in one line."""
    return validated(named_today({"objective": settings}, "the objective"), {}).objective


def parameters_of(sets: Sequence[str]) -> dict[str, Any]:
    """The parameters of bounds in words such as ``objective.bound.m=5``. ValueError for other words.

    >>> parameters_of(["objective.bound.m=5", "objective.alpha=0.5"])
    {'m': 5, 'alpha': 0.5}
    """
    found = {}
    for text in sets:
        key, equals, value = text.partition("=")
        path = FORMER.get(f"objective.{key.strip().removeprefix('objective.')}", (key.strip(),))[0]
        name = path.rpartition(".")[2]
        if not equals or name not in _PARAMETERS:
            known = ", ".join(f"objective.bound.{each}" for each in _PARAMETERS)
            raise ValueError(f"--set {text}: needs KEY=VALUE with a parameter of a bound, one of {known}")
        try:
            found[name] = json.loads(value)
        except ValueError as error:
            raise ValueError(f"--set {text}: needs a number for {path}, got {value!r}") from error
    return found


def name_of(settings: Objective) -> str:
    """An objective in a few words.

    >>> name_of(Objective(bound={"kind": "jackknife", "order": 1}, gradient="doubly_reparameterized"))
    'jackknife order=1, doubly reparameterized'
    """
    return f"{settings.of_posterior}, {str(settings.gradient).replace('_', ' ')}"


def signal_curve(
    model: LatentVariableModel,
    x: np.ndarray,
    settings: Objective,
    *,
    ks: Sequence[int],
    repeats: int,
    key: PRNGKey,
    reporter: Reporter,
    rows: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Curve:
    """An objective's signal-to-noise ratio at each k, by group of parameters: lists of equal length, for JSON.

    ``rows`` are those that the KL divergence of random weights is shared by (None: those of x). The k of a miwae bound
    are those of each of its groups times their number. A k that the objective cannot serve is left out, with a note;
    ValueError where none is left.
    """
    times = max([bound.m for bound in (settings.bound, settings.of_posterior) if isinstance(bound, Miwae)], default=1)
    found: list[tuple[int, evaluation.SignalToNoise]] = []
    for i, k in enumerate(times * k for k in ks):
        try:
            objective = _objective(settings, k, x.shape[1], len(x) if rows is None else rows, key)
            each = evaluation.gradient_signal_to_noise(model, x, objective, repeats=repeats, key=key)
        except ValueError as error:
            if k == times * ks[-1] and not found:
                raise
            reporter.note(f"{name_of(settings)}: left out k={k}: {error}")
        else:
            found.append((k, each))
        if progress is not None:
            progress(i + 1, len(ks))
    groups = found[0][1].groups
    return {
        "name": name_of(settings),
        "bound": settings.bound.kind,
        "gradient": settings.gradient.kind,
        "k": [k for k, _ in found],
        "floor": found[0][1].floor,
        "groups": {group: _lists([each.groups[group] for _, each in found], found[0][1].floor) for group in groups},
        "tensors": {name: [each.tensors[name].rms for _, each in found] for name in found[0][1].tensors},
    }


def _objective(settings: Objective, k: int, features: int, rows: int, key: PRNGKey) -> AbstractObjective:
    """The objective at another k."""
    chosen = _validated(dict(settings) | {"k": k})
    return build_objective(chosen, features, rows=rows, key=jax.random.fold_in(key, k))


def _lists(signals: list[evaluation.GroupSignal], floor: float) -> dict[str, Any]:
    """Where a ratio cannot be distinguished from zero, no upper end below the floor of these repeats is claimed."""
    names = ("parameters", "ratio", "ratio_error", "square", "square_error", "rms")
    found: dict[str, Any] = {name: [getattr(signal, name) for signal in signals] for name in names}
    ends = [signal.rms_interval for signal in signals]
    return found | {
        "low": [low for low, _ in ends],
        "high": [high if low > 0 else max(high, floor) for low, high in ends],
    }
