"""A model in words and numbers: what it is made of, without its arrays; and a model of that description.

A node is a plain value (null, bool, whole number, number, string), or an object with one of the keys

    array, numpy      "float32[3,4]", an array whose values stand in the file under the name of its place
    tuple, list, dict
    part, own         the name of a part of iwax, or of a class of somebody else, and its "fields"
    number            "nan", "inf" or "-inf"
    other             the name of what cannot be written down, such as a function
"""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from iwax.model_files.table import NAMES, PARTS

__all__ = ["Unreadable", "arrays", "build", "describe", "difference", "owned"]

_DTYPES = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
_DTYPES = (*_DTYPES, "float16", "float32", "float64")
_KEYS = {"array", "numpy", "tuple", "list", "dict", "number", "other"}


class Unreadable(ValueError):
    """A description that says what no model can be: ``place`` in the model, what was needed and what was got."""

    def __init__(self, place: str, needed: str, got: str) -> None:
        super().__init__(f"{place or 'the model'} needs {needed}, got {got:.200}")


def describe(value: Any) -> Any:
    """The description of a model, or of anything made of parts, containers, arrays and plain values.

    >>> describe((1, "tanh", np.zeros(2)))
    {'tuple': [1, 'tanh', {'numpy': 'float64[2]'}]}
    """
    if isinstance(value, jax.Array | jax.ShapeDtypeStruct | np.ndarray | np.generic):
        kind = "array" if isinstance(value, jax.Array | jax.ShapeDtypeStruct) else "numpy"
        return {kind: f"{value.dtype.name}[{','.join(map(str, value.shape))}]"}
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int | float):
        return value if math.isfinite(value) else {"number": str(float(value))}
    if type(value) is dict and all(isinstance(name, str) for name in value):
        return {"dict": {name: describe(value[name]) for name in sorted(value)}}
    if type(value) in (tuple, list):
        return {type(value).__name__: [describe(each) for each in value]}
    fields = _fields(type(value))
    if fields is None:
        return {"other": getattr(value, "__qualname__", type(value).__qualname__)}
    inside = {name: describe(getattr(value, name, None)) for name in fields}
    known = NAMES.get(type(value))
    return {"own": type(value).__qualname__, "fields": inside} if known is None else {"part": known, "fields": inside}


def _fields(kind: type) -> list[str] | None:
    """The fields of a module, a data class or a named tuple; None for any other type."""
    if dataclasses.is_dataclass(kind):
        return [field.name for field in dataclasses.fields(kind)]
    return list(getattr(kind, "_fields", ())) or None if issubclass(kind, tuple) else None


def _inside(node: Any) -> list[tuple[str, Any]]:
    """The nodes directly below a node, with their places; none below a plain value."""
    if not isinstance(node, dict):
        return []
    below = next((node[kind] for kind in ("tuple", "list", "dict", "fields") if kind in node), None)
    if isinstance(below, list):
        return [(str(i), each) for i, each in enumerate(below)]
    return list(below.items()) if isinstance(below, dict) else []


def _walk(node: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    yield place, node
    for name, below in _inside(node):
        inner = ".".join(part for part in (place, name) if part and part != "family")  # as `training.tensors` names it
        yield from _walk(below, inner)


def arrays(description: Any) -> dict[str, str]:
    """The arrays that a description has, by place.

    >>> arrays(describe({"w": np.zeros(2), "f": "tanh"}))
    {'w': 'float64[2]'}
    """
    found = [(place or "value", node) for place, node in _walk(description) if isinstance(node, dict)]
    return {place: node[kind] for place, node in found for kind in ("array", "numpy") if kind in node}


def owned(description: Any) -> tuple[str, str] | None:
    """The first place, and its type, that `build` cannot make: a class or function that is none of iwax's."""
    for place, node in _walk(description):
        if isinstance(node, dict) and ("own" in node or "other" in node):
            return place or "the model", node["own"] if "own" in node else node["other"]
    return None


def difference(stored: Any, given: Any, place: str = "") -> tuple[str, str, str] | None:
    """The first place at which two descriptions differ, and what each says there; None where they do not.

    >>> difference(describe((1, "tanh")), describe((1, "relu")))
    ('1', "'tanh'", "'relu'")
    """
    here = place or "the model"
    if _said(stored) != _said(given):
        return here, _said(stored), _said(given)
    below, other = dict(_inside(stored)), dict(_inside(given))
    if below.keys() != other.keys():
        return here, f"fields {', '.join(below)}", f"fields {', '.join(other)}"
    for name, node in below.items():
        found = difference(node, other[name], f"{place}.{name}" if place else name)
        if found is not None:
            return found
    return None


def _said(node: Any) -> str:
    """A node without what is below it, in words."""
    if not isinstance(node, dict):
        return repr(node)
    for kind in ("tuple", "list"):
        if kind in node:
            return f"a {kind} of {len(node[kind])}"
    words = [node[kind] for kind in ("part", "own", "array", "numpy", "number", "other") if kind in node]
    return str(words[0]) if words else "a dictionary"


def build(node: Any, place: str = "") -> Any:
    """The model of a description, with shapes (`jax.ShapeDtypeStruct`, arrays of no memory) in the place of arrays.

    Classes come from the fixed table alone, and are made as Equinox unflattens them, without running their
    ``__init__``. Raises Unreadable for what no model can be.
    """
    if node is None or isinstance(node, bool | int | float | str):
        return node
    if not isinstance(node, dict):
        raise Unreadable(place, "a plain value or an object", repr(node))
    if "part" in node:
        return _part(node, place)
    kind = next(iter(node), "")
    if len(node) != 1 or kind not in _KEYS:
        raise Unreadable(place, f"one of {', '.join(sorted(_KEYS))}, or part and fields", repr(sorted(node)))
    value = node[kind]
    if kind in ("array", "numpy"):
        shape, dtype = _shape(value, place)
        return jax.ShapeDtypeStruct(shape, dtype) if kind == "array" else np.broadcast_to(np.zeros((), dtype), shape)
    if kind in ("tuple", "list") and isinstance(value, list):
        items = [build(each, f"{place}.{i}" if place else str(i)) for i, each in enumerate(value)]
        return tuple(items) if kind == "tuple" else items
    if kind == "dict" and isinstance(value, dict):
        return {name: build(each, f"{place}.{name}" if place else name) for name, each in value.items()}
    if kind == "number" and value in ("nan", "inf", "-inf"):
        return float(value)
    raise Unreadable(place, f"a {kind}", repr(value))


def _part(node: dict[str, Any], place: str) -> Any:
    known = PARTS.get(node["part"]) if isinstance(node["part"], str) else None
    if known is None:
        raise Unreadable(place, "a part that this version of iwax has", repr(node["part"]))
    names, given = _fields(known) or [], node.get("fields")
    if set(node) != {"part", "fields"} or not isinstance(given, dict) or set(given) != set(names):
        got = ", ".join(given) if isinstance(given, dict) else "none"
        raise Unreadable(place, f"{node['part']} with the fields {', '.join(names)}", got)
    values = {name: build(given[name], f"{place}.{name}" if place else name) for name in names}
    if issubclass(known, tuple):
        return known(*values.values())
    part: Any = object.__new__(known)
    for name, value in values.items():
        object.__setattr__(part, name, value)
    return part


def _shape(text: Any, place: str) -> tuple[tuple[int, ...], np.dtype]:
    dtype, _, rest = text.partition("[") if isinstance(text, str) else ("", "", "")
    sizes = rest.removesuffix("]").split(",") if rest.endswith("]") and rest != "]" else []
    whole = all(size.isascii() and size.isdigit() and len(size) < 16 for size in sizes)
    if dtype not in _DTYPES or not (rest == "]" or sizes) or not whole:
        raise Unreadable(place, "a type and a shape such as float32[3,4]", repr(text))
    shape = tuple(map(int, sizes))
    if math.prod(shape) >= 1 << 48:
        raise Unreadable(place, "an array of fewer than 2^48 numbers", repr(text))
    return shape, np.dtype(dtype)
