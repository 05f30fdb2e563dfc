"""The whole page: every part of a run in the order in which a reader asks for it, in one self-contained file."""

import re
from collections.abc import Callable, Sequence
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup

from iwax.report.explorer import LARGEST_WEIGHTS, explorer
from iwax.report.figures.canvas import number
from iwax.report.figures.curves import curve, training
from iwax.report.page.comparison import refuse_unlike, side_by_side
from iwax.report.page.components import components
from iwax.report.page.draws import draws
from iwax.report.page.imputations import imputations
from iwax.report.page.latents import latents
from iwax.report.page.origin import command, made_with, settings
from iwax.report.page.trust import independent, others, trust
from iwax.report.page.verdict import key_numbers, verdict
from iwax.report.view import RunView, open_view
from iwax.report.view.panel import Panel
from iwax.runs import Run, closing_line
from iwax.settings.naming import display_name

__all__ = ["LARGEST", "compose"]

LARGEST = 8_000_000  # bytes of a page
Say = Callable[[str], None]


def compose(
    runs: Sequence[Run | str | Path],
    *,
    data_path: str | Path | None = None,
    fallback: bool = False,
    note: Say,
    warn: Say,
) -> str:
    """The report of one run, or of several on the same data, as one HTML document.

    ``note`` gets what is being done, ``warn`` what a reader should know. The data are those of
    ``data_path``, or looked for as `runs.open_run` does; so is a damaged checkpoint passed over, or refused.
    Raises ValueError for runs on different data, naming
    both protocols, and for data that have changed; CorruptCheckpointError for what is stored and damaged; and
    FileNotFoundError where there is no run, or its data are nowhere.
    """
    views = [open_view(run, data_path=data_path, fallback=fallback) for run in runs]
    refuse_unlike(views)
    parts = []
    for view in views:
        with view.run.placed():
            note(f"drawing     {view.run.path}")
            parts.append(_of_run(view, warn, room=LARGEST_WEIGHTS // len(views)))
    several = side_by_side(views) if len(views) > 1 else None
    title = f"{display_name(views[0].run.config)} on {views[0].run.about.name}"
    heading = title if several is None else f"{len(views)} runs on {views[0].run.about.name}"
    template = _environment().get_template("page.html")
    live = any(part["explorer"] and part["explorer"]["live"] for part in parts)
    page = template.render(title=heading, runs=parts, several=several, version=version("iwax"), live=live)
    return re.sub(r"\n\s*\n+", "\n", page)


def _environment() -> jinja2.Environment:
    """Templates that escape whatever they are given, and fail on what they are not given."""
    loader = jinja2.FunctionLoader(_source)
    made = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
    made.globals["plain"] = lambda name: Markup(_source(name))  # noqa: S704 (a file of this package)
    return made


def _source(name: str) -> str:
    page = resources.files("iwax.report.page") / "files" / name
    return (page if page.is_file() else resources.files("iwax.report.explorer") / name).read_text(encoding="utf-8")


def _of_run(view: RunView, warn: Say, *, room: int) -> dict[str, Any]:
    """All that the template of one run shows."""
    config = view.run.config
    notes = list(view.measurement.summary["warnings"]) if view.measurement else []
    measured = len(notes)  # with the measurement
    notes += view.left_out
    if view.measurement and view.measurement.summary["checkpoint"] != view.run.checkpoint.name:
        notes.append(
            f"The numbers are those of {view.measurement.summary['checkpoint']}, the pictures of "
            f"{view.run.checkpoint.name}: measure it again with iwax evaluate {view.run.path}."
        )
    for text in notes[measured:]:
        warn(text)
    notes = [f"{text[:1].upper()}{text[1:].rstrip('.')}." for text in notes]
    return {
        "name": view.run.name,
        "title": f"{display_name(config)} on {view.run.about.name}",
        "protocol": view.run.about.protocol,
        "path": str(view.run.path),
        "number": _closing(view),
        "notes": notes,
        "learned": [*draws(view), *components(view), *imputations(view)],
        "trust": trust(view),
        "latents": latents(view),
        "training": _training(view),
        "others": others(view),
        "command": command(view),
        "settings": settings(view),
        "made_with": made_with(view),
        "explorer": explorer(view, room=room),
    }


def _training(view: RunView) -> list[Panel]:
    """The training curve, where there is a finite bound."""
    if not len(curve(view.run.metrics, "bound")[0]):
        return []
    drawing, objective = training(view.run.metrics), view.run.config.objective
    words = f"The bound that training ascends ({objective.bound.kind}, k = {objective.k}). {drawing.description}"
    if len(curve(view.run.metrics, "validation")[0]):
        words += " Where validation falls while training rises, the model learns its training rows by heart."
    return [Panel("Training", drawing, words)]


def _closing(view: RunView) -> dict[str, Any] | None:
    """The number with its verdict; None where the run was not measured."""
    if view.measurement is None:
        return None
    summary = view.measurement.summary
    exact = np.float64(view.measurement.columns["log_evidence"].mean()) if summary["n"] else None
    known = summary["log_evidence"] is not None
    return {
        "value": number(summary["log_evidence"]) if known else "not finite",
        "exact": "" if exact is None else repr(float(exact)),
        "error": None if summary["standard_error"] is None else f"{summary['standard_error']:.2f}",
        "split": summary["split"],
        "n": f"{summary['n']:,}",
        "k": f"{summary['k']:,}",
        "rows": view.run.about.noun,
        "verdict": verdict(summary, rows=view.run.about.noun),
        "numbers": key_numbers(summary, rows=view.run.about.noun, independent=independent(view)) if known else [],
        "line": closing_line(summary) if known else "",
        "file": f"evaluation/{view.measurement.file.name}",
    }
