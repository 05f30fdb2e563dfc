"""Docstrings as they are written here, made ready for Sphinx.

Values with a docstring below them, such as `bounds.iwae`, are documented where their package offers them; ``|x|``,
``n_iter_`` and ``[k, *batch]`` are no markup; methods that scikit-learn adds to every estimator are left to its pages.
"""

import importlib
import pkgutil
import re
from typing import Any

from sphinx.application import Sphinx
from sphinx.errors import PycodeError
from sphinx.pycode import ModuleAnalyzer

LITERAL = re.compile(r"(``.*?``|`[^`]+`_?)")
REQUEST = re.compile(r"set_\w+_request|get_metadata_routing")


def described(package: str, name: str) -> list[str]:
    """The docstring that stands below ``name = ...`` in a module of the package; empty where there is none."""
    for module in pkgutil.iter_modules(getattr(importlib.import_module(package), "__path__", [])):
        try:
            found = ModuleAnalyzer.for_module(f"{package}.{module.name}").find_attr_docs()
        except PycodeError:
            continue
        if ("", name) in found:
            return found["", name]
    return []


def skip(app: Sphinx, what: str, name: str, value: Any, skipped: bool, options: Any) -> bool | None:
    """Keep values whose docstring autodoc seeks in the package's own file; drop what every estimator has."""
    if REQUEST.fullmatch(name):
        return True
    package = app.env.ref_context.get("py:module") or app.env.current_document.autodoc_module
    if what == "module" and skipped and package and not name.startswith("_") and described(package, name):
        return False
    return None


def plain(line: str) -> str:
    """A line in which bars, and stars and underscores that open nothing, are themselves."""
    if line.lstrip().startswith((">>>", "..")):
        return line
    parts = LITERAL.split(line)
    lone = sum(part.count("*") for part in parts[::2]) % 2
    for i in range(0, len(parts), 2):
        part = re.sub(r"(?<=\w)_(?!\w)", r"\\_", parts[i].replace("|", "\\|"))
        parts[i] = part.replace("*", "\\*") if lone else part
    return "".join(parts)


def prepare(app: Sphinx, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    """Put a value's docstring in the place of that of its class, and take accidental markup out."""
    package, _, short = name.rpartition(".")
    if what == "data":
        lines[:] = described(package, short) or lines
    lines[:] = [plain(line) for line in lines]


def setup(app: Sphinx) -> dict[str, bool]:
    """Listen to autodoc, after napoleon."""
    app.connect("autodoc-skip-member", skip)
    app.connect("autodoc-process-docstring", prepare, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
