"""Whether to believe the number: log p(x) row by row, the rows a model finds hard, and its importance weights."""

import numpy as np
from markupsafe import Markup

from iwax.report.figures.canvas import number, several
from iwax.report.figures.histograms import Mark, histogram
from iwax.report.page.verdict import RULE, range_of
from iwax.report.view import RunView
from iwax.report.view.cells import MOST_COLUMNS, cells, column_note
from iwax.report.view.mosaic import strips
from iwax.report.view.panel import Panel, gathered, table
from iwax.settings import build

__all__ = ["independent", "others", "trust"]

EXTREMES = 10  # rows of the highest and of the lowest log p(x)
TRUSTED_K_HAT = 0.7


def trust(view: RunView) -> list[Panel]:
    """Nothing without a measurement."""
    if view.measurement is None:
        return []
    return gathered(lambda: _log_evidence(view), lambda: _extremes(view), lambda: _pareto(view), lambda: _ess(view))


def _column(view: RunView, name: str) -> np.ndarray:
    return view.measurement.columns[name].astype(np.float64) if view.measurement else np.empty(0)


def _log_evidence(view: RunView) -> Panel:
    values = _column(view, "log_evidence")
    mean = float(values.mean())
    words = f"log p(x) of {several(len(values), view.run.about.noun)}: {range_of(values)}, mean {number(mean)} nats."
    drawing = histogram(
        {view.run.about.noun: values},
        name="log p(x), nats",
        description=words,
        mark=Mark(mean, f"mean {number(mean)}"),
        of=f"{view.run.about.noun}s",
    )
    return Panel(
        "log p(x) row by row",
        drawing,
        f"{words} A long tail to the left is {view.run.about.noun}s that the model cannot explain"
        f"{'' if not np.isnan(view.x).any() else ', but rows with fewer missing cells lie there too'}.",
    )


def _comparable(view: RunView, values: np.ndarray, numbers: np.ndarray) -> tuple[np.ndarray, str]:
    """Places of the rows from high to low, and in words which: log p(x) of fewer values is no measure of how easy."""
    order, whole = np.argsort(-values, kind="stable"), np.isin(numbers, view.whole)
    if whole.all():
        return order, ""
    if whole.sum() < 2 * EXTREMES:
        return order, " log p(x) rises with every cell that is missing: emptier rows come first."
    return order[whole[order]], f" Rows without a missing cell are compared, {int(whole.sum()):,} of them."


def _extremes(view: RunView) -> Panel | None:
    values, numbers = _column(view, "log_evidence"), _column(view, "rows").astype(int)
    order, compared = _comparable(view, values, numbers)
    best, worst = order[:EXTREMES], order[::-1][:EXTREMES]
    shown = {"highest log p(x)": best, "lowest log p(x)": worst}
    words = (
        f"Highest: {number(float(values[best[0]]))} (row {numbers[best[0]] + 1}); "
        f"lowest: {number(float(values[worst[0]]))} (row {numbers[worst[0]] + 1}). {view.row_numbers}{compared}"
    )
    if not view.run.about.images:
        lines = [
            [name if i == rows[0] else "", str(numbers[i] + 1), number(float(values[i])), *row]
            for name, rows in shown.items()
            for i, row in zip(rows[:5], cells(view, view.x[numbers[rows[:5]]]), strict=True)
        ]
        headers = ["", "row", "log p(x)", *view.run.about.names[:MOST_COLUMNS]]
        return Panel("The easiest and the hardest rows", table(headers, lines), words + column_note(view), wide=True)
    whole = np.nan_to_num(view.x.astype(np.float64), nan=float(np.mean(view.span)))
    named = {
        f"{name}: rows {', '.join(map(str, numbers[rows] + 1))}": whole[numbers[rows]] for name, rows in shown.items()
    }
    return Panel("The easiest and the hardest images", strips(view, named), words)


def _pareto(view: RunView) -> Panel:
    values = _column(view, "pareto_k")
    known = values[np.isfinite(values)]
    if not len(known):
        text = Markup('<p class="absent">Unknown: too few importance samples to fit a tail.</p>')
        return Panel("Pareto k̂ of the importance weights", text, RULE)
    share = float((known > TRUSTED_K_HAT).mean())
    words = f"{100 * share:.1f} % of {several(len(known), view.run.about.noun)} lie above 0.7."
    drawing = histogram(
        {"": known},
        name="Pareto k̂",
        description=words,
        mark=Mark(TRUSTED_K_HAT, "0.7: not to be trusted above"),
        of=f"{view.run.about.noun}s",
    )
    return Panel("Pareto k̂ of the importance weights", drawing, f"{words} {RULE}")


def _ess(view: RunView) -> Panel:
    values, k = _column(view, "ess"), view.measurement.summary["k"] if view.measurement else 0
    words = f"Of k = {k:,} importance samples per {view.run.about.noun}, this many count: {range_of(values)}."
    drawing = histogram(
        {"": values},
        name="effective sample size",
        description=words,
        on_log_axis=True,
        mark=Mark(10.0, "10 samples"),
        of=f"{view.run.about.noun}s",
    )
    return Panel("Effective sample size", drawing, f"{words} Below 10, log p(x) rests on a handful of them.")


def independent(view: RunView) -> float | None:
    """Mean log p(x) of the measured rows under independent binary values with the training means; None of other data.

    Half a 0 and half a 1 are added to the training rows, so that no value is impossible.
    """
    if view.measurement is None or view.run.about.kind != "binary" or view.run.dataset().missing:
        return None
    rows = build.values(view.run.config, view.run.dataset(), "train")
    ones = rows.sum(axis=0, dtype=np.float64) / (255.0 if view.run.dataset().binarize_training else 1.0)
    p = (ones + 0.5) / (len(rows) + 1.0)
    x = view.x[_column(view, "rows").astype(int)].astype(np.float64)
    return float((x @ np.log(p) + (1.0 - x) @ np.log1p(-p)).mean())


def others(view: RunView) -> Markup:
    """All measurements of a run as a table; nothing where there are none."""
    if not view.measurements:
        return Markup("")
    rows = [
        [
            summary["method"],
            summary["split"],
            f"{summary['n']:,}",
            f"{summary['k']:,}" if summary.get("k") else "",
            "not finite" if summary["log_evidence"] is None else number(summary["log_evidence"]),
            "" if summary["standard_error"] is None else f"{summary['standard_error']:.2f}",
            summary["checkpoint"],
        ]
        for _, summary in view.measurements
    ]
    headers = ["method", "split", "rows", "k", "log p(x), nats", "±", "checkpoint"]
    return table(headers, rows, numeric=2)
