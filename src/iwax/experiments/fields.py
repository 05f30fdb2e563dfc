"""How a setting is declared: bounded, and described in the words of its error message."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["LARGEST_K", "Section", "integer", "number"]

LARGEST_K = 10_000_000


def integer(default: int | None, low: int, high: int, meaning: str) -> Any:
    """A bounded integer; the description doubles as the error text."""
    also = ", or null" if default is None else ""
    text = f"an integer from {low} to {high}{also} ({meaning})"
    return Field(default=default, ge=low, le=high, description=text)


def number(
    default: float | None,
    text: str,
    *,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
) -> Any:
    """A bounded, finite number; the description doubles as the error text."""
    return Field(default=default, description=text, ge=ge, gt=gt, le=le, lt=lt, allow_inf_nan=False)


class Section(BaseModel):
    """A frozen group of settings that knows its keys and admits no other."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
