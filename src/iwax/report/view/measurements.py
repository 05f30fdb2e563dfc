"""The measurements in the evaluation/ folder of a run: which a report is about, and whether they are of its data."""

from pathlib import Path
from typing import Any

import numpy as np

from iwax.data import Dataset
from iwax.runs.measurements import Measurement, read
from iwax.storage.checkpoint import CorruptCheckpointError
from iwax.storage.sealed import Sealed

__all__ = ["COLUMNS", "NEEDED", "check_rows", "of_importance", "of_these_data"]

NEEDED = ("method", "split", "n", "log_evidence", "standard_error", "checkpoint", "warnings")
COLUMNS = ("rows", "log_evidence", "monte_carlo_error", "elbo", "ess", "pareto_k")


def of_these_data(
    found: list[tuple[Path, dict[str, Any]]], *, sha256: str
) -> tuple[list[tuple[Path, dict[str, Any]]], list[str]]:
    """The measurements on data of this SHA-256, or that do not say of which; and a sentence for each left out.

    >>> of_these_data([(Path("a.json"), {"data_sha256": "12"})], sha256="34")[1]
    ['a.json was left out: it was measured on other data (SHA-256 12..., those of the run are 34...)']
    """
    known = [(path, summary) for path, summary in found if summary.get("data_sha256") in (None, sha256)]
    others = [(path, summary["data_sha256"]) for path, summary in found if (path, summary) not in known]
    words = "was left out: it was measured on other data (SHA-256"
    return known, [f"{path.name} {words} {got[:12]}..., those of the run are {sha256[:12]}...)" for path, got in others]


def check_rows(measured: Measurement, dataset: Dataset) -> None:
    """CorruptCheckpointError unless the rows that were measured are rows of the split that was, each once."""
    split, parts = measured.summary["split"], dataset.splits()
    if split not in parts:
        needed = f"rows of one of the splits {', '.join(parts)}"
        raise CorruptCheckpointError(measured.file.with_suffix(".json"), None, needed, f"rows of {split!r}")
    rows, size = measured.columns["rows"], len(parts[split].values)
    whole = rows.dtype.kind in "iu" and rows.ndim == 1
    if not whole or len(np.unique(rows)) != len(rows) or (rows < 0).any() or (rows >= size).any():
        needed = f"numbers of {split} rows, each once, from 0 to {size - 1}"
        got = f"{len(rows)} from {rows.min()} to {rows.max()}" if whole and len(rows) else f"{rows.dtype}{rows.shape}"
        raise CorruptCheckpointError(measured.file, None, needed, got)


def of_importance(
    folder: Sealed, found: list[tuple[Path, dict[str, Any]]], *, split: str, checkpoint: str
) -> Measurement | None:
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
    return read(folder, path, summary, COLUMNS)
