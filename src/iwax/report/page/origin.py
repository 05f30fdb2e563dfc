"""Where a run comes from: data and protocol, settings, versions, and the commands that make it again."""

import shlex
from typing import Any

from iwax.report.view import RunView
from iwax.runs.environment import in_words
from iwax.settings.named import defaults

__all__ = ["command", "made_with", "settings"]


def command(view: RunView) -> str:
    """The words that began the run, as a shell takes them: those of `iwax`, or of a program that called it."""
    return shlex.join(view.run.environment.command)


def settings(view: RunView) -> list[tuple[str, str, bool]]:
    """Every setting with its value, and whether it is another than the default."""
    usual = defaults()
    flat = view.run.config.flat()
    return [(name, _said(each), name in usual and usual[name] != each) for name, each in flat.items()]


def _said(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_said(each) for each in value)
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def made_with(view: RunView) -> list[tuple[str, str]]:
    """Data, protocol, model, device, precision and versions, by name."""
    about, made = view.run.about, view.run.environment
    rows = ", ".join(f"{count:,} {part}" for part, count in about.rows.items())
    shape = " x ".join(map(str, about.shape))
    found = [
        ("data", f"{about.name}: {about.protocol}"),
        ("rows", f"{rows}; {shape} values of kind {about.kind}"),
        ("SHA-256 of the data", about.sha256),
        (
            "checkpoint shown",
            f"{view.run.checkpoint.name}, the best on the validation data where it was validated",
        ),
        ("device", " ".join(dict.fromkeys(str(made.device.get(word)) for word in ("platform", "kind")))),
        ("precision", _precision(view)),
        ("versions", ", ".join(f"{name} {version}" for name, version in made.versions.items())),
    ]
    if made.git:
        changed = ", with changes that are not committed" if made.git.get("changed") else ""  # of older runs
        found.append(("commit of the folder it was started in", f"{made.git.get('commit')}{changed}"))
    if made.start:
        found.append(("started at the weights of", f"{view.run.config.start}, {made.start.checkpoint}"))
    return found


def _precision(view: RunView) -> str:
    """Of the training, and of the measurement if that was another."""
    trained = view.run.environment.arithmetic
    words = f"float{view.run.config.precision}" if trained is None else in_words(trained)
    measured = view.measurement.summary.get("precision") if view.measurement else None
    return words if measured in (None, words) else f"{words}; measured in {measured}"
