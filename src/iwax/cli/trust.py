"""Warnings of rows whose importance weights do not show the error of what was made of them."""

from typing import TYPE_CHECKING, Any

from iwax.cli.terminal import Terminal

if TYPE_CHECKING:
    import numpy as np

__all__ = ["numbered", "unsure", "warn"]

_MORE = 10  # times as many draws are suggested


def numbered(marks: "np.ndarray") -> list[int]:
    """The numbers of the marked rows, counted from 1.

    >>> import numpy as np
    >>> numbered(np.array([False, True]))
    [2]
    """
    return [row + 1 for row in range(len(marks)) if marks[row]]


def warn(terminal: Terminal, found: Any, k: int) -> dict[str, Any]:
    """Warn of the rows whose error is unknown, with what to type; what a document has of the weights of every row."""
    for warning in found.warnings(first=1):
        terminal.warn(f"{warning}: --k {_MORE * k}")
    return {"ess": found.ess.tolist(), "khat": found.pareto_k.tolist(), "unknown": numbered(found.unknown)}


def unsure(unknown: list[int]) -> str:
    """An end for a summary line: of how many rows the error is unknown.

    >>> unsure([]), unsure([3])
    ('', '; error unknown for 1 row')
    """
    return f"; error unknown for {len(unknown):,} row{'s' * (len(unknown) > 1)}" if unknown else ""
