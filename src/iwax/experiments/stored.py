"""Trained models read back from run folders."""

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import jax
import numpy as np

from iwax import data
from iwax.experiments import build, run_data, support
from iwax.experiments.config import Config
from iwax.experiments.folder import DataRecord, RunFolder, existing, tell
from iwax.experiments.parts.columns import table_start
from iwax.experiments.place import placed
from iwax.memory_limit import allow
from iwax.model import LatentVariableModel
from iwax.training import checkpoint as checkpoints
from iwax.training.finite import check_finite

_MOMENTS, _EXAMPLE = 16, 4  # bytes a feature: a mean and a scale; a value of a row

__all__ = ["Trained", "load", "load_model", "open_run"]


@dataclass(frozen=True)
class Trained:
    """A model from a run folder, with the configuration it was trained with and a record of its data."""

    path: Path
    config: Config
    about: DataRecord
    model: LatentVariableModel
    checkpoint: Path
    data_path: Path | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one row of the data, as it was before flattening."""
        return self.about.shape

    @property
    def step(self) -> int:
        """The number of updates behind the model."""
        return int(self.checkpoint.name.removeprefix("step-"))

    def as_taken(self, rows: np.ndarray, *, source: str) -> np.ndarray:
        """Rows [n, D] as the likelihood takes them: grey values as the training data's were taken.

        Raises ValueError naming the source and the first cell for which the likelihood has no density.
        """
        taken = build.as_taken(self.config, self.about.kind, rows)
        support.check_values(self.config.model.likelihood, taken, source=source, trained=True)
        return taken

    def dataset(self) -> data.Dataset:
        """The data it was trained on, equal by their SHA-256: those of ``data_path``, or found by their name.

        Raises FileNotFoundError where they are nowhere, ValueError where they have changed since.
        """
        return self._dataset

    @cached_property
    def _dataset(self) -> data.Dataset:
        return run_data.find(self.config.data, self.about, run=self.path, given=self.data_path)


def load(run: str | Path, *, checkpoint: str = "best", fallback: bool = False) -> LatentVariableModel:
    """The trained model of a run folder: its best state on the validation data, or its last (as `open_run`)."""
    return open_run(run, checkpoint=checkpoint, fallback=fallback).model


def open_run(
    run: str | Path, *, checkpoint: str = "best", data_path: str | Path | None = None, fallback: bool = False
) -> Trained:
    """Model and configuration of a run; the data are not read. Where nothing was validated, the best is the last.

    ``data_path`` says where the data are that it was trained on; without it they are looked for where they lay then, by
    their name, and next to the run folder. With ``fallback`` a checkpoint that is damaged is passed over, with a
    RunFolderWarning, for the best sound one that was validated, or else the newest sound one. Raises FileNotFoundError
    where there is no run, CorruptCheckpointError where what is stored does not verify, or holds a link.
    """
    folder = existing(Path(run))
    config, about = folder.config(), folder.environment().data
    path = choose(folder, checkpoint, fallback=fallback)
    with placed(device=config.device, precision=config.precision):
        model = load_model(path, config, shape=about.shape, columns=about.columns)
    return Trained(folder.path, config, about, model, path, None if data_path is None else Path(data_path))


def choose(folder: RunFolder, which: str, *, fallback: bool = False) -> Path:
    """The checkpoint asked for. A damaged one is replaced by another where that is asked for, never silently."""
    if which not in ("best", "last"):
        raise ValueError(f"checkpoint: best or last was needed, got {which!r}")
    found = checkpoints.search(folder.checkpoints, order="best" if which == "best" else "newest")
    if found.path is None and (fallback or not found.skipped):
        found = checkpoints.search(folder.checkpoints)
    if found.skipped:
        first = found.skipped[0]
        sound = found.path or checkpoints.latest(folder.checkpoints)
        if sound is None:
            raise first
        if not fallback:
            remedy = "restore it from a copy, or use the newest sound one with --fallback (fallback=True in Python)"
            raise checkpoints.CorruptCheckpointError(first.file, None, first.needed, first.got, remedy=remedy)
        tell(f"run folder {folder.path}: {sound.name} is used in place of a damaged checkpoint: {first}")
    if found.path is None:
        raise FileNotFoundError(f"run {folder.path}: a checkpoint was needed, none has been written yet")
    return found.path


def load_model(
    path: Path, config: Config, *, shape: tuple[int, ...], columns: tuple[data.Column, ...] | None = None
) -> LatentVariableModel:
    """The model of one checkpoint, which must be of this configuration, of rows of this shape, and finite.

    Raises MemoryLimitError, before anything is allocated, where such a model would take more than is allowed.
    """
    features = math.prod(shape)
    examples = build.needs_examples(config)
    allow(features * (_MOMENTS + _EXAMPLE * examples), f"{path}: a model of rows of shape {list(shape)}")
    rows = np.zeros((examples, features), np.float32) if examples else None
    table = None if columns is None else table_start(columns, None, floor=config.model.scale_floor or 0.0)
    blank = build.Moments(np.zeros(features), np.ones(features), shape, rows, table)
    template = build.build_model(config, blank, key=jax.random.key(0))
    model, _, _ = checkpoints.load(path, model=template, train=None)
    check_finite(model, template, file=path / "model.safetensors")
    return model
