"""A trained model to be measured, on which rows, with which noise."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import jax
import numpy as np

from iwax._typing import PRNGKey
from iwax.data import Dataset
from iwax.model import LatentVariableModel
from iwax.runs.reporter import Reporter
from iwax.runs.run_data import DataRecord
from iwax.settings import build
from iwax.settings.config import Config
from iwax.streams import Run

__all__ = ["Task"]


@dataclass(frozen=True)
class Task:
    """The model of a checkpoint of the run at ``path``, to be measured on rows of a split.

    ``streams`` are random streams that others take the place of.
    """

    path: Path
    config: Config
    about: DataRecord
    checkpoint: str
    model: LatentVariableModel
    dataset: Dataset
    split: str
    limit: int | None
    seed: int
    reporter: Reporter
    streams: Mapping[Run, Run] = field(default_factory=dict)

    @cached_property
    def x(self) -> np.ndarray:
        """The rows of the split, as the likelihood takes them, up to the limit."""
        rows = build.values(self.config, self.dataset, self.split, final=True)
        if self.limit is not None and self.limit > len(rows):
            self.reporter.note(
                f"{self.dataset.name} ({self.split}) has {len(rows):,} rows, fewer than the limit {self.limit:,}"
            )
        return rows[: self.limit]

    def key(self, stream: Run) -> PRNGKey:
        """The key of a random stream."""
        return jax.random.fold_in(jax.random.key(self.seed), self.streams.get(stream, stream))
