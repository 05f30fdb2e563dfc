"""iwax: deep latent-variable models with importance-weighted bounds, in JAX.

The modules are loaded when they are first named, so that ``import iwax`` makes no array and loads no library.
"""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # for editors and type checkers, which cannot follow `__getattr__`
    from iwax import (
        bounds,
        data,
        distributions,
        evaluation,
        experiments,
        gradients,
        inference,
        likelihoods,
        model,
        nn,
        posteriors,
        priors,
        report,
        training,
    )

__version__ = "0.1.0"

__all__ = [
    "__version__",
    "bounds",
    "data",
    "distributions",
    "evaluation",
    "experiments",
    "gradients",
    "inference",
    "likelihoods",
    "model",
    "nn",
    "posteriors",
    "priors",
    "report",
    "training",
]


def __getattr__(name: str) -> ModuleType:
    if name in __all__:
        return importlib.import_module(f"iwax.{name}")
    raise AttributeError(f"iwax has no module {name!r}; it has {', '.join(__all__[1:])}")


def __dir__() -> list[str]:
    return sorted(__all__)
