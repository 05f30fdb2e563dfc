"""Imports that load a module when it is first used, so that help, completion and refusals need not wait for JAX.

    with later():
        from iwax import inference  # nothing is loaded
    ...
    inference.embed(...)  # now it is

This is what Python 3.15 writes as ``lazy from iwax import inference`` (PEP 810).
"""

import importlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

__all__ = ["later", "load"]


class _Later(ModuleType):
    """Stands for a module, which is imported when a name of it is asked for; Python's own table of modules lacks it."""

    def __init__(self, name: str, finder: MetaPathFinder) -> None:
        super().__init__(name)
        self._finder = finder

    def __getattr__(self, name: str) -> Any:
        if self._finder in sys.meta_path:  # in the block, where `from package import module` asks for it first
            raise AttributeError(f"{self.__name__} is not loaded yet: name a module of it")
        return getattr(importlib.import_module(self.__name__), name)


class _Postponing(MetaPathFinder, Loader):
    """Finds what stands for every module that is not loaded."""

    def __init__(self) -> None:
        self.made: dict[str, ModuleType] = {}

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        return ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self.made.setdefault(spec.name, _Later(spec.name, self))

    def exec_module(self, module: ModuleType) -> None:
        pass


@contextmanager
def later() -> Iterator[None]:
    """Postpone the imports of this block where they name modules: ``import numpy as np``, ``from iwax import data``.

    >>> with later():
    ...     from xml.sax import expatreader
    >>> "xml.sax.expatreader" in sys.modules, expatreader.version, "xml.sax.expatreader" in sys.modules
    (False, '0.20', True)
    """
    finder = _Postponing()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name, module in finder.made.items():
            package, _, own = name.rpartition(".")
            del sys.modules[name]
            if package in sys.modules and vars(sys.modules[package]).get(own) is module:
                delattr(sys.modules[package], own)


def load(module: ModuleType) -> None:
    """Import what stands here for a module now."""
    importlib.import_module(module.__name__)
