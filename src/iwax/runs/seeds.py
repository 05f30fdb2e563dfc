"""Runs that differ by their seed alone, taken together, and the differences of their means."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from iwax.evaluation.statistics import paired_difference
from iwax.settings.config import Config
from iwax.settings.naming import differing, display_name

__all__ = ["Group", "Measured", "differences", "groups"]


@dataclass(frozen=True)
class Measured:
    """One stored measurement of a run, a value per row."""

    run: Path
    config: Config
    digest: str
    summary: dict[str, Any]
    rows: np.ndarray
    log_evidence: np.ndarray
    elbo: np.ndarray


@dataclass(frozen=True)
class Group:
    """Runs of one configuration at two seeds or more."""

    runs: list[Measured]

    @property
    def means(self) -> np.ndarray:
        """log p(x) of every run [n], nats."""
        return np.array([each.summary["log_evidence"] for each in self.runs], np.float64)

    @property
    def by_row(self) -> np.ndarray:
        """log p(x) of every row, its mean over the runs [rows], nats."""
        return np.stack([each.log_evidence for each in self.runs]).astype(np.float64).mean(axis=0)

    @property
    def variance(self) -> float:
        """The variance of the mean over seeds, ``sd^2 / n``."""
        return float(self.means.var(ddof=1)) / len(self.runs)

    def summary(self) -> dict[str, Any]:
        """Mean, standard deviation over seeds, and the error of the mean, nats."""
        first = self.runs[0]
        return {
            "preset": first.summary["preset"],
            "name": display_name(first.config),
            "dataset": first.summary["dataset"],
            "seeds": [each.config.seed for each in self.runs],
            "runs": [str(each.run) for each in self.runs],
            "mean": float(self.means.mean()),
            "sd": float(self.means.std(ddof=1)),
            "error": math.sqrt(self.variance),
        }


def groups(chosen: Sequence[Measured]) -> list[Group]:
    """The runs that differ by their seed alone, in the order of the first of each; runs with one seed are left out."""
    found: dict[str, list[Measured]] = {}
    for each in chosen:
        started = each.config.start and "a run"  # of its own seed, hence another for each
        same = each.config.data.model_copy(update={"name": each.digest})  # whatever the path from which they were read
        alike = each.config.model_copy(update={"seed": 0, "start": started, "data": same})
        found.setdefault(alike.model_dump_json(), []).append(each)
    return [Group(runs) for runs in found.values() if len({each.config.seed for each in runs}) > 1]


def differences(found: Sequence[Group]) -> list[dict[str, Any]]:
    """``mean of a group - mean of the first``, nats, of every later group, with two errors of it.

    "error" is over seeds, ``sqrt(sd_1^2 / n_1 + sd_2^2 / n_2)`` with "degrees_of_freedom" by Welch and Satterthwaite
    (Welch 1947, Biometrika 34): what other seeds would change. "error_over_rows" is that of the paired difference of
    the means over seeds, row by row: what other test rows would change.
    """
    return [_difference(group, found[0]) | {"group": i} for i, group in enumerate(found[1:], start=1)]


def _difference(ours: Group, theirs: Group) -> dict[str, Any]:
    variances = np.array([ours.variance, theirs.variance])
    free = np.array([len(ours.runs), len(theirs.runs)]) - 1
    spread = float((variances**2 / free).sum())
    return {
        "differs": differing(ours.runs[0].config, theirs.runs[0].config),
        "difference": float(ours.means.mean() - theirs.means.mean()),
        "error": float(np.sqrt(variances.sum())),
        "degrees_of_freedom": float(variances.sum()) ** 2 / spread if spread > 0.0 else math.nan,
        "error_over_rows": paired_difference(ours.by_row, theirs.by_row)[1],
    }
