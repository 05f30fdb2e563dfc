"""Stopped anywhere, killed anywhere, resumed: the same bytes as a run that nothing happened to."""

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from oracles.resealing import sealed_again

from iwax import runs
from iwax.runs.reporter import Silent
from iwax.runs.verify import BAD, verify
from iwax.storage import checkpoint, record

# Trains or resumes, whichever the folder asks for, as the command line does.
PROGRAM = """
import sys
from pathlib import Path
from iwax import runs
from iwax.training import windows
windows.BYTES = 200  # of data on disk: many windows an epoch
config, run = runs.from_sources(file=sys.argv[1]), Path(sys.argv[2])
if (run / "config.json").is_file():
    runs.resume(run, reporter=runs.Silent())
else:
    runs.train(config, run, reporter=runs.Silent())
"""


def settings(folder, *, epochs, save_seconds, on_disk="null"):
    values = np.random.default_rng(0).integers(0, 2, (100, 6), np.uint8)
    np.save(folder / "rows.npy", values)
    sets = [
        *("model.hidden=[4]", "model.latent=2", "objective.k=2", "objective.beta_warmup=3", "training.batch=7"),
        *("training.validate_every=2", f"training.checkpoint_seconds={save_seconds}", f"data.on_disk={on_disk}"),
    ]
    config = runs.from_sources(data=str(folder / "rows.npy"), sets=sets, flags={"training.epochs": epochs})
    (folder / "given.json").write_text(config.model_dump_json())
    return config


def digests(run):
    """SHA-256 of the records and of every file of the newest and of the best checkpoint."""
    saved = (checkpoint.latest(run / "checkpoints"), checkpoint.best(run / "checkpoints"))
    assert all(saved)
    files = [run / "metrics.jsonl", *(file for folder in saved for file in sorted(folder.iterdir()))]
    return {str(file.relative_to(run)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


@pytest.mark.slow
def test_stops_in_the_middle_of_epochs_leave_no_trace(tmp_path):
    config = settings(tmp_path, epochs=5, save_seconds=1000)
    whole = runs.train(config, tmp_path / "whole", reporter=Silent()).path

    class Restless(Silent):
        """Asks for a stop at every third segment; the first segments of a sitting are of one step and two."""

        def __init__(self):
            self.steps, self.segments = [], 0

        def training(self, progress):
            self.segments += 1
            self.steps.append(progress.step)

        def enough(self):
            return self.segments % 3 == 0

    restless = Restless()
    cut = runs.train(config, tmp_path / "cut", reporter=restless, stop=restless.enough).path
    stops = [restless.steps[-1]]
    while stops[-1] < 5 * 12:
        runs.resume(cut, reporter=restless, stop=restless.enough)
        stops.append(restless.steps[-1])
        assert len(stops) < 30
    assert sum(stop % 12 != 0 for stop in stops) >= 4  # most of them in the middle of an epoch
    assert digests(cut) == digests(whole)
    steps = [row["step"] for row in record.read(cut / "timing.jsonl")]
    assert steps == sorted(set(steps))


def test_rows_and_checkpoints_after_the_last_sound_one_are_made_again(tmp_path):
    config = settings(tmp_path, epochs=3, save_seconds=0)
    run = runs.train(config, tmp_path / "run", reporter=Silent()).path
    before = digests(run)
    newest = checkpoint.latest(run / "checkpoints")
    (newest / "train.safetensors").write_bytes(b"")
    runs.resume(run, reporter=Silent())
    after = digests(run)
    assert after == before
    assert len(record.read(run / "metrics.jsonl")) == 3


def killed_at(folder, run, wait):
    """Start the program, kill it -9 at the moment that `wait` gives, and say whether it was still at work."""
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", PROGRAM, str(folder / "given.json"), str(run)]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
    try:
        wait(process)
    finally:
        process.send_signal(signal.SIGKILL)
        _, message = process.communicate()
    assert process.returncode in (0, -signal.SIGKILL), message.decode()
    return process.returncode == -signal.SIGKILL


def after_rows(run: Path, rows: int, more: float):
    """Wait until `rows` more segments have been recorded, and a moment longer."""

    def segments():
        file = run / "timing.jsonl"
        return file.read_bytes().count(b"\n") if file.exists() else 0

    def wait(process):
        deadline, start = time.monotonic() + 120, None
        while process.poll() is None and time.monotonic() < deadline:
            # A resumed sitting cuts the record back first: count from the least that was seen.
            start = segments() if start is None else min(start, segments())
            if segments() >= start + rows:
                time.sleep(more)
                return
            time.sleep(0.001)

    return wait


def killed_and_resumed(folder, *, moments, epochs, seed, on_disk="null"):
    config = settings(folder, epochs=epochs, save_seconds=0, on_disk=on_disk)
    whole = runs.train(config, folder / "whole", reporter=Silent()).path
    run, chance = folder / "killed", random.Random(seed)
    kills = 0
    for _ in range(moments):
        wait = after_rows(run, chance.randrange(1, epochs // moments), chance.uniform(0, 0.01))
        kills += killed_at(folder, run, wait)
        assert not [each for each in verify(run) if each.state in BAD]
    runs.resume(run, reporter=Silent())
    assert kills == moments
    assert digests(run) == digests(whole)
    assert not list(run.rglob(".*"))
    assert {each.state for each in verify(run)} == {"whole"}


@pytest.mark.slow
def test_kill_minus_nine_at_a_random_moment(tmp_path):
    killed_and_resumed(tmp_path, moments=1, epochs=20, seed=1)


@pytest.mark.slow
def test_kill_minus_nine_while_rows_are_read_from_disk(tmp_path):
    pytest.importorskip("grain")
    killed_and_resumed(tmp_path, moments=2, epochs=40, seed=3, on_disk="true")


@pytest.mark.slow
def test_kill_minus_nine_at_ten_random_moments(tmp_path):
    killed_and_resumed(tmp_path, moments=10, epochs=400, seed=2)


def test_killed_before_the_first_checkpoint(tmp_path):
    config = settings(tmp_path, epochs=2, save_seconds=0)
    run = runs.train(config, tmp_path / "run", reporter=Silent()).path
    before = digests(run)
    for path in (run / "checkpoints").iterdir():
        path.rename(tmp_path / f"gone-{path.name}")
    (run / "metrics.jsonl").write_bytes(b'{"epoch": 1, "step": 12, "bo')  # and a row cut off
    sealed_again(run)
    runs.resume(run, reporter=Silent())
    assert digests(run) == before


@pytest.mark.slow
def test_a_run_from_a_run_resumes_without_it_but_starts_at_nothing_else(tmp_path):
    config, source = settings(tmp_path, epochs=1, save_seconds=1000), tmp_path / "source"
    runs.train(config, source, reporter=Silent())
    flags = {"start": str(source), "training.epochs": 1, "training.batch": 50}
    second = runs.train(runs.from_sources(flags=flags), tmp_path / "second", reporter=Silent()).path
    weights = checkpoint.latest(second / "checkpoints") / "model.safetensors"
    before = weights.read_bytes()
    source.rename(tmp_path / "moved")
    runs.resume(second, reporter=Silent())
    (tmp_path / "moved").rename(source)
    shutil.rmtree(second / "checkpoints")  # as if killed before the first was written
    runs.resume(second, reporter=Silent())
    assert weights.read_bytes() == before
    shutil.rmtree(second / "checkpoints")
    (source / "checkpoints" / "step-12").rename(tmp_path / "gone")
    with pytest.raises(ValueError, match=r"step-12 of run .*not there any more"):
        runs.resume(second, reporter=Silent())
