"""Public names of an earlier release, which still work, with a warning."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["former_names"]


def former_names(module: str, names: Mapping[str, str], contents: Mapping[str, Any]) -> Callable[[str], Any]:
    """Return a module-level ``__getattr__``, by which each former name gives what has its new name in ``contents``.

    It warns with a DeprecationWarning, and raises AttributeError for any other name.

    >>> give = former_names("iwax.bounds", {"iwae_bound": "iwae"}, {"iwae": 1})
    >>> with warnings.catch_warnings(record=True) as heard:
    ...     warnings.simplefilter("always")
    ...     give("iwae_bound"), str(heard[0].message)
    (1, 'iwax.bounds.iwae_bound is now iwax.bounds.iwae')
    """

    def give(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        warnings.warn(f"{module}.{name} is now {module}.{names[name]}", DeprecationWarning, stacklevel=2)
        return contents[names[name]]

    return give
