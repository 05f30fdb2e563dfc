"""The parts that a file may name: iwax's own, from a fixed list. A name is looked up here, and never imported."""

from types import MappingProxyType, ModuleType
from typing import Any

import equinox as eqx

from iwax import bijections, distributions, families, likelihoods, model, nn, posteriors, priors
from iwax.posteriors.coupling import Conditioned
from iwax.posteriors.householder import Normals
from iwax.posteriors.linear_iaf import ConvexCombination, Triangle
from iwax.posteriors.planar import Planes, Shells
from iwax.posteriors.sylvester import Sylvesters

__all__ = ["NAMES", "PARTS"]

_MODULES: tuple[ModuleType, ...] = (bijections, distributions, families, likelihoods, model, nn, posteriors, priors)
_INNER = (Conditioned, ConvexCombination, Normals, Planes, Shells, Sylvesters, Triangle)  # what posteriors are made of


def _parts() -> dict[str, type]:
    found: dict[str, type] = {f"posteriors.{part.__name__}": part for part in _INNER}
    for module in _MODULES:
        for name in module.__all__:
            value: Any = getattr(module, name)
            if isinstance(value, type) and issubclass(value, eqx.Module):
                found[f"{module.__name__.removeprefix('iwax.')}.{value.__name__}"] = value
    layers = {f"equinox.{layer.__name__}": layer for layer in (eqx.nn.Conv2d, eqx.nn.ConvTranspose2d)}
    return {**found, **layers, "nn.Conv": nn.Conv}


PARTS = MappingProxyType(_parts())
NAMES = MappingProxyType({part: name for name, part in PARTS.items()})
