"""The summary of a measurement, read back: every value of the type that a measurement writes."""

from pathlib import Path
from typing import Any

from iwax.storage import strict_json
from iwax.storage.checkpoint import CorruptCheckpointError

__all__ = ["parse"]

_TYPES = {"a number": (int, float), "a whole number": (int,), "a text": (str,), "null": (type(None),)}
_NAMES = {  # what is needed, under which names
    "a number or null": (
        *("log_evidence", "standard_error", "elbo", "elbo_standard_error", "monte_carlo_error", "bits_per_dim"),
        *("ess_median", "pareto_k_over_0_7", "missing", "seconds"),
    ),
    "a whole number": ("n", "seed", "evaluation_seed"),
    "a whole number or null": ("k",),
    "a text": ("method", "dataset", "checkpoint", "origin"),
    "a text or null": ("split", "preset", "name", "start", "data_sha256", "precision"),
    "a list of texts": ("warnings",),
    "a list of whole numbers": ("shape",),
    "a list of whole numbers or null": ("active_units", "units"),
}
_NEEDED = {name: needed for needed, names in _NAMES.items() for name in names}


def _is(value: object, needed: str) -> bool:
    if needed.startswith("a list of "):
        return isinstance(value, list) and all(_is(each, f"a {needed[10:-1]}") for each in value)
    return type(value) in _TYPES[needed]


def parse(data: bytes, *, path: Path) -> dict[str, Any]:
    """The summary in the bytes of a file. CorruptCheckpointError names file and line of what is wrong.

    >>> parse(b'{"n": 3}', path=Path("a.json"))
    {'n': 3}
    """
    try:
        summary = strict_json.parse(data)
    except ValueError as error:
        raise CorruptCheckpointError(path, None, "the summary of a measurement", str(error)) from error
    counts = summary.get("method", "importance") == "importance"  # units, as no other method does
    for name, value in summary.items():
        needed = _NEEDED.get(name)
        if counts and needed and needed == _NEEDED["units"]:
            needed = needed.removesuffix(" or null")
        if needed and not any(_is(value, each) for each in needed.split(" or ")):
            place = f"{path}:{_line(data, name)}"
            raise CorruptCheckpointError(place, None, f"{needed} under {name!r}", f"{value!r:.60}")
    return summary


def _line(data: bytes, name: str) -> int:
    """The number of the line, from 1, on which a key of the outermost object stands."""
    lines = data.decode().splitlines()
    return next((i for i, line in enumerate(lines, start=1) if line.startswith(f'  "{name}":')), 1)
