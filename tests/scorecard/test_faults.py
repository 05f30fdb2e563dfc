"""Scorecard, faults: kills, full disks, changed bytes, bad downloads, claims of one folder, unwritable places, signals."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import run_folders

from iwax.training import checkpoint

ROOT = Path(__file__).parents[2]


def ran(*names: str) -> tuple[Counter[str], str]:
    """Run tests of the project in a process of their own: how many passed, failed, were skipped, and what was said."""
    command = [sys.executable, "-m", "pytest", "-q", "-rs", "-m", "slow or not slow", *names]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)
    counts = Counter({word: int(n) for n, word in re.findall(r"(\d+) (passed|failed|skipped|error)", done.stdout)})
    return counts, done.stdout[-2000:]


# -- F1, F2, F3: killed at any moment -------------------------------------------------------------------------------

KILLS = 200
HALF = 6 * 10**6  # numbers in each half of a checkpoint of 48 MB
SAVES = """
import os, numpy as np
from pathlib import Path
from iwax.training import checkpoint
folder, step = Path({folder!r}), {step}
said = os.open({said!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
while True:
    step += 1
    half = np.full({half}, step, np.float32)
    checkpoint.save(folder, step, model={{"w": half}}, train={{"w": -half}}, state={{"validation": -abs(step - 3.5)}})
    os.write(said, b"%d\\n" % step)
    checkpoint.prune(folder, 3)
"""


@pytest.fixture
def another_disk(tmp_path):
    """A folder for temporary files that lies on another file system than the test's own."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("needs a second file system for temporary files")
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


def newest(folder: Path) -> int:
    """The step of the newest checkpoint that loads, of which every number is the one that was saved; 0 of none."""
    found = checkpoint.latest(folder)
    if found is None:
        return 0
    template = {"w": np.zeros(HALF, np.float32)}
    model, train, state = checkpoint.load(found, model=template, train=template)
    step = int(found.name.removeprefix("step-"))
    return step if (model["w"] == step).all() and (train["w"] == -step).all() and state["step"] == step else -1


@pytest.mark.scorecard(
    "F1", "kill -9 while 48 MB checkpoints are saved, TMPDIR on another disk", "200/200 load, none acknowledged is lost"
)
def test_killed_while_saving(program, tmp_path, another_disk, figure):
    folder, said, chance = tmp_path / "checkpoints", tmp_path / "said", random.Random(2)
    begun = time.monotonic()
    half = np.ones(HALF, np.float32)
    checkpoint.save(folder, 1, model={"w": half}, train={"w": -half}, state={"validation": -2.5})
    a_save = time.monotonic() - begun  # moments are counted in saves: a slow disk makes all of them later
    known, acknowledged, partial, bad = 1, 1, 0, []
    for trial in range(KILLS):
        text = SAVES.format(folder=str(folder), said=str(said), step=known, half=HALF)
        call = program.begin(text, environment={"TMPDIR": str(another_disk)})
        time.sleep(a_save * chance.uniform(0.3, 3))
        call.kill()
        if call.wait().code != -signal.SIGKILL:
            bad.append((trial, "the saver ended by itself"))
        acknowledged = int(said.read_text().split("\n")[-2]) if said.exists() else 1
        partial += len(checkpoint.sweep(folder))
        known = newest(folder)
        if known < acknowledged or any(folder.glob(".*")):
            bad.append((trial, known, acknowledged))
    figure(f"{KILLS - len(bad)} of {KILLS} load, {known} steps saved, {partial} kills fell into a save or a pruning")
    assert bad == []
    assert partial >= KILLS // 20, "hardly a kill fell into a save: the check checks nothing"
    assert list(another_disk.iterdir()) == []


PLACED = (  # moments at which the program ends itself, as kill -9 would
    ("at the start", "open", "run.lock", 1),
    ("before its settings are there", "os.rename", "config.json", 1),
    ("in the first save", "open", "train.safetensors", 1),
    ("before a save is named", "os.rename", "step-", 3),
    ("in a pruning", "shutil.rmtree", ".partial", 1),
    ("at the end of an epoch", "open", "train.safetensors", 4),
    ("before the evaluation", "open", "evaluation", 1),
    ("in the evaluation", "os.rename", ".npz", 1),
)


def lines(file: Path) -> int:
    return file.read_bytes().count(b"\n") if file.exists() else 0


class Killed:
    """A run that the program trains, is killed in, and takes up again; what became of each call."""

    def __init__(self, program, run: Path, rows: Path, epochs: int) -> None:
        self.program, self.run, self.kills, self.dead_ends = program, run, Counter(), []
        self.words = ["train", rows, *run_folders.TINY, "--epochs", epochs, "--output", run]

    def begin(self, first: str = ""):
        """Train where nothing was begun, resume where something was."""
        begun = (self.run / "config.json").is_file() and (self.run / "env.json").is_file()
        return self.program.begin(["resume", self.run, "--quiet"] if begun else self.words, first=first)

    def end(self, name: str, call) -> None:
        """Wait for a call that was to be killed; a folder that neither verb takes is a dead end, and is removed."""
        done = call.wait()
        if done.code == -signal.SIGKILL:
            self.kills[name] += 1
        elif done.code != 0:
            self.dead_ends.append((name, done.last))
            shutil.rmtree(self.run)

    def place(self, name: str, event: str, word: str, count: int) -> None:
        """Kill it at an event."""
        self.end(name, self.begin(run_folders.killed_at(event, word, count)))

    def strike(self, rows: int, pause: float) -> None:
        """Kill it a moment after so many stretches more."""
        file = self.run / "timing.jsonl"
        call, wanted = self.begin(run_folders.slowed_at("open", "state.json", 0.01)), lines(file) + rows
        while not call.ended() and lines(file) < wanted:
            time.sleep(0.005)
        time.sleep(pause)
        call.kill()
        self.end("at random", call)


@pytest.mark.scorecard(
    "F2", "kill -9 of the program at placed and at random moments, then resume", "same bytes, no epoch twice or missing"
)
def test_killed_anywhere_and_resumed(program, tmp_path, figure):
    rows, chance = run_folders.binary_rows(tmp_path), random.Random(3)
    whole = run_folders.trained(program, rows, tmp_path / "whole", epochs=60)
    killed = Killed(program, tmp_path / "killed", rows, epochs=60)
    for moment in PLACED[:-2]:
        killed.place(*moment)
    for _ in range(6):
        killed.strike(chance.randrange(1, 6), chance.uniform(0, 0.05))
    for moment in PLACED[-2:]:
        killed.place(*moment)
    last = killed.begin().wait()
    found, wanted = run_folders.learned(killed.run), run_folders.learned(whole)
    differing = sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name))
    figure(
        f"{killed.kills.total()} kills ({', '.join(f'{n} {name}' for name, n in killed.kills.items())}): "
        f"{len(wanted) - len(differing)} of {len(wanted)} files have the same bytes, {len(killed.dead_ends)} dead ends"
    )
    assert killed.dead_ends == []
    assert last.code == 0, last.err
    assert differing == []
    assert run_folders.epochs_out_of_place(killed.run) == []
    assert not [path for path in killed.run.rglob(".*")]
    assert killed.kills.keys() >= {name for name, *_ in PLACED}
    assert killed.kills["at random"] >= 4


@pytest.mark.scorecard("F3", "order of the system calls of a save, by strace", "write, fsync, rename, fsync; manifest last")
def test_the_order_on_the_disk(figure):
    counts, said = ran("tests/faults/test_checkpoint_faults.py::test_written_synced_renamed_synced")
    if counts["skipped"]:
        pytest.skip(said.splitlines()[-2])
    figure("write, fsync, rename, fsync of the folder, the manifest last (tests/faults/test_checkpoint_faults.py)")
    assert counts == {"passed": 1}, said
