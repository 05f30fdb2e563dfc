"""Rows on disk are trained on window by window, and give the bits that they give in memory."""

import sys
from functools import cache
from pathlib import Path

import equinox as eqx
import jax
import numpy as np
import optax
import pytest

from iwax import bounds, gradients, likelihoods, posteriors, priors, training
from iwax.data.on_disk import RowsOnDisk
from iwax.data.shards import NpyShards
from iwax.model import LatentVariableModel
from iwax.nn import Linear
from iwax.training import NumericalStop, Plan, keeping
from iwax.training.windows import windows

ROWS, FEATURES = 103, 6


@cache
def vae() -> LatentVariableModel:
    return LatentVariableModel(
        prior=priors.StandardNormal(2),
        likelihood=likelihoods.Bernoulli(Linear(2, FEATURES, key=jax.random.key(0))),
        posterior=posteriors.Gaussian(Linear(FEATURES, 4, key=jax.random.key(1), heads=2)),
    )


@cache
def objective() -> gradients.Objective:
    return gradients.Objective(gradients.doubly_reparameterized(bounds.iwae), k=3)


def digest(state: training.State) -> str | None:
    return keeping.digest(eqx.filter(state, eqx.is_array))


@cache
def grey() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (ROWS, FEATURES), np.uint8)


def on_disk(x: np.ndarray, folder: Path, *, files: int = 1) -> RowsOnDisk:
    paths = [folder / f"{i}.npy" for i in range(files)]
    for path, part in zip(paths, np.array_split(x, files), strict=True):
        np.save(path, part)
    return RowsOnDisk(NpyShards(paths, name="x"), range(len(x)), (), x.dtype, FEATURES)


def train(data, plan: Plan, *, state: training.State | None = None, **options) -> training.State:
    optimizer = optax.adam(1e-3)
    state = training.initial_state(vae(), optimizer) if state is None else state
    return training.train(state, objective(), data, optimizer=optimizer, plan=plan, **options)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows of three steps of ten rows."""
    pytest.importorskip("grain")
    monkeypatch.setattr("iwax.training.windows.BYTES", 3 * 10 * FEATURES)


@pytest.mark.parametrize(
    ("batch", "piece", "binarize", "files"), [(10, None, True, 1), (8, 4, False, 3), (103, None, False, 1)]
)
def test_a_run_from_disk_is_the_run_from_memory(small, tmp_path: Path, batch, piece, binarize, files):
    data = grey() if binarize else grey() // 128
    plan = Plan(epochs=2, batch=batch, seed=5, piece=piece, binarize=binarize)
    assert digest(train(on_disk(data, tmp_path, files=files), plan)) == digest(train(data, plan))


def test_validation_reads_its_rows_in_blocks(small, tmp_path: Path):
    data = grey() // 128
    plan = Plan(epochs=2, batch=50, seed=1, validate_every=1)
    rows = on_disk(data, tmp_path)
    assert digest(train(rows[:80], plan, valid=rows[80:])) == digest(train(data[:80], plan, valid=data[80:]))


def test_a_run_is_taken_up_again_in_the_middle_of_a_window(small, tmp_path: Path):
    class StopAt:
        def __init__(self, step: int) -> None:
            self.step = step

        def segment(self, state, progress) -> bool:
            return progress.step >= self.step

        def epoch(self, state, row) -> None: ...
        def improved(self, state) -> None: ...

    rows, plan = on_disk(grey() // 128, tmp_path), Plan(epochs=3, batch=10, seed=5, segment_seconds=1e-9)
    half = train(rows, plan, observer=StopAt(13))
    assert int(half.step) == 13
    assert digest(train(rows, plan, state=half)) == digest(train(rows, plan))


def test_what_is_not_finite_is_found_in_a_window(small, tmp_path: Path):
    data = grey().astype(np.float32) / 255
    data[41, 3] = np.inf
    plan = Plan(epochs=1, batch=10, seed=5)
    stops = []
    for rows in (data, on_disk(data, tmp_path)):
        with pytest.raises(NumericalStop) as stop:
            train(rows, plan)
        stops.append(stop.value)
    assert (stops[0].step, stops[0].cause, stops[0].rows) == (stops[1].step, stops[1].cause, stops[1].rows)
    assert stops[1].rows == (41,)


def test_every_window_has_one_shape_and_every_row_comes_once(small, tmp_path: Path):
    read = windows(on_disk(grey(), tmp_path), Plan(epochs=1, batch=10, seed=2))
    seen, shapes, step = [], set(), 0
    while step < 11:
        data, order, stop = read.at(step)
        shapes.add(data.rows.shape)
        rows = np.asarray(order)[: (stop - step) * 10]
        np.testing.assert_array_equal(np.asarray(data.rows)[: len(rows)], grey()[rows])
        seen += rows.tolist()
        step = stop
    read.close()
    assert shapes == {(30, FEATURES)}
    assert sorted(seen[:ROWS]) == list(range(ROWS))
    assert seen == training.permutation(2, 0, ROWS)[np.arange(110) % ROWS].tolist()


def test_a_file_that_changes_ends_the_training_by_its_name(small, tmp_path: Path):
    rows = on_disk(grey() // 128, tmp_path)
    np.save(tmp_path / "0.npy", grey()[:50])
    with pytest.raises(ValueError, match=r"0\.npy: it has changed since it was opened"):
        train(rows, Plan(epochs=1, batch=10, seed=5))


def test_without_grain_it_is_said_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "grain", None)
    with pytest.raises(ValueError, match=r"pip install 'iwax\[disk\]'"):
        train(on_disk(grey() // 128, tmp_path), Plan(epochs=1, batch=10, seed=5))
