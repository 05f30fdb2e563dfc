"""A trained model opened for use, and the rows it is used on."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import jax
import numpy as np

from iwax.cli.arguments import check_seed
from iwax.cli.terminal import Terminal
from iwax.data.binarization import as_grey, binarize_once, threshold
from iwax.data.files import read_rows
from iwax.data.rows import Rows
from iwax.experiments import build
from iwax.experiments.place import placed
from iwax.experiments.stored import Trained, open_run
from iwax.streams import Bits

__all__ = ["Opened", "key_of", "opened", "warn_of_holes"]


@dataclass(frozen=True)
class Opened:
    """A run's model with what is needed to feed it."""

    trained: Trained

    @property
    def model(self) -> Any:
        """The model."""
        return self.trained.model

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one datum."""
        return self.trained.shape

    @property
    def latents(self) -> tuple[int, ...]:
        """Latent units, a number a layer."""
        return self.trained.config.model.latents

    @property
    def left_out(self) -> list[str]:
        """Columns of the table that the training left out, as was said or found."""
        said = [name for name, kind in (self.trained.config.data.kinds or {}).items() if kind == "drop"]
        return [*said, *(self.trained.about.left_out or ())]

    def rows(self, file: Path, *, binarize: str | None = None, empty: bool = False) -> np.ndarray:
        """All rows of a file [n, D], made binary as asked or as those of the run were.

        Rows of a table may be ``empty``, without a value, where that is said. Raises ValueError where they are of
        another width or the model has no density for them.
        """
        return self._taken(file, self._read(file, empty=empty), binarize)

    def each_row(self, file: Path, *, binarize: str | None = None) -> tuple[np.ndarray, Rows]:
        """The same of rows that stand each for itself: of a table, cells that their column cannot hold are NaN.

        The rows as read say why (`Rows.refused`), and have the columns that training left out (`Rows.unread`).
        """
        read = self._read(file, empty=True, each=True)
        return self._taken(file, read, binarize), read

    def _read(self, file: Path, *, empty: bool, each: bool = False) -> Rows:
        about, settings = self.trained.about, self.trained.config.data
        return read_rows(file, about.columns, dropped=self.left_out, dialect=settings.dialect, empty=empty, each=each)

    def _taken(self, file: Path, found: Rows, binarize: str | None) -> np.ndarray:
        """Rows as the likelihood takes them."""
        about, wanted = self.trained.about, prod(self.shape)
        if found.values.shape[1] != wanted:
            raise ValueError(
                f"{file}: rows of {wanted} values were needed, as the run was trained on (shape {self.shape}); "
                f"got {found.values.shape[1]}"
            )
        if found.kind == "table" and about.columns is None and any(c.levels for c in found.columns or ()):
            raise ValueError(f"{file}: needed numbers, as the run was trained on; got columns of text")
        how = binarize or self.trained.config.data.binarize
        values = found.values if how is None or found.kind == "binary" else _binary(file, found.values, how)
        return self.trained.as_taken(values, source=str(file))

    def test_rows(self, n: int) -> np.ndarray:
        """The first n test rows of the data the run was trained on."""
        return build.values(self.trained.config, self.trained.dataset(), "test")[:n]

    def typical_rows(self, n: int) -> np.ndarray:
        """The first n validation rows of the data the run was trained on; training rows where there are no such."""
        dataset = self.trained.dataset()
        part = "train" if dataset.valid is None else "valid"
        return build.values(self.trained.config, dataset, part, final=True)[:n]

    def beside(self, run: Path, *, checkpoint: str, fallback: bool = False) -> Any:
        """The model of another run, whose log p(x) can be subtracted: ValueError unless it is of the same numbers."""
        other = open_run(run, checkpoint=checkpoint, fallback=fallback)
        for name, ours, theirs in (
            ("rows of shape", self.shape, other.shape),
            ("data of kind", self.trained.about.kind, other.about.kind),
            ("a likelihood", self.trained.config.model.likelihood.kind, other.config.model.likelihood.kind),
            ("values binarised by", self.trained.config.data.binarize, other.config.data.binarize),
        ):
            if ours != theirs:
                raise ValueError(
                    f"--background {run}: needs {name} {ours}, as {self.trained.path} has, got {theirs}; "
                    "train it alike, with --set data.perturb=0.2"
                )
        return other.model


@contextmanager
def opened(run: Path, *, checkpoint: str, data_path: Path | None = None, fallback: bool = False) -> Iterator[Opened]:
    """Open a run and compute where, and in the precision in which, it was trained."""
    trained = open_run(run, checkpoint=checkpoint, data_path=data_path, fallback=fallback)
    with placed(device=trained.config.device, precision=trained.config.precision):
        yield Opened(trained)


def _binary(file: Path, values: np.ndarray, how: str) -> np.ndarray:
    if how not in ("threshold", "sample"):
        raise ValueError(f"--binarize must be threshold or sample, got {how!r}")
    if values.dtype != np.uint8 and not (np.nanmin(values) >= 0 and np.nanmax(values) <= 1):
        raise ValueError(
            f"{file}: --binarize needs grey values, or real ones in [0, 1]; got {np.nanmin(values)} to "
            f"{np.nanmax(values)}"
        )
    if how == "threshold":
        return threshold(values)
    return binarize_once(values if values.dtype == np.uint8 else as_grey(values), seed=0, stream=Bits.SAMPLE)


def warn_of_holes(terminal: Terminal, x: np.ndarray, meaning: str, *, refused: int = 0) -> bool:
    """Whether cells are missing; where so, says how many and what that means. NaN that was ``refused`` is not."""
    holes = int(np.isnan(x).sum()) - refused if x.dtype.kind == "f" else 0
    if holes:
        terminal.say(f"{holes:,} of {x.size:,} cells are missing: {meaning}")
    return holes > 0


def key_of(seed: int) -> jax.Array:
    """The key of a seed; ValueError for a seed out of range."""
    return jax.random.key(check_seed(seed))
