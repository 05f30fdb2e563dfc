"""Several processes that train one model: who joins, what is refused, and that a death is no wait."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from iwax import processes

WORDS = [sys.executable, "-c", "from iwax.cli import main; main()"]
TRAIN = ["train", "digits", "--set", "model.hidden=[16]", "--set", "training.checkpoint_seconds=1"]


def test_alone_a_process_is_the_first_and_agrees_with_itself():
    with processes.joined(environment={"SLURM_NTASKS": "1", "SLURM_PROCID": "0"}):
        assert processes.count() == 1
        assert processes.is_first()
        assert processes.agreed(7) == 7
        assert processes.anyone(True)
        tree = {"a": np.ones(2)}
        assert processes.of_first(tree) is tree
        processes.same("settings", "the settings")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("here:9", 2, None), "--coordinator, --processes and --process, --process is missing"),
        ((None, 2, 0), "--coordinator is missing"),
        (("here:9", 2, 2), "--process needs to be from 0 to 1, of --processes 2, got 2"),
        (("here", 2, 0), "--coordinator needs to be HOST:PORT, got 'here'"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_connected(given, message: str):
    with pytest.raises(ValueError, match=message), processes.joined(*given, environment={}):
        pass


def started(number: int, port: int, *words: str, **environment: str) -> subprocess.Popen[str]:
    several = ["--coordinator", f"localhost:{port}", "--processes", "2", "--process", str(number)]
    return subprocess.Popen(
        [*WORDS, *words, *([] if environment else several)],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("localhost", 0))
        return found.getsockname()[1]


def history(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def ended(process: subprocess.Popen[str], seconds: float) -> tuple[int, str]:
    said, _ = process.communicate(timeout=seconds)
    return process.returncode, said


def until_two_checkpoints(run: Path, both: list[subprocess.Popen[str]]) -> None:
    for _ in range(600):
        time.sleep(0.5)
        assert all(each.poll() is None for each in both)
        if len(list((run / "checkpoints").glob("step-*"))) > 2:
            return
    raise AssertionError("no checkpoint after five minutes")


@pytest.mark.slow
def test_two_processes_train_as_one_and_the_run_goes_on_with_one(tmp_path: Path):
    alone, together = tmp_path / "one", tmp_path / "two"
    subprocess.run([*WORDS, *TRAIN, "--epochs", "3", "--output", str(alone)], check=True, capture_output=True)
    port = free_port()
    both = [started(i, port, *TRAIN, "--epochs", "3", "--output", str(together)) for i in (0, 1)]
    (code, said), (other, _) = (ended(each, 500) for each in both)
    assert (code, other) == (0, 0), said
    assert "test log p(x) = " in said
    for a, b in zip(history(alone), history(together), strict=True):
        assert a["step"] == b["step"]
        assert a["bound"] == pytest.approx(b["bound"], rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("killed", [0, 1])
def test_a_death_ends_the_other_within_a_minute_and_two_or_one_resume(tmp_path: Path, killed: int):
    run, port = tmp_path / "run", free_port()
    both = [started(i, port, *TRAIN, "--epochs", "100000", "--output", str(run)) for i in (0, 1)]
    until_two_checkpoints(run, both)
    both[killed].kill()
    both[killed].communicate()
    code, said = ended(both[1 - killed], 60)
    assert code != 0
    assert "another process of this training ended" in said or "another task died" in said  # or JAX was sooner
    before = len(history(run))
    port = free_port()
    both = [started(i, port, "resume", str(run)) for i in (0, 1)]
    for _ in range(600):
        time.sleep(0.5)
        if len(history(run)) > before + 1:
            break
    for each in both:
        each.send_signal(signal.SIGTERM)
    (code, said), _ = (ended(each, 120) for each in both)
    assert code == 143, said
    assert "the checkpoint is written" in said
    assert [row["epoch"] for row in history(run)] == list(range(1, len(history(run)) + 1))
