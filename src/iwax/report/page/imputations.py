"""What a model makes of what it is not shown: hidden pixels, or the missing cells of a table."""

import numpy as np

from iwax import inference
from iwax.report.figures.canvas import several
from iwax.report.view import RunView
from iwax.report.view.cells import MOST_COLUMNS, cells, column_note
from iwax.report.view.mosaic import strips
from iwax.report.view.panel import Panel, gathered, table

__all__ = ["imputations"]

IMAGES, ROWS, K, ITERATIONS = 10, 8, 500, 20


def imputations(view: RunView) -> list[Panel]:
    """Images with their lower half hidden and filled in; or rows of a table with missing cells."""
    return gathered((lambda: _pixels(view)) if view.run.about.images else (lambda: _cells(view)))


def _pixels(view: RunView) -> Panel | None:
    """Hidden pixels: filled in."""
    rows = view.whole[:IMAGES]
    if not len(rows):
        return None
    x = view.x[rows].astype(np.float32)
    hidden = np.zeros(view.run.shape, bool)
    hidden[view.run.shape[0] // 2 :] = True
    given = np.where(hidden.reshape(-1), np.nan, x)
    trained_on_missing = bool(view.run.config.model.mask)
    found = inference.impute(
        view.run.model, given, k=K, key=view.key, iterations=0 if trained_on_missing else ITERATIONS
    )
    shown = {"data": x, "given": np.where(np.isnan(given), np.mean(view.span), given), "filled in": found.values}
    error = float(np.mean((found.values[:, hidden.reshape(-1)] - x[:, hidden.reshape(-1)]) ** 2))
    words = (
        f"The lower half is hidden and filled with E[x_missing | x_observed] from k = {K} importance samples, of which "
        f"{found.ess_median or 0:.0f} count in the median row. Mean squared error of a hidden pixel: {error:.3f}."
    )
    return Panel("Hidden pixels filled in", strips(view, shown), words)


def _cells(view: RunView) -> Panel | None:
    """Missing cells: filled in."""
    holed = np.setdiff1d(np.arange(len(view.x)), view.whole)[:ROWS]
    if not len(holed):
        return None
    x = view.x[holed]
    found = inference.impute(view.run.model, x, k=K, key=view.key)
    names = view.run.about.names
    marked = {(i, j + 1) for i, j in np.argwhere(found.missing[:, :MOST_COLUMNS]).tolist()}
    rows = [[str(number), *cells] for number, cells in zip(holed + 1, cells(view, found.values), strict=True)]
    words = (
        f"The first {several(len(x), 'row')} with missing cells. Marked cells were missing and hold "
        f"E[x_missing | x_observed] from k = {K} importance samples, or the most probable class; the others are as "
        f"given. {view.row_numbers}{column_note(view)}"
    )
    return Panel(
        "Missing cells filled in", table(["row", *names[:MOST_COLUMNS]], rows, marked=marked), words, wide=True
    )
