"""Several runs on one page: whether they can be, their paired differences, and their curves over each other."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup

from iwax.report.figures.canvas import number, several
from iwax.report.figures.curves import trainings
from iwax.report.figures.histograms import histogram
from iwax.report.view import RunView
from iwax.report.view.panel import Panel, table
from iwax.runs import comparison
from iwax.settings.naming import display_name

__all__ = ["Comparison", "refuse_unlike", "side_by_side"]


class Comparison(NamedTuple):
    """The table of runs, what it says, and the panels below it."""

    body: Markup
    caption: str
    panels: list[Panel]


def refuse_unlike(views: Sequence[RunView]) -> None:
    """Raise ValueError, naming both protocols, unless all runs are on the same data."""
    first = views[0]
    for other in views[1:]:
        ours, theirs = first.run.about, other.run.about
        if ours.sha256 != theirs.sha256:
            raise ValueError(
                f"runs on the same data are needed for one report; got {first.run.path} on {ours.name} "
                f"({ours.protocol}) and {other.run.path} on {theirs.name} ({theirs.protocol}); write a report of each"
            )


def side_by_side(views: Sequence[RunView]) -> Comparison:
    """The runs side by side; without measurements of the same rows, k and seed, a sentence says what lacks."""
    panels = [panel for panel in (_trainings(views), _over_each_other(views)) if panel is not None]
    try:
        found = comparison.compare([each.run.path for each in views], split=views[0].split)
    except ValueError as error:
        return Comparison(_alone(views), f"No paired differences: {error}.", panels)
    names = [each.run.name for each in views]
    rows = [_row(name, entry, first=i == 0) for i, (name, entry) in enumerate(zip(names, found["runs"], strict=True))]
    headers = ["run", "log p(x), nats", "difference", "ELBO", "active units", "seed", "preset"]
    words = (
        f"{several(found['n'], 'row')} of the {found['split']} data, k = {found['k']:,}, the same noise. A difference "
        "is the mean over rows of log p(x) of this run less that of the first, with its paired standard error: "
        "far smaller than the error of either run where both find the same rows hard."
    )
    for entry, name in zip(found["runs"][1:], names[1:], strict=True):
        changes = ", ".join(f"{key} = {'none' if value is None else value}" for key, value in entry["differs"].items())
        words += f" {name} differs from the first in {changes or 'its seed alone'}."
    for group in found["seeds"]:
        words += f" Seeds {', '.join(map(str, group['seeds']))} of {group['name']}: mean {number(group['mean'])}, "
        words += f"standard deviation {group['sd']:.2f} nats."
    for each in found["seed_differences"]:
        words += f" {comparison.over_seeds(found, each)}.".replace("+/-", "±").replace(": -", ": \N{MINUS SIGN}")
    return Comparison(table(headers, rows), words, panels)


def _row(name: str, entry: dict[str, Any], *, first: bool) -> list[str]:
    difference = "" if first else _plus_minus(entry["difference"], entry["difference_error"], signed=True)
    return [
        name,
        _plus_minus(entry["log_evidence"], entry["standard_error"]),
        difference,
        number(entry["elbo"]),
        " + ".join(map(str, entry["active_units"])),
        str(entry["seed"]),
        entry["name"],
    ]


def _plus_minus(value: float, error: float, *, signed: bool = False) -> str:
    text = f"{value:+.3f}" if signed else f"{value:.2f}"
    spread = "unknown" if not np.isfinite(error) else f"{error:.3f}" if signed else f"{error:.2f}"
    return f"{text} ± {spread}".replace("-", "\N{MINUS SIGN}")


def _alone(views: Sequence[RunView]) -> Markup:
    rows = []
    for each in views:
        found = each.measurement.summary if each.measurement else {"log_evidence": None}
        value = "not measured"
        if found["log_evidence"] is not None:
            error = np.nan if found["standard_error"] is None else found["standard_error"]
            value = _plus_minus(float(found["log_evidence"]), error)
        rows.append([each.run.name, display_name(each.run.config), str(each.run.config.seed), value])
    return table(["run", "preset", "seed", "log p(x), nats"], rows, numeric=2)


def _trainings(views: Sequence[RunView]) -> Panel | None:
    drawing = trainings({each.run.name: each.run.metrics for each in views})
    return drawing and Panel("Training", drawing, f"{drawing.description} Each run ascends its own objective.")


def _over_each_other(views: Sequence[RunView]) -> Panel | None:
    found = {
        each.run.name: each.measurement.columns["log_evidence"].astype(np.float64) for each in views if each.measurement
    }
    if len(found) < 2:
        return None
    words = "; ".join(f"{name}: mean {number(float(values.mean()))}" for name, values in found.items())
    drawing = histogram(found, name="log p(x), nats", description=words)
    return Panel("log p(x) row by row", drawing, f"{words} nats.")
