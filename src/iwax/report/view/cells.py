"""Rows of a table as text."""

import numpy as np

from iwax.data import encoding
from iwax.report.view.run_view import RunView

__all__ = ["MOST_COLUMNS", "cells", "column_note"]

MOST_COLUMNS = 24  # that are shown


def column_note(view: RunView) -> str:
    """A sentence where a table has more columns than are shown; else nothing."""
    n = view.run.about.features
    return f" Shown are the first {MOST_COLUMNS} of {n} columns." if n > MOST_COLUMNS else ""


def cells(view: RunView, rows: np.ndarray) -> list[list[str]]:
    """Cells as their owner writes them, of the first columns; empty where one is missing."""
    if view.run.about.columns is None:
        return [[_short(value) for value in row[:MOST_COLUMNS]] for row in rows]
    whole = np.array([column.whole for column in view.run.about.columns])
    decoded = encoding.decode(view.run.about.columns, np.where(whole, np.round(rows), rows))[:MOST_COLUMNS]
    return [[_short(column[i]) for column in decoded] for i in range(len(rows))]


def _short(value: object) -> str:
    if value is None or (isinstance(value, float | np.floating) and np.isnan(value)):
        return ""
    return f"{value:.4g}".replace("-", "\N{MINUS SIGN}") if isinstance(value, float | np.floating) else str(value)
