"""Checkpoints under faults: kill -9 at any moment, a full disk, changed bits; nothing good lost, nothing bad read."""

import contextlib
import errno
import json
import random
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from iwax.storage import checkpoint
from iwax.storage.checkpoint import CorruptCheckpointError

# One process imports, and forks a saver a trial: an import a trial would take longer than all the rest. The saver
# says "saved n" down a pipe; it is killed at a random moment of its first five saves, in one or in a pruning.
KILLS = """
import json, os, random, signal, sys, time
from pathlib import Path
import numpy as np
from iwax.storage import checkpoint

folder, trials, megabytes = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
chance = random.Random(20)

def tree(step):
    return {"w": np.full(megabytes * 10**6 // 8, step, np.float32)}

def save_for_ever(pipe, step):
    while True:
        step += 1
        checkpoint.save(folder, step, model=tree(step), train=tree(-step), state={"validation": -abs(step - 3.5)})
        os.write(pipe, f"{step}\\n".encode())
        checkpoint.prune(folder, 3)

began = time.monotonic()
checkpoint.save(folder, 1, model=tree(1), train=tree(-1), state={"validation": -2.5})
a_save = time.monotonic() - began  # moments are counted in saves: a slow disk makes all of them later
acknowledged, failures, partial = 1, [], 0
for trial in range(10 * trials):
    if trial >= trials and acknowledged >= 4 and partial >= 1:
        break  # on a busy machine some of them die before a save, or between two, and more are needed
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            save_for_ever(writer, acknowledged)
        finally:
            os._exit(1)
    os.close(writer)
    time.sleep(a_save * chance.uniform(0.1, 5))
    os.kill(child, signal.SIGKILL)
    if not os.WIFSIGNALED(os.waitpid(child, 0)[1]):
        failures.append((trial, "the saver stopped by itself"))
    with os.fdopen(reader) as lines:
        acknowledged = max([acknowledged, *(int(line) for line in lines.read().split("\\n")[:-1])])
    partial += len(checkpoint.sweep(folder))
    found = checkpoint.search(folder)
    newest = int(found.path.name[5:]) if found.path else 0
    if found.skipped or newest < acknowledged or any(folder.glob(".*")):
        failures.append((trial, newest, acknowledged, list(map(str, found.skipped))))
    if found.path:
        loaded = checkpoint.load(found.path, model=tree(0), train=tree(0))
        if (loaded[0]["w"] != newest).any() or (loaded[1]["w"] != -newest).any() or loaded[2]["step"] != newest:
            failures.append((trial, "wrong content"))
    acknowledged = newest
print(json.dumps({"acknowledged": acknowledged, "failures": failures, "partial": partial}))
"""

ONE_SAVE = """
import sys
from pathlib import Path
import numpy as np
from iwax.storage import checkpoint
checkpoint.save(Path(sys.argv[1]), 5, model={"w": np.ones(3)}, train={"m": np.ones(3)}, state={})
"""

FULL_DISK = """
import json, sys
from pathlib import Path
import numpy as np
from iwax.storage import checkpoint
folder, step, refusal = Path(sys.argv[1]), 0, None
while refusal is None and step < 20:
    step += 1
    try:
        checkpoint.save(folder, step, model={"w": np.full(250_000, step, np.float32)}, train={}, state={})
    except OSError as error:
        refusal = {"errno": error.errno, "message": str(error)}
newest = checkpoint.latest(folder)
print(json.dumps({"refusal": refusal, "step": step, "left": sorted(path.name for path in folder.iterdir()),
                  "newest": newest.name, "steps": checkpoint.steps(folder)}))
"""


def run(script: str, *arguments: object, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess:
    command = [*before, sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)


def save(folder: Path, step: int) -> Path:
    model = {"w": np.full(40, step, np.float32), "b": np.arange(5)}
    return checkpoint.save(
        folder, step, model=model, train={"m": np.full(30, -step, np.float64)}, state={"epoch": step}
    )


def load(path: Path):
    model = {"w": np.zeros(40, np.float32), "b": np.zeros(5, int)}
    return checkpoint.load(path, model=model, train={"m": np.zeros(30)})


@contextlib.contextmanager
def files_limited_to(size: int):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(
    ("trials", "megabytes"), [(4, 8), pytest.param(200, 48, marks=pytest.mark.slow)], ids=["quick", "release"]
)
def test_kill_at_any_moment(tmp_path, trials, megabytes):
    done = run(KILLS, tmp_path, trials, megabytes)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["failures"] == []
    assert result["acknowledged"] >= 4
    assert result["partial"] >= 1, "no kill fell into a save: the test tests nothing"


def test_written_synced_renamed_synced(tmp_path):
    if shutil.which("strace") is None:
        pytest.skip("needs strace to watch the order of system calls")
    trace, folder = tmp_path / "trace", tmp_path / "checkpoints"
    watched = "trace=write,fsync,fdatasync,rename,renameat,renameat2"
    done = run(ONE_SAVE, folder, before=("strace", "-f", "-y", "-s", "0", "-e", watched, "-o", str(trace)))
    if done.returncode != 0 and not (folder / "step-5").exists():
        pytest.skip(f"strace cannot watch programs here: {done.stderr.strip()[-200:]}")
    events = []
    for line in trace.read_text().splitlines():
        if call := re.search(r"(write|fsync|fdatasync)\(\d+<([^>]*)>", line):
            events.append((call[1].replace("fdatasync", "fsync"), Path(call[2]).name))
        elif "rename" in line and "step-5" in line:
            events.append(("rename", "step-5"))
    partial = next(name for kind, name in events if name.startswith(".step-5."))
    files = ["model.safetensors", "train.safetensors", "state.json", "manifest.json"]
    order = [events.index(("fsync", name)) for name in files]
    assert order == sorted(order), "the manifest is written last, everything before it is on the disk"
    for name, synced in zip(files, order, strict=True):
        assert max(at for at, event in enumerate(events) if event == ("write", name)) < synced
    assert order[-1] < events.index(("fsync", partial)) < events.index(("rename", "step-5"))
    assert events.index(("rename", "step-5")) < events.index(("fsync", "checkpoints"))


@pytest.mark.slow
def test_a_full_disk(tmp_path):
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare to mount a small disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = f'mount -t tmpfs -o size=3500k iwax "{disk}" && exec "$@"'
    namespace = ("unshare", "--map-root-user", "--user", "--mount", "sh", "-c", mount, "sh")
    if run("", before=namespace).returncode != 0:
        pytest.skip("mounting a small disk is not permitted here")
    done = run(FULL_DISK, disk, before=namespace)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["refusal"]["errno"] == errno.ENOSPC
    sizes = re.search(r"cannot write .*/step-4: needed (\d+) bytes, (\d+) bytes free", result["refusal"]["message"])
    assert int(sizes[1]) > 1_000_000 > int(sizes[2]) > 0
    assert result["left"] == ["step-1", "step-2", "step-3"]
    assert result["newest"] == "step-3"


@pytest.mark.parametrize("limit", [0, 100, 300, 400])
def test_a_file_too_large_for_the_disk(tmp_path, limit):
    good = save(tmp_path, 1)
    with files_limited_to(limit), pytest.raises(OSError, match=r"step-2: needed \d+ bytes, \d+ bytes free") as caught:
        save(tmp_path, 2)
    assert caught.value.errno == errno.ENOSPC
    assert [path.name for path in tmp_path.iterdir()] == ["step-1"]
    assert checkpoint.latest(tmp_path) == good
    checkpoint.verify(save(tmp_path, 2))


def test_an_interrupt_while_saving_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(files, name, data):
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint.Enclosed, "create", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save(tmp_path, 1)
    assert list(tmp_path.iterdir()) == []


def damaged(data: bytes, chance: random.Random) -> bytes:
    if chance.random() < 0.2:
        return data[: chance.randrange(len(data))]
    position = chance.randrange(len(data))
    return data[:position] + bytes([data[position] ^ (1 << chance.randrange(8))]) + data[position + 1 :]


@pytest.mark.parametrize("trials", [300, pytest.param(2500, marks=pytest.mark.slow)], ids=["quick", "release"])
def test_changed_bits_and_cut_files(tmp_path, trials):
    good, path = save(tmp_path, 1), save(tmp_path, 2)
    chance = random.Random(21)
    files = sorted(path.iterdir())
    for trial in range(trials):
        file = files[trial % len(files)]
        data = file.read_bytes()
        file.write_bytes(damaged(data, chance))
        with pytest.raises(CorruptCheckpointError, match=re.escape(str(path))) as caught:
            load(path)
        assert file.name in ("manifest.json", caught.value.file.name)
        found = checkpoint.search(tmp_path)
        assert (found.path, len(found.skipped)) == (good, 1)
        file.write_bytes(data)
    load(path)


@pytest.mark.parametrize("name", ["model.safetensors", "train.safetensors", "state.json", "manifest.json"])
def test_empty_missing_and_swapped_files(tmp_path, name):
    other, path = save(tmp_path, 1), save(tmp_path, 2)
    file = path / name
    data = file.read_bytes()
    for make in (lambda: file.write_bytes(b""), file.unlink, lambda: shutil.copy(other / name, file), file.mkdir):
        if make == file.mkdir:
            file.unlink()
        make()
        with pytest.raises(CorruptCheckpointError, match=name):
            load(path)
        assert checkpoint.latest(tmp_path) == other
        if file.is_dir():
            file.rmdir()
        file.write_bytes(data)
    load(path)


def test_a_folder_under_the_name_of_another_step(tmp_path):
    path = save(tmp_path, 2)
    path.rename(tmp_path / "step-3")
    with pytest.raises(CorruptCheckpointError, match=r"needed step 3, got step 2"):
        load(tmp_path / "step-3")
