"""What the evaluation/ folder of a run says: the measurement that a report tells of, and all others."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from iwax.data.formats.npy import read_npz
from iwax.experiments.folder import RunFolder
from iwax.training import strict_json
from iwax.training.checkpoint import CorruptCheckpointError

__all__ = ["Measured", "measurements", "of_importance"]

NEEDED = ("method", "split", "n", "log_evidence", "standard_error", "checkpoint", "warnings")
COLUMNS = ("rows", "log_evidence", "monte_carlo_error", "elbo", "ess", "pareto_k")


@dataclass(frozen=True)
class Measured:
    """A measurement by importance sampling: its summary, and its values a row of the data."""

    file: Path
    summary: dict[str, Any]
    columns: dict[str, np.ndarray]


def measurements(folder: RunFolder) -> list[tuple[Path, dict[str, Any]]]:
    """All summaries of a run, oldest first. CorruptCheckpointError names a file that is none."""
    found = []
    for path in sorted(folder.evaluation.glob("*.json"), key=lambda path: (path.stat().st_mtime, path.name)):
        try:
            summary = strict_json.parse(path.read_bytes())
        except ValueError as error:
            raise CorruptCheckpointError(path, None, "the summary of a measurement", str(error)) from error
        missing = [name for name in NEEDED if not isinstance(summary, dict) or name not in summary]
        if missing:
            raise CorruptCheckpointError(
                path, None, "the summary of a measurement", f"one without {', '.join(missing)}"
            )
        found.append((path, summary))
    return found


def of_importance(found: list[tuple[Path, dict[str, Any]]], *, split: str, checkpoint: str) -> Measured | None:
    """The measurement by importance sampling of this split and checkpoint, of most rows and then of largest k.

    One of another checkpoint, or of another split, is better than none. Raises CorruptCheckpointError where its values
    cannot be read.
    """
    mine = [(path, summary) for path, summary in found if summary["method"] == "importance"]
    if not mine:
        return None
    path, summary = max(
        mine,
        key=lambda each: (each[1]["split"] == split, each[1]["checkpoint"] == checkpoint, each[1]["n"], each[1]["k"]),
    )
    values = path.with_suffix(".npz")
    try:
        columns = read_npz(values, name=path.stem)
        short = [name for name in COLUMNS if len(columns[name]) != summary["n"]]
    except (OSError, ValueError, KeyError) as error:
        raise CorruptCheckpointError(values, None, "the values a row of a measurement", str(error)) from error
    if short:
        needed = f"{summary['n']} values a column, as {path.name} says"
        raise CorruptCheckpointError(values, None, needed, f"{len(columns[short[0]])} of {short[0]}")
    return Measured(values, summary, columns)
