"""What a model has learned, to look at: draws from it, and data through it and back."""

import numpy as np
from markupsafe import Markup

from iwax import inference
from iwax.data import Column
from iwax.report import figures
from iwax.report.figures.canvas import several
from iwax.report.figures.marginals import marginal
from iwax.report.view import RunView
from iwax.report.view.cells import MOST_COLUMNS, cells, column_note
from iwax.report.view.mosaic import mosaic, strips
from iwax.report.view.panel import Panel, gathered, table

__all__ = ["draws"]

DRAWS, ACROSS, PAIRS, K = 60, 10, 10, 50
ROWS, SHOWN = 1000, 8  # of tables: draws for histograms, and rows
STRIPS = {"posterior": "through the mean of q(z|x)", "resample": f"through q_IW(z|x), k = {K}"}


def draws(view: RunView) -> list[Panel]:
    """Samples, and reconstructions by q(z|x) and by the importance-weighted posterior."""
    if view.run.about.images:
        return gathered(lambda: _samples(view), lambda: _reconstructions(view))
    if view.run.about.features == 2 and view.run.about.columns is None:
        return gathered(lambda: _points(view))
    return gathered(lambda: _marginals(view), lambda: _drawn_rows(view))


def _samples(view: RunView) -> Panel:
    drawn = inference.generate(view.run.model, DRAWS, key=view.key).mean
    alt = f"{DRAWS} images in {DRAWS // ACROSS} rows of {ACROSS}: the means of p(x|z) at draws of z from the prior."
    words = "z is drawn from the prior p(z); shown is the mean of p(x|z). They should look like the data, and differ."
    return Panel("New images", mosaic(drawn, view.run.shape, across=ACROSS, span=view.span, alt=alt), words)


def _reconstructions(view: RunView) -> Panel | None:
    rows = view.whole[:PAIRS]
    if not len(rows):
        return None
    x = view.x[rows]
    made: dict[str, np.ndarray] = {f"{view.split} data": x}
    for method, name in STRIPS.items():
        made[name] = inference.reconstruct(view.run.model, x, key=view.key, method=method, k=K)  # type: ignore[arg-type]
    words = (
        f"Each image goes to a z and back: shown is the mean of p(x|z). In the last line z is resampled from {K} draws "
        "of q(z|x) by importance weight: the posterior that the IWAE bound stands for."
    )
    return Panel("Data through the model and back", strips(view, made), words)


def _points(view: RunView) -> Panel:
    x = view.x[view.whole][:ROWS].astype(np.float64)
    drawn = inference.generate(view.run.model, len(x), key=view.key).sample
    words = f"{several(len(x), 'point')} of the {view.split} data, and as many draws of x from the model."
    return Panel("Data and draws", figures.scatter(x, drawn), words)


def _marginals(view: RunView) -> Panel:
    """Every column: histograms of the data and of draws over each other."""
    drawn = inference.generate(view.run.model, ROWS, key=view.key).sample
    columns = view.run.about.columns or tuple(Column(name, "continuous") for name in view.run.about.names)
    parts = [
        marginal(column, {f"{view.split} rows": view.x[:, j], "draws": drawn[:, j]})
        for j, column in enumerate(columns[:MOST_COLUMNS])
    ]
    words = (
        f"Each column of the {view.split} data next to {several(ROWS, 'row')} drawn from the model; draws beyond "
        "the data's range count at its ends. If the model is right, both have the same shape in every column."
    )
    words += column_note(view)
    body = Markup('<div class="small">{0}</div>').format(Markup("").join(parts))
    return Panel("Columns of the data and of draws", body, words, wide=True)


def _drawn_rows(view: RunView) -> Panel:
    """New rows: drawn from the model."""
    drawn = inference.generate(view.run.model, SHOWN, key=view.key).sample
    names = view.run.about.names[:MOST_COLUMNS]
    body = table(names, cells(view, drawn), numeric=0)
    words = f"z is drawn from the prior p(z), and x from p(x|z).{column_note(view)}"
    return Panel("New rows", body, words, wide=True)
