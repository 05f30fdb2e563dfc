"""How a result prints: what it says, its numbers, and the names, types and shapes of its arrays."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import jax
import numpy as np

__all__ = ["printed", "with_error"]

T = TypeVar("T")

_SHORT = 60  # letters of a value that is written out
_FEW = 4  # values of a tuple that are written out


def printed(headline: Callable[[Any], str] | None = None) -> Callable[[type[T]], type[T]]:
    """Decorate a data class or a named tuple: ``repr`` is one line, whatever the size of its arrays.

    First comes the ``headline``, a function of the result, then its numbers and words, then its arrays.

    >>> @printed(lambda found: "mean=" + with_error(found.values.mean(), 0.5, "nats"))
    ... @dataclasses.dataclass
    ... class Found:
    ...     k: int
    ...     values: np.ndarray
    ...     error: np.ndarray
    >>> Found(5, np.zeros(3), np.ones(3))
    Found(mean=0.00 +/- 0.50 nats, k=5; float64[3] values, error)
    """

    def decorate(kind: type[T]) -> type[T]:
        def short(self: Any) -> str:
            return f"{type(self).__name__}({_inside(self, headline)})"

        kind.__repr__ = short  # type: ignore[method-assign,assignment]
        return kind

    return decorate


def with_error(value: float, error: float, unit: str = "") -> str:
    """A number with its standard error, if that is known, and its unit.

    >>> with_error(-22.0213, 0.2134, "nats"), with_error(0.5, float("nan"))
    ('-22.02 +/- 0.21 nats', '0.50')
    """
    known = "" if np.isnan(error) else f" +/- {error:.2f}"
    return f"{value:.2f}{known}{f' {unit}' * bool(unit)}"


def _inside(result: Any, headline: Callable[[Any], str] | None) -> str:
    record = dataclasses.is_dataclass(result)
    values = {each.name: vars(result)[each.name] for each in dataclasses.fields(result)} if record else result._asdict()
    first, arrays = [] if headline is None else [headline(result)], dict[str, list[str]]()
    for name, value in values.items():
        if _is_array(value):
            arrays.setdefault(_written(value), []).append(name)
        else:
            first.append(f"{name}={_written(value)}")
    return "; ".join([", ".join(first)] * bool(first) + [f"{kind} {', '.join(of)}" for kind, of in arrays.items()])


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray | jax.Array) and value.ndim > 0


def _written(value: Any) -> str:
    """A value in a few letters.

    >>> _written(0.123456), _written(np.zeros((2, 3))), _written((np.zeros(2), None)), _written(["a"] * 9)
    ('0.1235', 'float64[2, 3]', '(float64[2], None)', 'list of 9')
    >>> _written("words " * 20)
    "'words words words words words words words words words wor...'"
    """
    if _is_array(value):
        return f"{value.dtype}{list(value.shape)}"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, str) and len(value) > _SHORT:
        return repr(f"{value[: _SHORT - 3]}...")
    if type(value) is tuple and len(value) <= _FEW:
        return f"({', '.join(map(_written, value))}{',' * (len(value) == 1)})"
    if isinstance(value, list | tuple | Mapping) and len(value):
        return f"{type(value).__name__} of {len(value)}"
    text = repr(value)
    return text if len(text) <= _SHORT and "\n" not in text else f"{type(value).__name__}(...)"
