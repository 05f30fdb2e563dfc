"""Blocks by the workers of Ray: the bits of one process, though a worker is killed on the way, and refusals."""

import json
import os
import signal
import socket
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from iwax import blocks, runs
from iwax.runs.reporter import Silent

ray = pytest.importorskip("ray")
pytestmark = pytest.mark.filterwarnings("ignore")  # Ray uses what it calls deprecated itself

ROWS = 240


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> runs.Run:
    folder, rng = tmp_path_factory.mktemp("on_ray"), np.random.default_rng(0)
    missing = rng.random((2, ROWS)) < [[0.2], [0.0]]
    table = {name: pa.array(rng.normal(size=ROWS), mask=m) for name, m in zip("ab", missing, strict=True)}
    pq.write_table(pa.table(table), folder / "x.parquet", row_group_size=50)
    sets = ["model.hidden=[4]", "model.latent=2", "training.epochs=1", "evaluation.k=2", "objective.k=1"]
    runs.train(runs.from_sources(data=str(folder / "x.parquet"), sets=sets), folder / "run", reporter=Silent())
    return runs.open_run(folder / "run")


def workers() -> list[int]:
    """The processes of Ray's workers for blocks that descend from this one."""
    parents, names = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            names[int(folder.name)] = (folder / "cmdline").read_text()
        except OSError:
            continue

    def ours(process: int) -> bool:
        return process == os.getpid() or (process in parents and ours(parents[process]))

    return [process for process, name in names.items() if name.startswith("ray::MapWorker") and ours(process)]


def written(folder: Path) -> dict[str, str]:
    """The digest of every file of results."""
    return {each["file"]: each["sha256"] for each in json.loads((folder / "manifest.json").read_text())["outputs"]}


@pytest.mark.slow
def test_a_worker_that_is_killed_changes_nothing(run, tmp_path):
    """Twelve blocks by two workers, one of which is killed after the first is written."""
    files, killed = [run.path.parent / "x.parquet"], []

    def kill() -> None:
        while not list((tmp_path / "ray").glob("*.parquet")):
            time.sleep(0.01)
        killed.append(workers()[0])
        os.kill(killed[0], signal.SIGKILL)

    def silent(done: int, total: int) -> None:
        pass

    task = blocks.Score(0, k=3000)
    blocks.apply(task, run, files, tmp_path / "one", rows=20, engine=blocks.Process(), progress=silent)
    threading.Thread(target=kill, daemon=True).start()
    found = blocks.apply(task, run, files, tmp_path / "ray", rows=20, engine=blocks.OnRay(2), progress=silent)
    assert (found.rows, found.blocks, found.kept, len(killed)) == (ROWS, 12, 0, 1)
    assert not Path(f"/proc/{killed[0]}").exists()
    assert written(tmp_path / "ray") == written(tmp_path / "one")
    assert not ray.is_initialized()


@pytest.mark.slow
def test_what_would_wait_for_ever_is_refused(run, tmp_path):
    """Workers that leave no processor to Ray Data; and what a worker refuses is said in its words."""
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=2**28)
    try:
        files, how = [run.path.parent / "x.parquet"], {"rows": 20, "progress": lambda done, total: None}
        with pytest.raises(
            ValueError, match=r"--workers 2: .* the cluster has 2 processors: take --workers 1 or fewer"
        ):
            blocks.apply(blocks.Embed(0), run, files, tmp_path / "out", engine=blocks.OnRay(2), **how)
        pq.write_table(pa.table({"c": [1.0]}), tmp_path / "other.parquet")
        other = [tmp_path / "other.parquet"]
        with pytest.raises(ValueError, match=r"other\.parquet: needed the 2 columns of training"):
            blocks.apply(blocks.Embed(0), run, other, tmp_path / "out", engine=blocks.OnRay(1), **how)
    finally:
        ray.shutdown()


@pytest.mark.parametrize("address", ["127.0.0.1:{port}", "ray://127.0.0.1:{port}"])
def test_an_address_where_nobody_answers_is_said(run, tmp_path, address):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        engine = blocks.OnRay(1, address.format(port=taken.getsockname()[1]))
        how = {"rows": 20, "engine": engine, "progress": lambda done, total: None}
        with pytest.raises(ConnectionError, match=r"no Ray answered \(Connection refused\); start one with ray start"):
            blocks.apply(blocks.Embed(0), run, [run.path.parent / "x.parquet"], tmp_path / "out", **how)


def test_an_address_has_a_host_and_a_port():
    with (
        pytest.raises(ValueError, match="--address must be HOST:PORT, ray://HOST:PORT or auto, got 'cluster'"),
        blocks.OnRay(1, "cluster").running(),
    ):
        pass
    with pytest.raises(ValueError, match="--workers must be 1 or more, got 0"):
        blocks.OnRay(0)
