"""What a model has learned, to look at: draws from it, and data through it and back."""

import numpy as np
from markupsafe import Markup

from iwax import inference
from iwax.data import Column, encoding
from iwax.report import figures
from iwax.report.figures.marginals import marginal
from iwax.report.page.mosaic import mosaic
from iwax.report.page.panel import Panel, bands, gathered, table
from iwax.report.page.subject import Subject
from iwax.report.page.words import several

__all__ = ["MOST_COLUMNS", "first_of", "learned", "written"]

DRAWS, ACROSS, PAIRS, K = 60, 10, 10, 50
ROWS, MOST_COLUMNS, SHOWN = 1000, 24, 8  # of tables: draws for histograms, columns, rows
STRIPS = {"posterior": "through the mean of q(z|x)", "resample": f"through q_IW(z|x), k = {K}"}


def learned(subject: Subject) -> list[Panel]:
    """Samples, and reconstructions by q(z|x) and by the importance-weighted posterior."""
    if subject.pictures:
        return gathered(lambda: _samples(subject), lambda: _reconstructions(subject))
    if subject.features == 2 and subject.columns is None:
        return gathered(lambda: _points(subject))
    return gathered(lambda: _marginals(subject), lambda: _drawn_rows(subject))


def _samples(subject: Subject) -> Panel:
    drawn = inference.generate(subject.model, DRAWS, key=subject.key).mean
    alt = f"{DRAWS} images in {DRAWS // ACROSS} rows of {ACROSS}: the means of p(x|z) at draws of z from the prior."
    words = "z is drawn from the prior p(z); shown is the mean of p(x|z). They should look like the data, and differ."
    return Panel("New images", mosaic(drawn, subject.shape, across=ACROSS, span=subject.span, alt=alt), words)


def _reconstructions(subject: Subject) -> Panel | None:
    rows = subject.whole[:PAIRS]
    if not len(rows):
        return None
    x = subject.x[rows]
    made: dict[str, np.ndarray] = {f"{subject.split} data": x}
    for method, name in STRIPS.items():
        made[name] = inference.reconstruct(subject.model, x, key=subject.key, method=method, k=K)  # type: ignore[arg-type]
    strips = [
        (
            name,
            mosaic(values, subject.shape, across=len(x), span=subject.span, alt=f"{several(len(x), 'image')}: {name}."),
        )
        for name, values in made.items()
    ]
    words = (
        f"Each image goes to a z and back: shown is the mean of p(x|z). In the last line z is resampled from {K} draws "
        "of q(z|x) by importance weight: the posterior that the IWAE bound stands for."
    )
    return Panel("Data through the model and back", bands(strips), words)


def _points(subject: Subject) -> Panel:
    x = subject.x[subject.whole][:ROWS].astype(np.float64)
    drawn = inference.generate(subject.model, len(x), key=subject.key).sample
    words = f"{several(len(x), 'point')} of the {subject.split} data, and as many draws of x from the model."
    return Panel("Data and draws", figures.scatter(x, drawn), words)


def _names(subject: Subject) -> list[str]:
    if subject.columns is not None:
        return [column.name for column in subject.columns]
    return [f"x{j + 1}" for j in range(subject.features)]


def _marginals(subject: Subject) -> Panel:
    """Every column: histograms of the data and of draws over each other."""
    drawn = inference.generate(subject.model, ROWS, key=subject.key).sample
    columns = subject.columns or tuple(Column(name, "continuous") for name in _names(subject))
    parts = [
        marginal(column, {f"{subject.split} rows": subject.x[:, j], "draws": drawn[:, j]})
        for j, column in enumerate(columns[:MOST_COLUMNS])
    ]
    words = (
        f"Each column of the {subject.split} data next to {several(ROWS, 'row')} drawn from the model; draws beyond "
        "the data's range count at its ends. If the model is right, both have the same shape in every column."
    )
    words += first_of(subject)
    body = Markup('<div class="small">{0}</div>').format(Markup("").join(parts))
    return Panel("Columns of the data and of draws", body, words, wide=True)


def _drawn_rows(subject: Subject) -> Panel:
    """New rows: drawn from the model."""
    drawn = inference.generate(subject.model, SHOWN, key=subject.key).sample
    names = _names(subject)[:MOST_COLUMNS]
    body = table(names, written(subject, drawn), numeric=0)
    words = f"z is drawn from the prior p(z), and x from p(x|z).{first_of(subject)}"
    return Panel("New rows", body, words, wide=True)


def first_of(subject: Subject) -> str:
    """A sentence where a table has more columns than are shown; else nothing."""
    n = subject.features
    return f" Shown are the first {MOST_COLUMNS} of {n} columns." if n > MOST_COLUMNS else ""


def written(subject: Subject, rows: np.ndarray) -> list[list[str]]:
    """Cells as their owner writes them, of the first columns; empty where one is missing."""
    if subject.columns is None:
        return [[_short(value) for value in row[:MOST_COLUMNS]] for row in rows]
    whole = np.array([column.whole for column in subject.columns])
    decoded = encoding.decode(subject.columns, np.where(whole, np.round(rows), rows))[:MOST_COLUMNS]
    return [[_short(column[i]) for column in decoded] for i in range(len(rows))]


def _short(value: object) -> str:
    if value is None or (isinstance(value, float | np.floating) and np.isnan(value)):
        return ""
    return f"{value:.4g}".replace("-", "\N{MINUS SIGN}") if isinstance(value, float | np.floating) else str(value)
