"""iwax: deep latent-variable models with importance-weighted bounds, in JAX.

The modules are loaded when they are first named, so that ``import iwax`` makes no array and loads no library.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # for editors and type checkers, which cannot follow `__getattr__`
    from iwax import (
        batched,
        bijections,
        bounds,
        control_variates,
        data,
        distributions,
        evaluation,
        experiments,
        families,
        gradients,
        inference,
        likelihoods,
        model,
        nn,
        numerics,
        parts,
        posteriors,
        priors,
        report,
        samplers,
        sklearn,
        storage,
        supports,
        threefry,
        training,
        weights,
    )
    from iwax.experiments import open_run
    from iwax.parts import Datum
    from iwax.storage import load, save

__version__ = "0.1.0"

_NAMES = {  # of one thing each, by the module that has it
    "Datum": "iwax.parts",
    "load": "iwax.storage",
    "open_run": "iwax.experiments",
    "save": "iwax.storage",
}

__all__ = [
    "Datum",
    "__version__",
    "batched",
    "bijections",
    "bounds",
    "control_variates",
    "data",
    "distributions",
    "evaluation",
    "experiments",
    "families",
    "gradients",
    "inference",
    "likelihoods",
    "load",
    "model",
    "nn",
    "numerics",
    "open_run",
    "parts",
    "posteriors",
    "priors",
    "report",
    "samplers",
    "save",
    "sklearn",
    "storage",
    "supports",
    "threefry",
    "training",
    "weights",
]


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(_NAMES[name]), name)
    if name in __all__:
        return importlib.import_module(f"iwax.{name}")
    raise AttributeError(f"iwax has no {name!r}; it has {', '.join(each for each in __all__ if each[0] != '_')}")


def __dir__() -> list[str]:
    return sorted(__all__)
