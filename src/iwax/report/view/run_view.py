"""What a report shows of a run: the rows of one split, and the measurement that it is about."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import jax
import numpy as np

from iwax.report.figures import images
from iwax.report.view.measurements import NEEDED, check_rows, of_importance, of_these_data
from iwax.runs.measurements import Measurement, summaries
from iwax.runs.run import Run, open_run

__all__ = ["RunView", "open_view"]

SEED = 0  # of the noise in all pictures


@dataclass(frozen=True)
class RunView:
    """A run with the rows on which it is shown. Nothing is computed before it is asked for."""

    run: Run
    measurements: list[tuple[Path, dict[str, Any]]]  # all summaries, oldest first
    measurement: Measurement | None  # the one that the report is about
    left_out: list[str]  # measurements of other data, as sentences

    @property
    def split(self) -> str:
        """The split that the report is about."""
        return self.measurement.summary["split"] if self.measurement else self.run.config.evaluation.split

    @property
    def row_numbers(self) -> str:
        """What the number of a row is in a page, as a sentence."""
        return f"Rows of the {self.split} data are counted from 1."

    @property
    def key(self) -> jax.Array:
        """The key of all noise in pictures."""
        return jax.random.key(SEED)

    @cached_property
    def x(self) -> np.ndarray:
        """All rows of the split as a density is evaluated at them."""
        return self.run.rows(self.split)

    @cached_property
    def whole(self) -> np.ndarray:
        """The numbers of the rows of which nothing is missing."""
        return np.flatnonzero(~np.isnan(self.x).any(axis=1)) if self.x.dtype.kind == "f" else np.arange(len(self.x))

    @cached_property
    def labels(self) -> np.ndarray | None:
        """The class of every row, where there are classes."""
        return self.run.dataset().split(self.split).labels

    @cached_property
    def span(self) -> tuple[float, float]:
        """The values shown as black and as white."""
        shown = self.x[:500]
        return images.limits(shown if shown.dtype == np.uint8 else shown[np.isfinite(shown)])


def open_view(run: Run | str | Path, *, data_path: str | Path | None = None, fallback: bool = False) -> RunView:
    """Open a run with its data. Raises what `runs.open_run` and `Run.dataset` do, and CorruptCheckpointError for
    damaged numbers.
    """
    run = run if isinstance(run, Run) else open_run(run, data_path=data_path, fallback=fallback)
    dataset = run.dataset()
    found, left_out = of_these_data(summaries(run.folder, NEEDED), sha256=run.about.sha256)
    measurement = of_importance(run.folder, found, split=run.config.evaluation.split, checkpoint=run.checkpoint.name)
    if measurement is not None:
        check_rows(measurement, dataset)
    return RunView(run, found, measurement, left_out)
