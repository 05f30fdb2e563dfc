"""A run: its configuration, its data, its model, its records and its measurements, all from one folder."""

import warnings
from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from iwax import data, inference, writable
from iwax._typing import PRNGKey
from iwax.data.files import read_rows
from iwax.data.rows import Rows
from iwax.data.tables import Span
from iwax.model import LatentVariableModel
from iwax.runs import run_data, support
from iwax.runs.environment import Environment, placed
from iwax.runs.folder import check_begun
from iwax.runs.measure import COMMON_SEED, measure
from iwax.runs.methods import Method, Task, method_of
from iwax.runs.reporter import Reporter
from iwax.runs.run_data import DataRecord
from iwax.runs.sources import stored
from iwax.runs.stored_model import choose, load_model
from iwax.settings import build
from iwax.settings.config import Config
from iwax.storage.checkpoint import CorruptCheckpointError
from iwax.storage.sealed import Sealed

__all__ = ["Run", "evaluate", "load", "open_run"]


class Run:
    """A run in a folder. What it holds is read at its first use, and checked against its seal. Options: `open_run`.

    Raises FileNotFoundError, naming what is missing, where no run was begun, and CorruptCheckpointError where a link, a
    pipe or a device lies in the folder, or its seal is damaged; a warning says what an unsealed one leaves unchecked.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        checkpoint: str = "best",
        data_path: str | Path | None = None,
        fallback: bool = False,
        dataset: data.Dataset | None = None,
    ) -> None:
        self.path, self.folder = Path(path), Sealed(Path(path))
        self._which, self._fallback, self._dataset = checkpoint, fallback, dataset
        self._data_path = None if data_path is None else Path(data_path)
        check_begun(self.folder)

    def at(self, checkpoint: str) -> "Run":
        """The same run, its data read once, with the model of another checkpoint."""
        if checkpoint == self._which:
            return self
        known: dict[str, Any] = {"data_path": self._data_path, "fallback": self._fallback, "dataset": self._dataset}
        return Run(self.path, checkpoint=checkpoint, **known)

    def __fspath__(self) -> str:
        """The folder, so that a run serves where its path does."""
        return str(self.path)

    __str__ = __fspath__

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r}, checkpoint={self._which!r})"

    def __truediv__(self, name: str) -> Path:
        warnings.warn(f"train and resume return a Run: write run.path / {name!r}", DeprecationWarning, stacklevel=2)
        return self.path / name

    # -- what was asked for, and with what ---------------------------------------------------------------------------

    @cached_property
    def config(self) -> Config:
        """The configuration. CorruptCheckpointError where config.json is not a complete one."""
        return stored(self.path)

    @cached_property
    def environment(self) -> Environment:
        """What env.json holds. CorruptCheckpointError where it is not what a run has written."""
        try:
            return Environment.model_validate_json(self.folder.read("env.json"))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            got = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
            raise CorruptCheckpointError(self.path / "env.json", None, "the environment of a run", got) from error

    @property
    def about(self) -> DataRecord:
        """The record of the data that it began with."""
        return self.environment.data

    @property
    def dialect(self) -> data.Dialect:
        """How the text table is written that it was trained on; of runs before this was recorded, what settings say."""
        return self.about.written(self.config.data.dialect)

    @property
    def name(self) -> str:
        """The name of the folder."""
        return self.path.resolve().name

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one row of the data, as it was before flattening."""
        return self.about.shape

    @property
    def latents(self) -> tuple[int, ...]:
        """Latent units, a number for each layer, from the data up."""
        return self.config.model.latents

    def placed(self) -> AbstractContextManager[None]:
        """A context in which is computed where, and in the precision in which, it was trained."""
        return placed(device=self.config.device, precision=self.config.precision)

    # -- model -------------------------------------------------------------------------------------------------------

    @cached_property
    def checkpoint(self) -> Path:
        """The folder of the checkpoint. FileNotFoundError where none has been written."""
        return choose(self.path, self._which, fallback=self._fallback)

    @property
    def step(self) -> int:
        """The number of updates behind the model."""
        return int(self.checkpoint.name.removeprefix("step-"))

    @cached_property
    def model(self) -> LatentVariableModel:
        """The trained model. CorruptCheckpointError where it does not verify, or is not of this run."""
        with self.placed():
            return load_model(self.checkpoint, self.config, **self.about.form)

    # -- data --------------------------------------------------------------------------------------------------------

    def dataset(self) -> data.Dataset:
        """The data that it was trained on, equal by their SHA-256.

        Raises FileNotFoundError where they are nowhere, ValueError where they have changed since.
        """
        if self._dataset is None:
            self._dataset = run_data.find(self.config.data, self.about, run=self.path, given=self._data_path)
        return self._dataset

    def rows(self, split: str, *, final: bool = True, first: int | None = None) -> np.ndarray:
        """The ``first`` rows of a split [n, D] as a density takes them or, not ``final``, as training does."""
        return np.asarray(build.values(self.config, self.dataset(), split, final=final)[:first])

    def typical_rows(self, n: int) -> np.ndarray:
        """The first n validation rows [n, D]; training rows where there are none."""
        return self.rows("train" if self.dataset().valid is None else "valid", first=n)

    @property
    def left_out(self) -> list[str]:
        """Columns of the table that the training left out, because a setting drops them or they are of no use."""
        dropped = [name for name, kind in (self.config.data.kinds or {}).items() if kind == "drop"]
        return [*dropped, *(self.about.left_out or ())]

    def to_model_scale(self, rows: np.ndarray, *, source: str) -> np.ndarray:
        """Rows [n, D] as the likelihood takes them: grey values as the training data's were taken.

        Raises ValueError naming the source and the first cell for which the likelihood has no density.
        """
        scaled = build.to_model_scale(self.config, self.about.kind, rows)
        support.check_values(self.config.model.likelihood, scaled, source=source, trained=True)
        return scaled

    def as_taken(self, rows: np.ndarray, *, source: str) -> np.ndarray:
        """As `to_model_scale`, which is its name today."""
        warnings.warn("Run.as_taken is now Run.to_model_scale", DeprecationWarning, stacklevel=2)
        return self.to_model_scale(rows, source=source)

    def read(
        self, file: str | Path, *, binarize: str | None = None, empty: bool = False, span: Span | None = None
    ) -> np.ndarray:
        """All rows of a file [n, D], or of a .parquet a ``span`` of them, as the likelihood takes them.

        They are made binary as asked or as those of the run were; rows of a table may be ``empty``, without a value.
        Raises ValueError for rows of another width, or other columns, or without a density.
        """
        return self._read(file, binarize, span, empty=empty, each=False)[0]

    def read_each(
        self, file: str | Path, *, binarize: str | None = None, span: Span | None = None
    ) -> tuple[np.ndarray, Rows]:
        """The same, but cells of a table that their column cannot hold are NaN: the rows as read say why (`Rows`)."""
        return self._read(file, binarize, span, empty=True, each=True)

    def _read(
        self, file: str | Path, how: str | None, span: Span | None, *, empty: bool, each: bool
    ) -> tuple[np.ndarray, Rows]:
        self.about.refuse_rows(self.path, file)
        path, table, dialect = Path(file), self.about.columns, self.config.data.dialect
        found = read_rows(path, table, dropped=self.left_out, dialect=dialect, empty=empty, each=each, span=span)
        values = run_data.values(path, found, self.about, how or self.config.data.binarize)
        return self.to_model_scale(values, source=str(file)), found

    # -- use ---------------------------------------------------------------------------------------------------------

    def evaluate(
        self,
        method: Method | None = None,
        *,
        split: str | None = None,
        limit: int | None = None,
        seed: int | None = None,
        reporter: Reporter,
    ) -> dict[str, Any]:
        """Estimate log p(x) of a split of the data by a method, as ``methods.Annealed(chains=8)``; return the summary.

        What is None is as configured: importance sampling, all rows. ``Bidirectional`` measures ``limit`` rows that are
        simulated from the model. ``seed`` is that of the noise, 0 where it is None whatever the seed of the run: runs
        measured with the same noise can be compared pair by pair. Values for each row go to the run's evaluation/
        folder, one .npz and one .json for each measurement; rows keep their numbers under ``limit``. The summary has
        `log_evidence`, `standard_error`, `elbo` ... in nats, and `data_sha256`, that of the data. Raises ValueError for
        a split with a method that takes none, a wrong number, or data that have changed; FileNotFoundError for none.
        """
        writable.check(self.path / "evaluation" / "new", what="measurement")
        settings = self.config.evaluation
        chosen = method_of(method, {} if split is None else {"split": split}, k=settings.k, kind=self.about.kind)
        rows = "simulated" if chosen.simulates else split or settings.split
        limit, seed = settings.limit if limit is None else limit, COMMON_SEED if seed is None else seed
        task = Task(self, rows, limit, seed, reporter)
        with self.placed():
            return measure(chosen, task)

    def sample(self, n: int, *, key: PRNGKey, given: Mapping[str, Any] | None = None) -> inference.Generated:
        """Draw n new rows from the model, z ~ p(z), x ~ p(x|z)."""
        with self.placed():
            return inference.generate(self.model, n, key=key, given=given)

    @cached_property
    def metrics(self) -> list[dict[str, Any]]:
        """The rows of metrics.jsonl, one per epoch, no more than a curve needs."""
        return self.folder.curve()


def open_run(
    run: str | Path, *, checkpoint: str = "best", data_path: str | Path | None = None, fallback: bool = False
) -> Run:
    """Open a run and load its model; the data are not read.

    Args:
        run: the run folder, as ``iwax train`` and `train` make it.
        checkpoint: "best", by the validation bound (the last, if nothing was validated), or "last".
        data_path: where its data are. None: they are looked for where they lay then, by name, and next to the run.
        fallback: whether the best sound one, or else the newest, serves for a damaged one, with a RunFolderWarning.

    Raises FileNotFoundError if there is no run, CorruptCheckpointError if a file is a link or not as it was written.
    """
    opened = Run(run, checkpoint=checkpoint, data_path=data_path, fallback=fallback)
    _ = opened.model
    return opened


def load(run: str | Path, *, checkpoint: str = "best", fallback: bool = False) -> LatentVariableModel:
    """The trained model of a run folder: its best state on the validation data, or its last (as `open_run`)."""
    return open_run(run, checkpoint=checkpoint, fallback=fallback).model


def evaluate(
    run: str | Path | Run,
    *,
    method: str | Method | None = None,
    split: str | None = None,
    k: int | None = None,
    chains: int | None = None,
    temperatures: int | None = None,
    leapfrog: int | None = None,
    start: str | None = None,
    order: int | None = None,
    repeats: int | None = None,
    limit: int | None = None,
    seed: int | None = None,
    checkpoint: str | None = None,
    data_path: str | Path | None = None,
    fallback: bool = False,
    reporter: Reporter,
) -> dict[str, Any]:
    """Measure the run in a folder, as `Run.evaluate` does, by a method or by the name of one with its settings.

    `importance` and, of a graph, `links` take k samples; `annealed` takes `chains`, `temperatures`, `leapfrog` steps
    and a `start` at prior or posterior; `bidirectional` the same both ways; `jackknife` the `order` of the estimate
    from k draws, and how often it is averaged (no bound). The checkpoint is the configured one where it is None. Raises
    ValueError for an unknown method, or a setting that it does not take.
    """
    opened = run if isinstance(run, Run) else Run(run, data_path=data_path, fallback=fallback)
    given = {"split": split, "k": k, "chains": chains, "temperatures": temperatures, "leapfrog": leapfrog}
    given |= {"start": start, "order": order, "repeats": repeats}
    taken = {name: each for name, each in given.items() if each is not None}
    chosen = method_of(method, taken, k=opened.config.evaluation.k, kind=opened.about.kind)
    opened = opened.at(checkpoint or opened.config.evaluation.checkpoint)
    return opened.evaluate(chosen, split=split, limit=limit, seed=seed, reporter=reporter)
