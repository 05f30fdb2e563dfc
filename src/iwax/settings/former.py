"""Where settings are read: every form of a name, and the names of before, become the one dotted path of today."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

from pydantic import BaseModel

__all__ = ["FORMER", "Given", "paths", "tree"]

Given: TypeAlias = Mapping[str, tuple[str, Any]]  # by paths: the name that was used, and the value

# What a setting was called before parts had settings of their own, and what it is now. One of several names is that of
# every part chosen that has such a setting, and leaves alone what is given by its own name.
FORMER: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "model.channels": ("model.network.channels",),
        "model.kernel": ("model.network.kernel",),
        "model.stride": ("model.network.stride",),
        "model.variance": ("model.likelihood.variance",),
        "model.scale": ("model.likelihood.scale",),
        "model.prior_components": ("model.prior.components",),
        "model.prior_steps": ("model.prior.steps",),
        "model.pseudo_inputs": ("model.prior.pseudo_inputs",),
        "model.posterior_steps": ("model.posterior.steps",),
        "model.posterior_components": ("model.posterior.components", "model.posterior.planes"),
        "model.flow_hidden": ("model.posterior.hidden", "model.prior.hidden"),
        "model.sigma": ("model.stochastic_weights.sigma",),
        "model.sigma_floor": ("model.stochastic_weights.floor",),
        "model.uncertain": ("model.stochastic_weights",),
        "model.uncertain.of": ("model.stochastic_weights",),
        "model.uncertain.sigma": ("model.stochastic_weights.sigma",),
        "model.uncertain.floor": ("model.stochastic_weights.floor",),
        "model.attention": ("model.memory.attention",),
        "model.composition": ("model.memory.composition",),
        "objective.m": ("objective.bound.m", "objective.posterior_bound.m"),
        "objective.ciwae_beta": ("objective.bound.beta", "objective.posterior_bound.beta"),
        "objective.alpha": ("objective.bound.alpha", "objective.posterior_bound.alpha"),
        "objective.order": ("objective.bound.order", "objective.posterior_bound.order"),
        "objective.n": ("objective.bound.n", "objective.posterior_bound.n"),
        "objective.intervals": ("objective.bound.intervals", "objective.posterior_bound.intervals"),
        "objective.control_variate": ("objective.gradient.control_variate",),
        "objective.free_bits": ("objective.gradient.free_bits",),
    }
)


def paths(given: Mapping[str, Any], heads: Mapping[str, str]) -> dict[str, tuple[str, Any]]:
    """Settings by their paths, of which that of a part is its kind's: the name that was used, and the value.

    ``heads`` has the setting that stands for a part, by the part's path. Raises ValueError where one is given twice.

    >>> paths({"model": {"posterior": {"kind": "iaf"}, "posterior_steps": 5}}, {"model.posterior": "kind"})
    {'model.posterior': ('model.posterior', 'iaf'), 'model.posterior.steps': ('model.posterior_steps', 5)}
    """
    found: dict[str, tuple[str, Any]] = {}
    named = [pair for name, value in given.items() for pair in _named(name, value, heads)]
    for name, value in sorted(named, key=lambda pair: len(FORMER.get(pair[0], ()))):
        for path in FORMER.get(name, (name,)):
            if path in found and len(FORMER.get(name, ())) < 2:
                both = dict.fromkeys((found[path][0], name))
                raise ValueError(f"needs every key once, got {' and '.join(both)}{' twice' * (len(both) == 1)}")
            found.setdefault(path, (name, value))
    return found


def _named(name: str, value: Any, heads: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    """What is inside a section or a part, each by its own name."""
    part = name.rpartition(".")[0]
    if isinstance(value, Mapping | BaseModel) and ("." not in name or FORMER.get(name, (name,))[0] in heads):
        for key, each in dict(value).items():
            yield from _named(f"{name}.{key}", each, heads)
    else:
        yield (part if part in heads and name == f"{part}.{heads[part]}" else name), value


def tree(values: Mapping[str, Any], heads: Mapping[str, str]) -> dict[str, Any]:
    """The nested form of settings by their paths.

    >>> tree({"seed": 3, "model.posterior": "iaf", "model.posterior.steps": 5}, {"model.posterior": "kind"})
    {'seed': 3, 'model': {'posterior': {'kind': 'iaf', 'steps': 5}}}
    """
    found: dict[str, Any] = {}
    for path, value in values.items():
        *above, name = (*path.split("."), heads[path]) if path in heads else path.split(".")
        inner = found
        for each in above:
            inner = inner.setdefault(each, {})
        inner[name] = value
    return found
