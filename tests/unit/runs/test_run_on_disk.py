"""A run whose data stay on disk: the bits of the run in memory, resumed, measured, and refused where files changed."""

import json
from pathlib import Path

import numpy as np
import pytest
from oracles.recorder import Recorder

from iwax import runs
from iwax.runs.reporter import Silent

pytest.importorskip("grain")
TINY = ["model.hidden=[4]", "model.latent=2", "objective.k=2", "training.batch=7", "evaluation.k=20"]
TINY += ["training.validate_every=1", "training.epochs=2", "model.likelihood=gaussian"]


def config_of(file: Path, *, on_disk: bool):
    return runs.from_sources(data=str(file), sets=[*TINY, f"data.on_disk={json.dumps(on_disk)}"])


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    values = np.random.default_rng(0).normal(size=(100, 6)).astype(np.float32)
    np.save(tmp_path_factory.mktemp("data") / "real.npy", values)
    return next(iter(tmp_path_factory.getbasetemp().glob("data*/real.npy")))


@pytest.fixture(scope="module", autouse=True)
def small_windows():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("iwax.training.windows.BYTES", 3 * 7 * 6 * 4)  # three steps
        patch.setattr("iwax.settings.build.ROWS_ON_DISK", 8)
        yield


@pytest.fixture(scope="module")
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, file: Path, recorder: Recorder) -> runs.Run:
    return runs.train(config_of(file, on_disk=True), tmp_path_factory.mktemp("runs") / "disk", reporter=recorder)


def contents(run: runs.Run) -> dict[str, bytes]:
    files = [run.path / "metrics.jsonl", *sorted((run.path / "checkpoints").rglob("*.*"))]
    return {str(file.relative_to(run.path)): file.read_bytes() for file in files if file.is_file()}


def test_it_is_the_run_in_memory(whole: runs.Run, file: Path, tmp_path: Path):
    memory = runs.train(config_of(file, on_disk=False), tmp_path / "memory", reporter=Silent())
    assert contents(memory) == contents(whole)
    assert memory.config.data.on_disk is None
    assert whole.config.data.on_disk is True
    assert whole.dataset().on_disk


def test_it_goes_on_in_the_middle_of_a_window(whole: runs.Run, file: Path, tmp_path: Path):
    sets = [*TINY, "data.on_disk=true", "training.checkpoint_seconds=0"]
    config = runs.from_sources(data=str(file), sets=sets)
    stopped = runs.train(config, tmp_path / "run", reporter=Silent(), stop=lambda: True)
    assert stopped.step < whole.step
    resumed = runs.resume(stopped.path, reporter=Silent())
    mine, theirs = (contents(run) for run in (resumed, whole))
    weights = [name for name in theirs if f"step-{whole.step}" in name and name.endswith(".safetensors")]
    assert len(weights) == 2
    for name in ("metrics.jsonl", *weights):
        assert mine[name] == theirs[name]


def test_the_first_rows_are_measured_and_it_is_said_how_many(whole: runs.Run):
    assert whole.config.evaluation.limit == 8
    found = whole.evaluate(reporter=Silent())
    assert found["n"] == 8
    assert runs.open_run(whole.path).rows("test").shape == (10, 6)


def test_what_is_read_from_disk_is_said_first(whole: runs.Run, recorder: Recorder):
    assert any("read from disk while training" in each for each in recorder.notes)


def test_files_that_changed_are_refused(whole: runs.Run, file: Path, tmp_path: Path):
    values = np.load(file)
    values[3, 2] += 1
    np.save(tmp_path / "real.npy", values)
    with pytest.raises(ValueError, match="the data that it began with were needed"):
        runs.resume(whole.path, data_path=tmp_path / "real.npy", reporter=Silent())
