"""JSON as records and manifests need it: one way to write a value, and nothing read that it did not mean."""

import json
import math
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

Scalar = None | bool | int | float | str
_WORD = 1 << 63


def scalar(name: str, value: object) -> Scalar:
    """The plain JSON scalar of `value`; NaN and the infinities, which JSON has not, become None.

    Raises TypeError for anything that is no number, string, bool or None (0-d arrays count as numbers), ValueError for
    whole numbers beyond 64 bits.

    >>> scalar("bound", np.float32(0.5)), scalar("bound", float("nan"))
    (0.5, None)
    """
    if isinstance(value, np.generic | np.ndarray | jax.Array) and np.shape(value) == ():
        value = np.asarray(value).item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, int) and not -_WORD <= value < _WORD:
        raise ValueError(f"{name} must fit 64 bits, got {value.bit_length()} bits")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"{name} must be a number, a string, a bool or None, got {type(value).__name__}")


def scalars(row: Mapping[str, object]) -> dict[str, Scalar]:
    """`row` with each value made a plain JSON scalar; TypeError names the key that cannot be."""
    for name in row:
        if not isinstance(name, str):
            raise TypeError(f"keys must be strings, got {name!r}")
    return {name: scalar(name, value) for name, value in row.items()}


def finite(value: Any) -> Any:
    """The same value with NaN and the infinities, which JSON has not, as None; tuples as lists.

    >>> finite({"ess": float("nan"), "n": [1, 2.5]})
    {'ess': None, 'n': [1, 2.5]}
    """
    if isinstance(value, dict):
        return {str(name): finite(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def canonical(value: object) -> bytes:
    """The one JSON text of `value`: sorted keys, two spaces, a final newline, ASCII; floats by `repr`, exactly.

    >>> canonical({"b": 1, "a": 0.1})
    b'{\\n  "a": 0.1,\\n  "b": 1\\n}\\n'
    """
    return (json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n").encode("ascii")


def compact(value: object) -> str:
    """The JSON text of `value` on one line, keys in the order given, ASCII; floats by `repr`, exactly.

    >>> compact({"b": [1, 0.1]})
    '{"b":[1,0.1]}'
    """
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def line(row: Mapping[str, object]) -> bytes:
    r"""One row of a `.jsonl` file, keys in the order given, non-finite numbers as null.

    >>> line({"step": 3, "bound": float("inf")})
    b'{"step": 3, "bound": null}\n'
    """
    return (json.dumps(scalars(row), allow_nan=False) + "\n").encode("ascii")


def parse(data: bytes) -> dict[str, Any]:
    """The JSON object in `data`. ValueError for all else: other values, repeated keys, NaN, 1e999, nested too deeply.

    >>> parse(b'{"step": 3}')
    {'step': 3}
    """
    try:
        value = json.loads(
            data.decode(),
            object_pairs_hook=_unrepeated,
            parse_constant=_number,
            parse_float=_number,
            parse_int=_whole_number,
        )
    except RecursionError:
        raise ValueError("JSON nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError(f"a JSON {type(value).__name__} where an object was needed")
    return value


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        raise ValueError("a JSON key given twice")
    return result


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]}, which is no finite number")
    return value


def _whole_number(text: str) -> int:
    if len(text) > 20 or not -_WORD <= int(text) < _WORD:
        raise ValueError(f"{text[:20]}, which does not fit 64 bits")
    return int(text)
