"""The whole page: every part of a run in the order in which a reader asks for it, in one file that asks for nothing."""

import re
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup

from iwax.report.explorer.explorer import LARGEST_WEIGHTS, explorer
from iwax.report.figures.canvas import number
from iwax.report.figures.curves import curve, training
from iwax.report.page.comparison import compared, refuse_unlike
from iwax.report.page.filled import filled
from iwax.report.page.latents import latents
from iwax.report.page.learned import learned
from iwax.report.page.origin import command, made_with, settings
from iwax.report.page.panel import Panel
from iwax.report.page.special import special
from iwax.report.page.subject import Subject, opened
from iwax.report.page.trust import independent, others, trust
from iwax.report.page.words import key_numbers, verdict
from iwax.runs import closing_line
from iwax.runs.environment import placed
from iwax.settings.naming import display_name

__all__ = ["LARGEST", "compose"]

LARGEST = 8_000_000  # bytes of a page
Say = Callable[[str], None]


def compose(
    runs: Sequence[Path], *, data_path: Path | None = None, fallback: bool = False, note: Say, warn: Say
) -> str:
    """The report of one run, or of several on the same data, as one HTML document.

    ``note`` and ``warn`` are told what is being done and what a reader should know. The data are those of
    ``data_path``, or looked for as `runs.open_run` does; so is a damaged checkpoint passed over, or refused.
    Raises ValueError for runs on different data, naming
    both protocols, and for data that have changed; CorruptCheckpointError for what is stored and damaged; and
    FileNotFoundError where there is no run, or its data are nowhere.
    """
    subjects = [opened(Path(run), data_path=data_path, fallback=fallback) for run in runs]
    refuse_unlike(subjects)
    parts = []
    for subject in subjects:
        config = subject.trained.config
        with ExitStack() as stack:
            stack.enter_context(placed(device=config.device, precision=config.precision))
            note(f"drawing     {subject.path}")
            parts.append(_of_run(subject, warn, room=LARGEST_WEIGHTS // len(subjects)))
    several = compared(subjects) if len(subjects) > 1 else None
    title = f"{display_name(subjects[0].trained.config)} on {subjects[0].trained.about.name}"
    heading = title if several is None else f"{len(subjects)} runs on {subjects[0].trained.about.name}"
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


def _of_run(subject: Subject, warn: Say, *, room: int) -> dict[str, Any]:
    """All that the template of one run shows."""
    config = subject.trained.config
    notes = list(subject.measured.summary["warnings"]) if subject.measured else []
    told = len(notes)  # when they were measured
    notes += subject.left_out
    if subject.measured and subject.measured.summary["checkpoint"] != subject.trained.checkpoint.name:
        notes.append(
            f"The numbers are those of {subject.measured.summary['checkpoint']}, the pictures of "
            f"{subject.trained.checkpoint.name}: measure it anew with iwax evaluate {subject.path}."
        )
    for text in notes[told:]:
        warn(text)
    notes = [f"{text[:1].upper()}{text[1:].rstrip('.')}." for text in notes]
    return {
        "name": subject.name,
        "title": f"{display_name(config)} on {subject.trained.about.name}",
        "protocol": subject.trained.about.protocol,
        "path": str(subject.path),
        "number": _closing(subject),
        "notes": notes,
        "learned": [*learned(subject), *special(subject), *filled(subject)],
        "trust": trust(subject),
        "latents": latents(subject),
        "training": _training(subject),
        "others": others(subject),
        "command": command(subject),
        "settings": settings(subject),
        "made_with": made_with(subject),
        "explorer": explorer(subject, room=room),
    }


def _training(subject: Subject) -> list[Panel]:
    """The training curve, where there is a finite bound."""
    if not len(curve(subject.metrics, "bound")[0]):
        return []
    drawing, objective = training(subject.metrics), subject.trained.config.objective
    words = f"The bound that training ascends ({objective.bound.kind}, k = {objective.k}). {drawing.description}"
    if len(curve(subject.metrics, "validation")[0]):
        words += " Where validation falls while training rises, the model learns its training rows by heart."
    return [Panel("Training", drawing, words)]


def _closing(subject: Subject) -> dict[str, Any] | None:
    """The number with its verdict; None where the run was not measured."""
    if subject.measured is None:
        return None
    summary = subject.measured.summary
    exact = np.float64(subject.measured.columns["log_evidence"].mean()) if summary["n"] else None
    known = summary["log_evidence"] is not None
    return {
        "value": number(summary["log_evidence"]) if known else "not finite",
        "exact": "" if exact is None else repr(float(exact)),
        "error": None if summary["standard_error"] is None else f"{summary['standard_error']:.2f}",
        "split": summary["split"],
        "n": f"{summary['n']:,}",
        "k": f"{summary['k']:,}",
        "rows": subject.row,
        "verdict": verdict(summary, rows=subject.row),
        "beside": key_numbers(summary, rows=subject.row, independent=independent(subject)) if known else [],
        "line": closing_line(summary) if known else "",
        "file": f"evaluation/{subject.measured.file.name}",
    }
