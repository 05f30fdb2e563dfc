"""iwax: deep latent-variable models with importance-weighted bounds, in JAX.

The modules are loaded when they are first named, so that ``import iwax`` makes no array and loads no library.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # for editors and type checkers, which cannot follow `__getattr__`
    from iwax import (
        batched,
        bijections,
        blocks,
        bounds,
        control_variates,
        data,
        distributions,
        evaluation,
        families,
        gradients,
        inference,
        likelihoods,
        model,
        model_files,
        nn,
        numerics,
        parts,
        posteriors,
        priors,
        report,
        runs,
        samplers,
        settings,
        sklearn,
        storage,
        supports,
        threefry,
        training,
        weights,
    )
    from iwax.model_files import load, save
    from iwax.parts import Datum
    from iwax.runs import open_run

__version__ = "0.1.0"

_NAMES = {  # of one thing each, by the module that has it
    "Datum": "iwax.parts",
    "load": "iwax.model_files",
    "open_run": "iwax.runs",
    "save": "iwax.model_files",
}

__all__ = [
    "Datum",
    "__version__",
    "batched",
    "bijections",
    "blocks",
    "bounds",
    "control_variates",
    "data",
    "distributions",
    "evaluation",
    "families",
    "gradients",
    "inference",
    "likelihoods",
    "load",
    "model",
    "model_files",
    "nn",
    "numerics",
    "open_run",
    "parts",
    "posteriors",
    "priors",
    "report",
    "runs",
    "samplers",
    "save",
    "settings",
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
    if name in (*__all__, "experiments"):  # a former name, whose names warn
        return importlib.import_module(f"iwax.{name}")
    raise AttributeError(f"iwax has no {name!r}; it has {', '.join(each for each in __all__ if each[0] != '_')}")


def __dir__() -> list[str]:
    return sorted(__all__)
