"""Where a run comes from: data and protocol, settings, versions, and the commands that make it again."""

import shlex
from typing import Any

from iwax.report.page.subject import Subject
from iwax.runs.environment import in_words
from iwax.settings.named import defaults

__all__ = ["command", "made_with", "settings"]


def command(subject: Subject) -> str:
    """The words that began the run, as a shell takes them: those of `iwax`, or of a program that called it."""
    return shlex.join(subject.environment.command)


def settings(subject: Subject) -> list[tuple[str, str, bool]]:
    """Every setting with its value, and whether it is another than the default."""
    usual = defaults()
    flat = subject.trained.config.flat()
    return [(name, _said(each), name in usual and usual[name] != each) for name, each in flat.items()]


def _said(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_said(each) for each in value)
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def made_with(subject: Subject) -> list[tuple[str, str]]:
    """Data, protocol, model, device, precision and versions, by name."""
    about, made = subject.trained.about, subject.environment
    rows = ", ".join(f"{count:,} {part}" for part, count in about.rows.items())
    shape = " x ".join(map(str, about.shape))
    found = [
        ("data", f"{about.name}: {about.protocol}"),
        ("rows", f"{rows}; {shape} values of kind {about.kind}"),
        ("SHA-256 of the data", about.sha256),
        (
            "checkpoint shown",
            f"{subject.trained.checkpoint.name}, the best on the validation data where it was validated",
        ),
        ("device", " ".join(dict.fromkeys(str(made.device.get(word)) for word in ("platform", "kind")))),
        ("precision", _precision(subject)),
        ("versions", ", ".join(f"{name} {version}" for name, version in made.versions.items())),
    ]
    if made.git:
        changed = ", with changes that are not committed" if made.git.get("changed") else ""  # of older runs
        found.append(("commit of the folder it was started in", f"{made.git.get('commit')}{changed}"))
    if made.start:
        found.append(("started at the weights of", f"{subject.trained.config.start}, {made.start.checkpoint}"))
    return found


def _precision(subject: Subject) -> str:
    """Of the training, and of the measurement if that was another."""
    trained = subject.environment.arithmetic
    words = f"float{subject.trained.config.precision}" if trained is None else in_words(trained)
    measured = subject.measured.summary.get("precision") if subject.measured else None
    return words if measured in (None, words) else f"{words}; measured in {measured}"
