"""What a model makes of what it is not shown: hidden pixels, or the missing cells of a table."""

import numpy as np

from iwax import inference
from iwax.report.page.learned import MOST_COLUMNS, first_of, written
from iwax.report.page.mosaic import mosaic
from iwax.report.page.panel import Panel, bands, gathered, table
from iwax.report.page.subject import Subject
from iwax.report.page.words import several

__all__ = ["filled"]

IMAGES, ROWS, K, SWEEPS = 10, 8, 500, 20


def filled(subject: Subject) -> list[Panel]:
    """Images with their lower half hidden and filled in; or rows of a table with missing cells."""
    return gathered((lambda: _pixels(subject)) if subject.pictures else (lambda: _cells(subject)))


def _pixels(subject: Subject) -> Panel | None:
    """Hidden pixels: filled in."""
    rows = subject.whole[:IMAGES]
    if not len(rows):
        return None
    x = subject.x[rows].astype(np.float32)
    hidden = np.zeros(subject.shape, bool)
    hidden[subject.shape[0] // 2 :] = True
    given = np.where(hidden.reshape(-1), np.nan, x)
    taught = bool(subject.trained.config.model.mask)  # its encoder has seen holes
    found = inference.impute(subject.model, given, k=K, key=subject.key, iterations=0 if taught else SWEEPS)
    shown = {"data": x, "given": np.where(np.isnan(given), np.mean(subject.span), given), "filled in": found.values}
    strips = [
        (
            name,
            mosaic(values, subject.shape, across=len(x), span=subject.span, alt=f"{several(len(x), 'image')}: {name}."),
        )
        for name, values in shown.items()
    ]
    error = float(np.mean((found.values[:, hidden.reshape(-1)] - x[:, hidden.reshape(-1)]) ** 2))
    words = (
        f"The lower half is hidden and filled with E[x_missing | x_observed] from k = {K} importance samples, of which "
        f"{found.ess_median or 0:.0f} count in the median row. Mean squared error of a hidden pixel: {error:.3f}."
    )
    return Panel("Hidden pixels filled in", bands(strips), words)


def _cells(subject: Subject) -> Panel | None:
    """Missing cells: filled in."""
    holed = np.setdiff1d(np.arange(len(subject.x)), subject.whole)[:ROWS]
    if not len(holed):
        return None
    x = subject.x[holed]
    found = inference.impute(subject.model, x, k=K, key=subject.key)
    names = [column.name for column in subject.columns or ()] or [f"x{j + 1}" for j in range(subject.features)]
    marked = {(i, j + 1) for i, j in np.argwhere(found.missing[:, :MOST_COLUMNS]).tolist()}
    rows = [[str(number), *cells] for number, cells in zip(holed, written(subject, found.values), strict=True)]
    words = (
        f"The first {several(len(x), 'row')} with missing cells. Marked cells were missing and hold "
        f"E[x_missing | x_observed] from k = {K} importance samples, or the most probable class; the others are as "
        f"given.{first_of(subject)}"
    )
    return Panel(
        "Missing cells filled in", table(["row", *names[:MOST_COLUMNS]], rows, marked=marked), words, wide=True
    )
