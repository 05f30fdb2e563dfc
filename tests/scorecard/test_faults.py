"""Scorecard, faults: kills, full disks, changed bytes, bad downloads, shared folders, read-only ones, signals."""

import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

import equinox as eqx
import jax
import numpy as np
import pytest
from oracles import faulty_server, run_folders
from oracles.forked_program import Program
from oracles.project_tests import named, ran

from iwax import runs
from iwax.runs import measurements
from iwax.runs.verify import BAD, verify
from iwax.storage import checkpoint
from iwax.storage.checkpoint import CorruptCheckpointError
from iwax.storage.sealed import Sealed

ROOT = Path(__file__).parents[2]


# -- F1, F2, F3: killed at any moment -------------------------------------------------------------------------------

KILLS = 200
HALF = 6 * 10**6  # numbers in each half of a checkpoint of 48 MB
SAVES = """
import os, numpy as np
from pathlib import Path
from iwax import runs
from iwax.runs import measurements
from iwax.storage.sealed import Sealed
from iwax.runs.verify import BAD, verify
from iwax.storage import checkpoint
from iwax.storage.checkpoint import CorruptCheckpointError
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
        """Kill it a moment after `n` further compiled segments."""
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
    assert not list(killed.run.rglob(".*"))
    assert killed.kills.keys() >= {name for name, *_ in PLACED}
    assert killed.kills["at random"] >= 4


@pytest.mark.scorecard(
    "F3", "order of the system calls of a save, by strace", "write, fsync, rename, fsync; manifest last"
)
def test_the_order_on_the_disk(figure):
    counts, said = ran("tests/faults/test_checkpoint_faults.py::test_written_synced_renamed_synced")
    if counts["skipped"]:
        pytest.skip(said.splitlines()[-2])
    figure("write, fsync, rename, fsync of the folder, the manifest last (tests/faults/test_checkpoint_faults.py)")
    assert counts == {"passed": 1}, said


# -- F4: full disks -------------------------------------------------------------------------------------------------

FILL = """
import json, os, shutil, sys
from pathlib import Path
from oracles import run_folders
disk, left = Path({disk!r}), {left}
for each in disk.iterdir():
    shutil.rmtree(each) if each.is_dir() else each.unlink()
if {run!r}:
    shutil.copytree({run!r}, disk / "run")
handle = os.open(disk / "filler", os.O_WRONLY | os.O_CREAT)
try:
    while True:
        os.write(handle, bytes(1024))
except OSError:
    os.ftruncate(handle, max(0, os.fstat(handle).st_size - left))
os.close(handle)
print(json.dumps(run_folders.content(disk)))
"""
LOOK = """
import hashlib
import json
from pathlib import Path
from oracles import run_folders
from iwax import runs
from iwax.runs import measurements
from iwax.storage.sealed import Sealed
from iwax.runs.verify import BAD, verify
from iwax.storage import checkpoint
from iwax.storage.checkpoint import CorruptCheckpointError
disk = Path({disk!r})
folder = disk / "run" / "checkpoints"
newest = checkpoint.search(folder)
print(json.dumps({{"content": run_folders.content(disk), "newest": newest.path and newest.path.name,
                   "damaged": len(newest.skipped)}}))
"""
FULL = (  # the verb, its words, whether a run lies on the disk, bytes left on it
    ("train", ("{rows}", *run_folders.TINY, "--epochs", "2", "--output", "{disk}/run"), False, 0),
    ("train", ("{rows}", *run_folders.TINY, "--epochs", "2", "--output", "{disk}/run"), False, 12_288),
    ("train", ("{rows}", *run_folders.TINY, "--epochs", "9", "--output", "{disk}/run"), False, 81_920),
    ("resume", ("{disk}/run",), True, 0),
    ("resume", ("{disk}/run",), True, 12_288),
    ("evaluate", ("{disk}/run", "--k", "7"), True, 0),
    ("sample", ("{run}", "-n", "5000", "-o", "{disk}/x.npy"), True, 4096),
    ("sample", ("{run}", "-n", "5000", "-o", "{disk}/x.csv"), True, 4096),
    ("sample", ("{run}", "-n", "100", "-o", "{disk}/x.png"), True, 0),
    ("embed", ("{run}", "{rows}", "-o", "{disk}/x.csv"), True, 0),
    ("report", ("{run}", "-o", "{disk}/x.html"), True, 4096),
)


RECORDS = ("metrics.jsonl", "timing.jsonl", "log.txt", "seal.json")


def said_of_a_full_disk(done, disk: Path) -> str:
    """What is wrong with what the program said where a disk was full; nothing where nothing is."""
    words = re.search(r"needed (at least )?[\d,]+ bytes", done.err), re.search(r"([\d,]+) bytes free", done.err)
    wrong = [f"exit {done.code}"] if done.code != 3 else []
    wrong += ["no path"] if str(disk) not in done.err else []
    wrong += ["no bytes"] if not all(words) else []
    return ", ".join([*wrong, *(["a traceback"] if "Traceback" in done.err else [])])


@pytest.fixture
def small_disk(tmp_path):
    """A program that sees a disk of 4 MB, and where it lies."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = f'mount -t tmpfs -o size=4000k iwax "{disk}" && exec "$@"'
    words = ("unshare", "--map-root-user", "--user", "--mount", "sh", "-c", mount, "sh")
    try:
        possible = subprocess.run([*words, "true"], check=False, capture_output=True).returncode == 0
    except OSError:
        possible = False
    if not possible:
        pytest.skip("mounting a small disk is not permitted here")
    with Program(*words) as there:
        yield there, disk


@pytest.mark.scorecard(
    "F4", "a disk that is full in every verb that writes", "exit 3 with path and bytes; nothing good lost, nothing left"
)
def test_full_disks(small_disk, whole, tmp_path, figure):
    there, disk = small_disk
    rows = run_folders.binary_rows(tmp_path)
    unfinished = run_folders.copied(whole, tmp_path / "unfinished")
    for each in sorted((unfinished / "checkpoints").iterdir())[1:]:
        shutil.rmtree(each)  # steps are left to do
    wrong = []
    for verb, words, lies, left in FULL:
        run = str(unfinished if verb == "resume" else whole) if lies else ""
        filled = there.python(FILL.format(disk=str(disk), run=run, left=left))
        assert filled.code == 0, filled.err
        before = json.loads(filled.out)
        done = there.iwax(verb, *(word.format(rows=rows, disk=disk, run=whole) for word in words), "--quiet")
        found = json.loads(there.python(LOOK.format(disk=str(disk))).out)
        grows = RECORDS if verb == "resume" else ()  # rows after the checkpoint are made again
        lost = [name for name in before if found["content"].get(name) != before[name] and not name.endswith(grows)]
        hidden = [name for name in found["content"] if "/." in f"/{name}" or name.endswith((".tmp", ".partial"))]
        half = [name for name in found["content"].keys() - before if name.startswith("x.")]
        said = said_of_a_full_disk(done, disk)
        if said or lost or hidden or half or found["damaged"] or (lies and not found["newest"]):
            wrong.append((verb, left, said, lost, hidden + half, done.last))
    figure(f"{len(FULL) - len(wrong)} of {len(FULL)} say path and bytes, lose and leave nothing{named(wrong)}")
    assert wrong == []


# -- F8, F9, F10: one folder, one owner; places that cannot be written; signals --------------------------------------

ROUNDS, OWNERS = 60, 4
CLAIMS = """
import os, time
from pathlib import Path
from iwax.runs.folder import claimed
place, number = Path({place!r}), {number}
os.chdir(place)
def meet(name):
    (place / f"{{name}}-{{number}}").touch()
    while len(list(place.glob(f"{{name}}-*"))) < {owners}:
        time.sleep(0.0005)
for trial in range({rounds}):
    for kind in ("named", "fresh"):
        meet(f"{{kind}}.{{trial}}")
        try:
            output = place / f"run-{{trial}}" if kind == "named" else None
            with claimed(output, name="iwae", data=f"x{{trial}}", seed=0) as folder:
                mine = folder.path / f"owner-{{number}}"
                mine.touch()
                with open(folder.path / "rows", "ab", buffering=0) as rows:
                    for _ in range(3):
                        rows.write(b"%d\\n" % number)
                        time.sleep(0.002)
                others = [each.name for each in folder.path.glob("owner-*") if each != mine]
                reported = "second" if others else "owner"
        except (FileExistsError, BlockingIOError, FileNotFoundError) as error:
            reported = f"refused {{type(error).__name__}}: {{error}}"
        print(f"{{kind}} {{reported}}", flush=True)
"""


@pytest.mark.scorecard(
    "F8", "4 processes claim one folder and fresh names at one moment; the holder is killed", "one owner of each folder"
)
def test_claims_of_one_folder(program, whole, tmp_path, figure):
    place = tmp_path / "place"
    place.mkdir()
    texts = [CLAIMS.format(place=str(place), number=n, owners=OWNERS, rounds=ROUNDS) for n in range(OWNERS)]
    ended = [call.wait() for call in [program.begin(text) for text in texts]]
    assert [done.code for done in ended] == [0] * OWNERS, ended
    reported = [line for done in ended for line in done.out.splitlines()]
    mixed = [file for file in place.rglob("rows") if len(set(file.read_text().split())) != 1]
    owners, second = sum(line.endswith(" owner") for line in reported), sum("second" in line for line in reported)
    met = [line for line in reported if "BlockingIOError" in line]
    nameless = [line for line in met if not re.search(r'"pid": \d+.*"host"', line)]
    other = [line for line in reported if "FileNotFoundError" in line]

    run = run_folders.copied(whole, tmp_path / "run")
    for each in sorted((run / "checkpoints").iterdir())[1:]:
        shutil.rmtree(each)
    holder = program.begin(["resume", run, "--quiet"], first=run_folders.slowed_at("open", "train.safetensors", 30))
    end = time.monotonic() + 60
    while not lines(run / "run.lock") and time.monotonic() < end:
        time.sleep(0.01)
    refused = program.iwax("resume", run, "--quiet")
    holder.kill()
    holder.wait()
    taken = program.iwax("resume", run, "--quiet")
    figure(
        f"{len(reported)} claims: {owners} owners, {len(reported) - owners - second} refusals, {second} second owners, "
        f"{len(mixed)} mixed folders; the lock of a killed holder is taken over"
    )
    assert (len(reported), mixed, second, nameless, other) == (2 * OWNERS * ROUNDS, [], 0, [], [])
    assert refused.code == 2
    assert f'"pid": {holder.pid}' in refused.err
    assert taken.code == 0, taken.err


IWAX = (sys.executable, "-c", "from iwax.cli import main; main()")


def started(*words: object, before: tuple[str, ...] = (), cwd: Path, **environment: str):
    """The program in a process that imports everything anew: exit code, stderr, seconds of CPU."""
    command = [*before, *IWAX, *map(str, words)]
    process = subprocess.Popen(
        command, cwd=cwd, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    err = process.stderr.read().decode()
    process.stderr.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, err, usage.ru_utime + usage.ru_stime


@pytest.mark.scorecard(
    "F9", "an output that cannot be written, no home, no cache", "exit 2 or 3, one line, before training, < 3 s of CPU"
)
def test_places_that_cannot_be_written(tmp_path, figure):
    rows = run_folders.binary_rows(tmp_path)
    file, disk = tmp_path / "file", tmp_path / "disk"
    file.write_text("here")
    disk.mkdir()
    mount = f'mount -t tmpfs -o ro iwax "{disk}" && cd "$HERE" && exec "$@"'
    namespace = ("unshare", "--map-root-user", "--user", "--mount", "sh", "-c", mount, "sh")
    long, nowhere = "x" * 300, "/proc/no-such-place"
    homeless = {"HOME": nowhere, "XDG_CACHE_HOME": nowhere, "IWAX_DATA": "", "HTTPS_PROXY": "http://127.0.0.1:9"}
    homeless |= dict.fromkeys(("HTTP_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"), "http://127.0.0.1:9")
    train = ("train", rows, "--epochs", "1", "--quiet")
    trials = {
        "read-only disk": ((*train, "--output", disk / "run"), namespace, {"HERE": str(tmp_path)}, 2),
        "read-only folder to work in": (train, namespace, {"HERE": str(disk)}, 2),
        "a file in the way": ((*train, "--output", file), (), {}, 2),
        "below a file": ((*train, "--output", file / "run"), (), {}, 2),
        "/proc": ((*train, "--output", "/proc/run"), (), {}, 2),
        "a name of 300 characters": ((*train, "--output", tmp_path / long), (), {}, 2),
        "no home, no cache": (("train", "mnist-static", "--epochs", "1", "--quiet"), (), homeless, 3),
    }
    if subprocess.run([*namespace, "true"], env={**os.environ, "HERE": "/"}, check=False).returncode != 0:
        pytest.skip("mounting a read-only disk is not permitted here")
    wrong, slow, slowest = [], [], 0.0
    for name, (words, before, environment, wanted) in trials.items():
        code, err, cpu = started(*words, before=before, cwd=tmp_path, **environment)
        slowest = max(slowest, cpu)
        slow += [(name, round(cpu, 1))] if cpu >= 3 else []
        if code != wanted or len(err.splitlines()) != 1 or not err.startswith("error: "):
            wrong.append((name, code, err[-300:]))
        elif name == "a name of 300 characters" and "xxxx" not in err.split(":")[1] + err:
            wrong.append((name, code, err))
    figure(f"{len(trials) - len(wrong)} of {len(trials)} refused in one line, the slowest after {slowest:.1f} s of CPU")
    assert wrong == []
    assert slow == []


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.scorecard(
    "F10", "SIGINT and SIGTERM while training, then resume", "checkpoint within 10 s, exit 130 / 143, same bytes as F2"
)
def test_signals(program, tmp_path, figure, signum, code):
    rows = run_folders.binary_rows(tmp_path)
    whole = run_folders.trained(program, rows, tmp_path / "whole", epochs=30)
    run, slow = tmp_path / "run", run_folders.slowed_at("open", "state.json", 0.02)
    words = ["train", rows, *run_folders.TINY, "--epochs", 30, "--output", run]
    call = program.begin(words, first=slow)
    end = time.monotonic() + 120
    while lines(run / "timing.jsonl") < 3 and time.monotonic() < end:
        time.sleep(0.005)
    call.kill(signum)
    struck = time.monotonic()
    done = call.wait()
    seconds = time.monotonic() - struck
    newest = checkpoint.latest(run / "checkpoints")
    last = json.loads((run / "timing.jsonl").read_text().splitlines()[-1])["step"]
    call = program.begin(["resume", run, "--quiet"], first=run_folders.slowed_at("open", "state.json", 60))
    while not lines(run / "run.lock") and time.monotonic() < end:
        time.sleep(0.005)
    time.sleep(2)
    call.kill(signum)
    time.sleep(0.2)
    call.kill(signum)
    struck = time.monotonic()
    second = call.wait()
    at_once = time.monotonic() - struck
    taken = program.iwax("resume", run, "--quiet")
    found, wanted = run_folders.learned(run), run_folders.learned(whole)
    differing = sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name))
    name = signal.Signals(signum).name
    figure(
        f"{name}: exit {done.code} in {seconds:.1f} s; a second ends in {at_once:.1f} s; {len(differing)} bytes differ"
    )
    assert (done.code, newest.name) == (code, f"step-{last}"), done.err
    assert seconds <= 10
    assert second.code in (code, -signum)
    assert at_once <= 1
    assert taken.code == 0, taken.err
    assert differing == []


# -- F5: changed, cut, empty and swapped files -------------------------------------------------------------------------

FLIPS, CUTS = 2000, 500


def readings(run: Path, *, of_model: bool) -> dict[str, object]:
    """What the program reads of a run folder, piece by piece; an error stands for what could not be read."""
    folder = Sealed(run)

    def measured():
        found = measurements.summaries(folder, ("n", "log_evidence"))
        return [
            (s, {k: v.tobytes() for k, v in measurements.read(folder, p, s, ("rows",)).columns.items()})
            for p, s in found
        ]

    def weights(which):
        trained = runs.open_run(run, checkpoint=which)
        return trained.step, [
            np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(eqx.filter(trained.model, eqx.is_array))
        ]

    pieces = {
        "config": lambda: runs.Run(run).config,
        "environment": lambda: runs.Run(run).environment,
        "metrics": lambda: folder.rows("metrics.jsonl"),
        "timing": lambda: folder.rows("timing.jsonl"),
        "evaluation": measured,
    }
    if of_model:
        pieces |= {which: lambda which=which: weights(which) for which in ("best", "last")}
    found = {}
    for name, read in pieces.items():
        with warnings.catch_warnings(record=True) as reported:
            warnings.simplefilter("always")
            try:
                value = read()
            except (CorruptCheckpointError, FileNotFoundError) as error:
                value = Said(str(error))
        found[name] = Said(str(reported[0].message)) if reported and not isinstance(value, Said) else value
    return found


class Said(str):
    """An error or a warning in place of what was read."""


def damages(files: list[Path], chance: random.Random):
    """A file, what is done to it, and its bytes then: flips, cuts, nothing at all, and the bytes of another."""
    for trial in range(FLIPS + CUTS):
        file = files[trial % len(files)]
        data = bytearray(file.read_bytes())
        if trial < FLIPS and data:
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
            yield file, "flip", bytes(data)
        elif data:
            yield file, "cut", bytes(data[: chance.randrange(len(data))])
    for file in files:
        yield file, "empty", b""
        for other in files:
            alike = other != file and other.suffix == file.suffix and other.read_bytes() != file.read_bytes()
            if alike:
                yield file, f"swapped for {other.name}", other.read_bytes()


@pytest.mark.scorecard(
    "F5",
    "2,000 flips, 500 cuts, empty and swapped files over every file of a run folder",
    "0 silently wrong; each is named",
)
def test_damaged_run_folders(whole, tmp_path, figure):
    run = run_folders.copied(whole, tmp_path / "run")
    files = sorted(path for path in run.rglob("*") if path.is_file() and path.name != "run.lock")
    sound, chance, silent, nameless, other, counts = (
        readings(run, of_model=True),
        random.Random(5),
        [],
        [],
        [],
        Counter(),
    )
    assert not any(isinstance(value, Said) for value in sound.values()), sound
    assert {verdict.state for verdict in verify(run)} == {"whole"}
    for file, kind, data in damages(files, chance):
        name, before = str(file.relative_to(run)), file.read_bytes()
        if data == before:
            continue
        file.write_bytes(data)
        counts[kind.split()[0]] += 1
        named = [verdict.file for verdict in verify(run) if verdict.state in BAD]
        if file.name == "manifest.json":  # a digest in it that was changed is that of another file of the checkpoint
            named += [name for each in named if Path(each).parent == Path(name).parent]
        nameless += [(name, kind)] if name not in named else []
        try:
            found = readings(run, of_model=file.suffix in (".json", ".safetensors") and "evaluation" not in name)
        except Exception as error:
            other.append((name, kind, repr(error)[:200]))
            found = {}
        silent += [(name, kind, p) for p, v in found.items() if not isinstance(v, Said) and v != sound[p]]
        file.write_bytes(before)
    newest = checkpoint.latest(run / "checkpoints") / "model.safetensors"
    newest.write_bytes(newest.read_bytes()[:-1])
    with pytest.raises(CorruptCheckpointError, match="--fallback"):
        runs.open_run(run, checkpoint="last")
    with pytest.warns(UserWarning, match="passed over|damaged"):
        fallen = runs.open_run(run, checkpoint="last", fallback=True)
    figure(
        f"{', '.join(f'{n} {kind}' for kind, n in counts.items())} over {len(files)} files: "
        f"{len(silent)} silently wrong, "
        f"{len(nameless)} that iwax verify does not name; --fallback takes the one before"
    )
    assert (silent, nameless, other) == ([], [], [])
    assert fallen.checkpoint != newest.parent


# -- F6, F7: downloads ----------------------------------------------------------------------------------------------

FETCH = """
import hashlib
import json
from iwax.cli.failure import exit_code, one_line
from iwax.data.fetch import DataFile, read
try:
    file = DataFile("set/file.bin", {sha256!r}, ({url!r},), size=100_000)
    print(json.dumps([0, str(len(read(file))), False]))
except BaseException as error:
    text = one_line(error)
    print(json.dumps([exit_code(error), text, chr(10) in text]))
"""
MOST_SECONDS, MOST_MEGABYTES = 30, 300


class Fetches:
    """Downloads in processes of their own, each into a cache of its own."""

    def __init__(self, program, place: Path, address: str) -> None:
        self.program, self.place, self.address = program, place, address

    def begin(self, name: str, cache: str):
        folder = self.place / cache
        folder.mkdir(parents=True, exist_ok=True)
        text = FETCH.format(sha256=faulty_server.SHA256, url=f"{self.address}/{name}")
        environment = {
            "XDG_CACHE_HOME": str(folder),
            "IWAX_DATA": None,
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }
        return self.program.begin(text, environment=environment)

    def left(self, cache: str) -> list[str]:
        """Files and folders that are there besides the folders of a cache."""
        found = (self.place / cache).rglob("*")
        return sorted(p.name for p in found if p.is_file() or p.name.startswith("."))


@pytest.fixture
def fetches(program, tmp_path):
    """Downloads from a server that does everything wrong."""
    with faulty_server.served() as address:
        yield Fetches(program, tmp_path, address)


@pytest.mark.scorecard(
    "F6",
    "downloads of wrong bytes, a page, nothing, a bomb",
    "never kept; exit 3 with both SHA-256; the next try works",
)
def test_wrong_downloads(fetches, figure):
    wrong = []
    calls = {name: fetches.begin(name, name) for name in faulty_server.WRONG}
    for name, call in calls.items():
        done = call.wait(60)
        code, text, broken = json.loads(done.out or '[-1, "", true]')
        got = hashlib.sha256(faulty_server.WRONG[name]).hexdigest()
        shown = faulty_server.SHA256 in text and got in text
        again = json.loads(fetches.begin("good", name).wait().out)
        held = fetches.left(name)
        if code != 3 or broken or not shown or again[0] != 0 or held != ["file.bin"] or done.megabytes > MOST_MEGABYTES:
            wrong.append((name, code, text, again, held, round(done.megabytes)))
    together = [json.loads(call.wait().out)[0] for call in [fetches.begin("good", "shared") for _ in range(8)]]
    figure(
        f"{len(calls) - len(wrong)} of {len(calls)} refused with both SHA-256, nothing kept, the next try works; "
        f"{together.count(0)} of 8 at once into one cache"
    )
    assert wrong == []
    assert (together, fetches.left("shared")) == ([0] * 8, ["file.bin"])


@pytest.mark.scorecard(
    "F7", "13 downloads that stall, trickle, never end, loop, fail", "each ends within 30 s, bounded; nothing is left"
)
def test_downloads_without_an_end(fetches, figure):
    wrong, slowest = [], 0.0
    calls = {name: fetches.begin(name, name) for name in faulty_server.BROKEN}
    end = time.monotonic() + MOST_SECONDS + 5
    for name, call in calls.items():
        done = call.wait(max(0.1, end - time.monotonic()))
        slowest = max(slowest, done.seconds)
        code, text, broken = json.loads(done.out or '[-1, "", true]')
        bounded = done.seconds <= MOST_SECONDS and done.megabytes <= MOST_MEGABYTES
        if code != 3 or broken or not bounded or fetches.left(name) or "put it at" not in text:
            wrong.append((name, code, text, round(done.seconds), round(done.megabytes), fetches.left(name)))
    killed = fetches.begin("stalled", "killed")
    end = time.monotonic() + 60
    while not fetches.left("killed") and time.monotonic() < end:
        time.sleep(0.01)
    killed.kill()
    killed.wait()
    again = json.loads(fetches.begin("good", "killed").wait().out)
    figure(f"{len(calls) - len(wrong)} of {len(calls)} end, the slowest after {slowest:.0f} s; a killed one is swept")
    assert wrong == []
    assert (again[0], fetches.left("killed")) == (0, ["file.bin"])


# -- F11: run folders of every version ---------------------------------------------------------------------------------

GOLDEN = sorted(path.parent for path in (ROOT / "tests" / "golden").glob("*/*/config.json"))
LARGEST = 200_000  # bytes of a folder


@pytest.mark.scorecard("F11", "run folders of every released version", "load; log p(x) of every row within 1e-5 nats")
def test_run_folders_of_every_version(program, tmp_path, figure):
    if not GOLDEN:
        pytest.skip("there are no golden run folders")
    worst, rows, large, versions = 0.0, 0, [], {run.parent.name for run in GOLDEN}
    for place, golden in enumerate(GOLDEN):
        sent = run_folders.copied(golden.parent, tmp_path / str(place)) / golden.name
        (file,) = (sent / "evaluation").glob("*.npz")
        with np.load(file) as columns:
            before = columns["log_evidence"]
        large += [golden] if sum(path.stat().st_size for path in golden.rglob("*") if path.is_file()) > LARGEST else []
        done = program.iwax("evaluate", sent, "--quiet")
        assert done.code == 0, done.err
        with np.load(file) as columns:
            worst = max(worst, float(np.abs(columns["log_evidence"] - before).max()))
        rows += len(before)
    figure(f"{len(GOLDEN)} folders of {len(versions)} versions, {rows} rows: log p(x) within {worst:.1g} nats")
    assert worst <= 1e-5
    assert large == []
