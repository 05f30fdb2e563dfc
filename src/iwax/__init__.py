"""iwax: deep latent-variable models with importance-weighted bounds, in JAX.

The modules are loaded when they are first named, so that ``import iwax`` makes no array and loads no library.
"""

import importlib
from types import ModuleType

__version__ = "0.1.0"

_MODULES = (
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
)

__all__ = ["__version__", *_MODULES]


def __getattr__(name: str) -> ModuleType:
    if name in _MODULES:
        return importlib.import_module(f"iwax.{name}")
    raise AttributeError(f"iwax has no module {name!r}; it has {', '.join(_MODULES)}")


def __dir__() -> list[str]:
    return sorted(__all__)
