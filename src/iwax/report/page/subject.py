"""A run as a report sees it: the model, the rows it is shown on, and what was measured and recorded."""

from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any

import jax
import numpy as np

from iwax.data import Column, Dataset
from iwax.report.figures import images
from iwax.report.page.measured import check_rows, measurements, of_importance, of_these_data
from iwax.runs.environment import Environment
from iwax.runs.measurements import Measurement
from iwax.runs.run import Run, open_run

__all__ = ["Subject", "opened"]

SEED = 0  # of the noise in all pictures


@dataclass(frozen=True)
class Subject:
    """One run, opened and read; nothing of it is computed before it is asked for."""

    path: Path
    trained: Run
    dataset: Dataset
    environment: Environment
    metrics: list[dict[str, Any]]
    summaries: list[tuple[Path, dict[str, Any]]]
    measured: Measurement | None
    left_out: list[str]  # measurements that are not of these data, in words

    @property
    def model(self) -> Any:
        """The model."""
        return self.trained.model

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one row."""
        return self.trained.shape

    @property
    def pictures(self) -> bool:
        """Whether rows are images."""
        return 2 <= len(self.shape) <= 3

    @property
    def row(self) -> str:
        """What a row is called."""
        return "image" if self.pictures else "row"

    @property
    def columns(self) -> tuple[Column, ...] | None:
        """The columns of a table."""
        return self.trained.about.columns

    @property
    def features(self) -> int:
        """Values a row."""
        return prod(self.shape)

    @property
    def split(self) -> str:
        """The split that the report is about."""
        return self.measured.summary["split"] if self.measured else self.trained.config.evaluation.split

    @property
    def key(self) -> jax.Array:
        """The key of all noise in pictures."""
        return jax.random.key(SEED)

    @cached_property
    def x(self) -> np.ndarray:
        """All rows of the split as a density is evaluated at them."""
        return self.trained.rows(self.split)

    @cached_property
    def whole(self) -> np.ndarray:
        """The numbers of the rows of which nothing is missing."""
        return np.flatnonzero(~np.isnan(self.x).any(axis=1)) if self.x.dtype.kind == "f" else np.arange(len(self.x))

    @cached_property
    def labels(self) -> np.ndarray | None:
        """The class of every row, where there are classes."""
        return self.dataset.split(self.split).labels

    @cached_property
    def span(self) -> tuple[float, float]:
        """The values shown as black and as white."""
        shown = self.x[:500]
        return images.limits(shown if shown.dtype == np.uint8 else shown[np.isfinite(shown)])

    @property
    def name(self) -> str:
        """What the run is called: its folder."""
        return self.path.resolve().name


def opened(run: Path, *, data_path: Path | None = None, fallback: bool = False) -> Subject:
    """A run with its data. Raises what `runs.open_run` and `Run.dataset` do, and CorruptCheckpointError for
    damaged numbers.
    """
    trained = open_run(run, data_path=data_path, fallback=fallback)
    dataset = trained.dataset()
    found, left_out = of_these_data(measurements(trained.folder), sha256=trained.about.sha256)
    measured = of_importance(
        trained.folder, found, split=trained.config.evaluation.split, checkpoint=trained.checkpoint.name
    )
    if measured is not None:
        check_rows(measured, dataset)
    return Subject(run, trained, dataset, trained.environment, trained.metrics, found, measured, left_out)
