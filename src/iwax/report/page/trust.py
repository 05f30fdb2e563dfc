"""Whether to believe the number: log p(x) row by row, the rows a model finds hard, and its importance weights."""

import numpy as np
from markupsafe import Markup

from iwax.report.figures.canvas import number
from iwax.report.figures.histograms import Mark, histogram
from iwax.report.page.learned import MOST_COLUMNS, first_of, written
from iwax.report.page.mosaic import mosaic
from iwax.report.page.panel import Panel, bands, gathered, table
from iwax.report.page.subject import Subject
from iwax.report.page.words import RULE, range_of, several
from iwax.settings import build

__all__ = ["independent", "others", "trust"]

EXTREMES = 10  # rows of the highest and of the lowest log p(x)
TRUSTED_K_HAT = 0.7


def trust(subject: Subject) -> list[Panel]:
    """Nothing without a measurement."""
    if subject.measured is None:
        return []
    return gathered(
        lambda: _log_evidence(subject), lambda: _extremes(subject), lambda: _pareto(subject), lambda: _ess(subject)
    )


def _column(subject: Subject, name: str) -> np.ndarray:
    return subject.measured.columns[name].astype(np.float64) if subject.measured else np.empty(0)


def _log_evidence(subject: Subject) -> Panel:
    values = _column(subject, "log_evidence")
    mean = float(values.mean())
    words = f"log p(x) of {several(len(values), subject.row)}: {range_of(values)}, mean {number(mean)} nats."
    drawing = histogram(
        {subject.row: values},
        name="log p(x), nats",
        description=words,
        mark=Mark(mean, f"mean {number(mean)}"),
        of=f"{subject.row}s",
    )
    return Panel(
        "log p(x) row by row",
        drawing,
        f"{words} A long tail to the left is {subject.row}s that the model cannot explain"
        f"{'' if not np.isnan(subject.x).any() else ', but rows with fewer missing cells lie there too'}.",
    )


def _comparable(subject: Subject, values: np.ndarray, numbers: np.ndarray) -> tuple[np.ndarray, str]:
    """Places of the rows from high to low, and in words which: log p(x) of fewer values is no measure of how easy."""
    order, whole = np.argsort(-values, kind="stable"), np.isin(numbers, subject.whole)
    if whole.all():
        return order, ""
    if whole.sum() < 2 * EXTREMES:
        return order, " log p(x) rises with every cell that is missing: emptier rows come first."
    return order[whole[order]], f" {several(int(whole.sum()), subject.row)} without a missing cell are compared."


def _extremes(subject: Subject) -> Panel | None:
    values, numbers = _column(subject, "log_evidence"), _column(subject, "rows").astype(int)
    order, compared = _comparable(subject, values, numbers)
    best, worst = order[:EXTREMES], order[::-1][:EXTREMES]
    shown = {"highest log p(x)": best, "lowest log p(x)": worst}
    words = (
        f"Highest: {number(float(values[best[0]]))} (row {numbers[best[0]]}); "
        f"lowest: {number(float(values[worst[0]]))} (row {numbers[worst[0]]}). Rows count from 0.{compared}"
    )
    if not subject.pictures:
        cells = [
            [name if i == rows[0] else "", str(numbers[i]), number(float(values[i])), *row]
            for name, rows in shown.items()
            for i, row in zip(rows[:5], written(subject, subject.x[numbers[rows[:5]]]), strict=True)
        ]
        names = [c.name for c in subject.columns or ()] or [f"x{j + 1}" for j in range(subject.features)]
        headers = ["", "row", "log p(x)", *names[:MOST_COLUMNS]]
        return Panel("The easiest and the hardest rows", table(headers, cells), words + first_of(subject), wide=True)
    filled = np.nan_to_num(subject.x.astype(np.float64), nan=float(np.mean(subject.span)))
    strips = [
        (
            name,
            mosaic(
                filled[numbers[rows]],
                subject.shape,
                across=len(rows),
                span=subject.span,
                alt=f"{several(len(rows), 'image')} of {name}: rows {', '.join(map(str, numbers[rows]))}.",
            ),
        )
        for name, rows in shown.items()
    ]
    return Panel("The easiest and the hardest images", bands(strips), words)


def _pareto(subject: Subject) -> Panel:
    values = _column(subject, "pareto_k")
    known = values[np.isfinite(values)]
    if not len(known):
        text = Markup('<p class="absent">Unknown: too few importance samples to fit a tail.</p>')
        return Panel("Pareto k̂ of the importance weights", text, RULE)
    share = float((known > TRUSTED_K_HAT).mean())
    words = f"{100 * share:.1f} % of {several(len(known), subject.row)} lie above 0.7."
    drawing = histogram(
        {"": known},
        name="Pareto k̂",
        description=words,
        mark=Mark(TRUSTED_K_HAT, "0.7: not to be trusted above"),
        of=f"{subject.row}s",
    )
    return Panel("Pareto k̂ of the importance weights", drawing, f"{words} {RULE}")


def _ess(subject: Subject) -> Panel:
    values, k = _column(subject, "ess"), subject.measured.summary["k"] if subject.measured else 0
    words = f"Of k = {k:,} importance samples for each {subject.row} so many count: {range_of(values)}."
    drawing = histogram(
        {"": values},
        name="effective sample size",
        description=words,
        on_log_axis=True,
        mark=Mark(10.0, "10 samples"),
        of=f"{subject.row}s",
    )
    return Panel("Effective sample size", drawing, f"{words} Below 10, log p(x) rests on a handful of them.")


def independent(subject: Subject) -> float | None:
    """Mean log p(x) of the measured rows under independent binary values with the training means; None of other data.

    Half a 0 and half a 1 are added to the training rows, so that no value is impossible.
    """
    if subject.measured is None or subject.trained.about.kind != "binary" or subject.dataset.missing:
        return None
    rows = build.values(subject.trained.config, subject.dataset, "train")
    ones = rows.sum(axis=0, dtype=np.float64) / (255.0 if subject.dataset.binarize_training else 1.0)
    p = (ones + 0.5) / (len(rows) + 1.0)
    x = subject.x[_column(subject, "rows").astype(int)].astype(np.float64)
    return float((x @ np.log(p) + (1.0 - x) @ np.log1p(-p)).mean())


def others(subject: Subject) -> Markup:
    """All measurements of a run as a table; nothing where there are none."""
    if not subject.summaries:
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
        for _, summary in subject.summaries
    ]
    headers = ["method", "split", "rows", "k", "log p(x), nats", "±", "checkpoint"]
    return table(headers, rows, numeric=2)
