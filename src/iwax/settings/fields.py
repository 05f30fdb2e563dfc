"""How a setting is declared: bounded, and described in the words of its error message."""

import difflib
import json
import re
from types import EllipsisType
from typing import Annotated, Any, TypeAlias, get_args

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "LARGEST_DEPTH",
    "LARGEST_K",
    "LARGEST_LAYER",
    "LARGEST_STEPS",
    "Section",
    "Units",
    "Widths",
    "complaint",
    "integer",
    "number",
    "one_of",
    "short",
]

_NULL = re.compile(r",? or null( \([^()]*\))?$")
_LAST = re.compile(r"^((?:\w+, )*\w+), (\w+)$")  # words alone
LARGEST_K = 10_000_000
LARGEST_LAYER = 65_536
LARGEST_DEPTH = 64
LARGEST_STEPS = 1_000

Units: TypeAlias = Annotated[int, Field(ge=1, le=LARGEST_LAYER)]
Widths: TypeAlias = Annotated[tuple[Units, ...], Field(max_length=LARGEST_DEPTH)]


def integer(default: int | EllipsisType | None, low: int, high: int, meaning: str) -> Any:
    """A bounded integer, which `...` as the default asks for; the description doubles as the error text."""
    also = ", or null" if default is None else ""
    text = f"an integer from {low} to {high}{also} ({meaning})"
    return Field(default=default, ge=low, le=high, description=text)


def number(
    default: float | EllipsisType | None,
    text: str,
    *,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
) -> Any:
    """A bounded, finite number; the description doubles as the error text."""
    return Field(default=default, description=text, ge=ge, gt=gt, le=le, lt=lt, allow_inf_nan=False)


def one_of(choices: object, or_null: str = "") -> str:
    """The description of a setting that is one of the words of a Literal, or null, which stands for ``or_null``."""
    return f"one of {', '.join(get_args(choices))}{f', or null ({or_null})' if or_null else ''}"


class Section(BaseModel):
    """A frozen group of settings that knows its keys and admits no other."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def complaint(key: str, where: str, needed: str, got: object, *, meant: str | None = None) -> str:
    """What a key needs and what it got, in one line, with the word that may have been meant.

    An option, which cannot be given null, is not offered it.

    >>> complaint("objective.bound", "--set", "one of elbo, iwae", "iwea")
    'objective.bound (from --set): needs one of elbo, iwae, got "iwea"; did you mean iwae?'
    >>> complaint("--device", "", "cpu, gpu, or null (what JAX finds)", "tpu")
    '--device: needs cpu or gpu, got "tpu"; did you mean gpu?'
    """
    source = f" (from {where})" if where else ""
    if key.startswith("--"):
        needed = _NULL.sub("", needed)
        needed = _LAST.sub(r"\1 or \2", needed)
    if meant is None and isinstance(got, str):
        meant = next(iter(difflib.get_close_matches(got, needed.replace(",", " ").split(), n=1)), None)
    hint = f"; did you mean {meant}?" if meant else ""
    return f"{key}{source}: needs {needed}, got {short(got)}{hint}"


def short(value: object) -> str:
    """A value as JSON, cut at 80 characters."""
    try:
        text = json.dumps(value, default=str)
    except (ValueError, RecursionError):  # an integer too long to print, a list too deep
        text = type(value).__name__
    return text if len(text) <= 80 else text[:77] + "..."
