"""The model of a run, read back from its checkpoints."""

import math
from pathlib import Path

import jax
import numpy as np

from iwax import data
from iwax.memory_limit import allow
from iwax.model import LatentVariableModel
from iwax.runs.run_data import GraphRecord
from iwax.settings import build
from iwax.settings.config import Config
from iwax.settings.parts.columns import table_start
from iwax.storage import checkpoint as checkpoints
from iwax.storage.sealed import warn
from iwax.training.finite import check_finite

__all__ = ["choose", "load_model"]

_MOMENTS, _EXAMPLE = 16, 4  # bytes per feature: a mean and a scale; a value of a row


def choose(run: Path, which: str, *, fallback: bool = False) -> Path:
    """The checkpoint asked for. A damaged one is replaced by another where that is asked for, never silently."""
    if which not in ("best", "last"):
        raise ValueError(f"checkpoint: best or last was needed, got {which!r}")
    folder = run / "checkpoints"
    found = checkpoints.search(folder, order="best" if which == "best" else "newest")
    if found.path is None and (fallback or not found.skipped):
        found = checkpoints.search(folder)
    if found.skipped:
        first = found.skipped[0]
        sound = found.path or checkpoints.latest(folder)
        if sound is None:
            raise first
        if not fallback:
            remedy = "restore it from a copy, or use the newest sound one with --fallback (fallback=True in Python)"
            raise checkpoints.CorruptCheckpointError(first.file, None, first.needed, first.got, remedy=remedy)
        warn(f"run folder {run}: {sound.name} is used in place of a damaged checkpoint: {first}")
    if found.path is None:
        raise FileNotFoundError(f"run {run}: a checkpoint was needed, none has been written yet")
    return found.path


def load_model(
    path: Path,
    config: Config,
    *,
    shape: tuple[int, ...],
    columns: tuple[data.Column, ...] | None = None,
    graph: GraphRecord | None = None,
) -> LatentVariableModel:
    """The model of one checkpoint, which must be of this configuration, of such rows, and finite.

    Raises MemoryLimitError, before anything is allocated, where such a model would take more than is allowed.
    """
    features = math.prod(shape)
    examples = config.model.prior.examples
    allow(features * (_MOMENTS + _EXAMPLE * examples), f"{path}: a model of rows of shape {list(shape)}")
    rows = np.zeros((examples, features), np.float32) if examples else None
    floor = config.model.scale_floor or 0.0
    table = None if columns is None else table_start(columns, None, floor=floor)
    of_graph = None if graph is None else _blank(graph, features)
    blank = build.FeatureStatistics(np.zeros(features), np.ones(features), shape, rows, table, of_graph)
    template = build.build_model(config, blank, key=jax.random.key(0))
    model, _, _ = checkpoints.load(path, model=template, train=None)
    check_finite(model, template, file=path / "model.safetensors")
    return model


def _blank(graph: GraphRecord, pairs: int) -> build.GraphStart:
    """A graph of these sizes, whose pairs and features the checkpoint has."""
    first = np.concatenate([[0], np.cumsum(np.arange(graph.nodes - 1, 0, -1))])  # the number of each node's first pair
    number = np.arange(pairs)
    one = np.searchsorted(first, number, side="right") - 1
    listed = np.stack([one, number - first[one] + one + 1], axis=1)
    features = np.zeros((graph.nodes, graph.features), np.float32) if graph.features else None
    return build.GraphStart(listed, graph.nodes, features, graph.density)
