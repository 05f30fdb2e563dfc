"""What the evaluation/ folder of a run says: the measurement that a report tells of, and all others."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from iwax.experiments.folder import RunFolder
from iwax.experiments.measurements import summaries, values

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
    return summaries(folder, NEEDED)


def of_importance(
    folder: RunFolder, found: list[tuple[Path, dict[str, Any]]], *, split: str, checkpoint: str
) -> Measured | None:
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
    return Measured(path.with_suffix(".npz"), summary, values(folder, path, summary, COLUMNS))
