"""Imports that load a module when it is first used, so that help, completion and refusals need not wait for JAX.

    with later():
        from iwax import inference  # nothing is loaded
    ...
    inference.embed(...)  # now it is

This is what Python 3.15 writes as ``lazy from iwax import inference`` (PEP 810). In the block modules alone are named.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

__all__ = ["later", "load"]


class _Later(ModuleType):
    """A module that is executed when a name is asked for that it does not have yet."""

    def __getattr__(self, name: str) -> Any:
        if _FINDER in sys.meta_path:  # `from package import module` asks whether the package has it already
            raise AttributeError(f"module {self.__name__!r} has no {name!r} yet: name a module in a block of `later`")
        load(self)
        return getattr(self, name)


class _Postponed(Loader):
    """A loader that leaves the execution of a module to ``real`` and to later."""

    def __init__(self, real: Loader) -> None:
        self.real = real

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Later(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        pass


class _Finder(MetaPathFinder):
    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        found = (each.find_spec(name, path, target) for each in sys.meta_path if each is not self)
        spec = next((spec for spec in found if spec is not None), None)
        if spec is not None and spec.loader is not None:
            spec.loader = _Postponed(spec.loader)
        return spec


_FINDER = _Finder()


@contextmanager
def later() -> Iterator[None]:
    """Postpone the modules that are imported in this block, unless they are loaded already.

    >>> with later():
    ...     import this
    >>> type(this).__name__
    '_Later'
    """
    sys.meta_path.insert(0, _FINDER)
    try:
        yield
    finally:
        sys.meta_path.remove(_FINDER)


def load(module: ModuleType) -> None:
    """Execute a postponed module now, after the packages that it is in, as any import does."""
    parent = sys.modules.get(module.__name__.rpartition(".")[0])
    if parent is not None:
        load(parent)
    spec = module.__spec__
    if spec is None or not isinstance(spec.loader, _Postponed):
        return
    postponed, module.__class__ = spec.loader, ModuleType
    spec.loader = module.__loader__ = postponed.real
    try:
        postponed.real.exec_module(module)
    except BaseException:
        spec.loader, module.__class__ = postponed, _Later
        raise
