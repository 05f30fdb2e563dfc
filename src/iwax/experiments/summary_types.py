"""The summary of a measurement, read back: every value of the type that a measurement writes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from iwax.training import strict_json
from iwax.training.checkpoint import CorruptCheckpointError

__all__ = ["parse"]


def _is_number(value: object) -> bool:
    return type(value) in (int, float)


def _is_whole(value: object) -> bool:
    return type(value) is int


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _list_of(kind: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, list) and all(map(kind, value))


def _or_null(kind: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: value is None or kind(value)


_NUMBERS = ("log_evidence", "standard_error", "elbo", "elbo_standard_error", "monte_carlo_error", "bits_per_dim")
_NUMBERS = (*_NUMBERS, "ess_median", "pareto_k_over_0_7", "missing", "seconds")
_COUNTS = ("active_units", "units")  # which importance sampling always knows, and the other methods do not
_RULES: dict[str, tuple[Callable[[object], bool], str]] = (
    dict.fromkeys(_NUMBERS, (_or_null(_is_number), "a number or null"))
    | dict.fromkeys(("n", "seed", "evaluation_seed"), (_is_whole, "a whole number"))
    | {"k": (_or_null(_is_whole), "a whole number or null")}
    | dict.fromkeys(("method", "dataset", "checkpoint"), (_is_text, "a text"))
    | dict.fromkeys(
        ("split", "preset", "name", "start", "data_sha256", "precision"), (_or_null(_is_text), "a text or null")
    )
    | {"warnings": (_list_of(_is_text), "a list of texts")}
    | {"shape": (_list_of(_is_whole), "a list of whole numbers")}
    | dict.fromkeys(_COUNTS, (_or_null(_list_of(_is_whole)), "a list of whole numbers or null"))
)


def parse(data: bytes, *, path: Path) -> dict[str, Any]:
    """The summary in the bytes of a file. CorruptCheckpointError names file and line of what is wrong.

    >>> parse(b'{"n": 3}', path=Path("a.json"))
    {'n': 3}
    """
    try:
        summary = strict_json.parse(data)
    except ValueError as error:
        raise CorruptCheckpointError(path, None, "the summary of a measurement", str(error)) from error
    for name, value in summary.items():
        holds, needed = _RULES.get(name, (lambda value: True, ""))
        counted = value is not None or name not in _COUNTS or summary.get("method", "importance") != "importance"
        if not (holds(value) and counted):
            place = f"{path}:{_line(data, name)}"
            raise CorruptCheckpointError(place, None, f"{needed} under {name!r}", f"{value!r:.60}")
    return summary


def _line(data: bytes, name: str) -> int:
    """The number of the line, from 1, on which a key of the outermost object stands."""
    lines = data.decode().splitlines()
    return next((i for i, line in enumerate(lines, start=1) if line.startswith(f'  "{name}":')), 1)
