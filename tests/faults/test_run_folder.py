"""A run folder whose bits flip, whose files are cut, whose writer is killed: reported, and nothing else ever lost."""

import json
import os
import random
import re
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from iwax import runs
from iwax.cli import main
from iwax.runs import measurements
from iwax.runs.folder import claimed, write_down
from iwax.runs.reporter import Silent
from iwax.runs.run import Run
from iwax.runs.verify import BAD, verify
from iwax.storage import checkpoint, enclosed
from iwax.storage.checkpoint import CorruptCheckpointError
from iwax.storage.enclosed import RunFolderWarning
from iwax.storage.sealed import Sealed

TINY = ["model.hidden=[4]", "model.latent=2", "objective.k=2", "training.batch=20", "evaluation.k=2"]


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A run that was trained and measured, with a picture and a page; for reading alone."""
    folder = tmp_path_factory.mktemp("sealed")
    np.save(folder / "rows.npy", np.random.default_rng(0).integers(0, 2, (50, 6), np.uint8))
    flags = {"training.epochs": 2, "training.validate_every": 1}
    config = runs.from_sources(data=str(folder / "rows.npy"), sets=TINY, flags=flags)
    run = runs.train(config, folder / "run", reporter=Silent()).path
    runs.evaluate(run, reporter=Silent())
    Sealed(run).write({"samples/samples.png": b"\x89PNG" + bytes(range(60)), "report.html": b"<html>" + bytes(60)})
    return run


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    """A copy of it, to be spoilt."""
    return Path(shutil.copytree(made, tmp_path / "run"))


def states(run: Path) -> dict[str, str]:
    return {each.file: each.state for each in verify(run)}


def read_all(run: Path) -> dict[str, object]:
    """Everything that verbs read of a run, checkpoints aside."""
    opened = Run(run)
    folder = opened.folder
    summaries = measurements.summaries(folder, ("n",))
    values = [measurements.read(folder, path, summary, ("rows", "elbo")).columns for path, summary in summaries]
    rows = [folder.rows(path) for path in ("metrics.jsonl", "timing.jsonl")]
    return {"config": opened.config, "environment": opened.environment, "values": values, "rows": rows}


READ = {"config.json", "env.json", "metrics.jsonl", "timing.jsonl", "seal.json"}


def test_a_run_that_has_ended_is_whole(made: Path):
    found = states(made)
    assert set(found.values()) == {"whole"}
    assert {file for file in found if "/" not in file} == {*READ, "log.txt", "report.html"}
    assert len(found) == sum(file.is_file() for file in made.rglob("*"))


@pytest.mark.parametrize(("flips", "cuts"), [(120, 40), pytest.param(300, 100, marks=pytest.mark.slow)])
def test_no_flipped_bit_and_no_cut_is_silent(run: Path, flips: int, cuts: int):
    chance = random.Random(22)
    files = sorted(file for file in run.rglob("*") if file.is_file())
    for trial in range(flips + cuts):
        file = files[trial % len(files)]
        data, name = file.read_bytes(), str(file.relative_to(run))
        place = chance.randrange(len(data))
        bit = bytes([data[place] ^ 1 << chance.randrange(8)])
        file.write_bytes(data[:place] + bit + data[place + 1 :] if trial < flips else data[:place])
        damaged = {found for found, state in states(run).items() if state == "damaged"}
        assert damaged
        if file.name == "manifest.json":  # which is believed where it says something else, and its files are not
            assert {str(Path(each).parent) for each in damaged} == {str(Path(name).parent)}
        else:
            assert damaged == {name}
        if name in READ or name.startswith("evaluation/"):
            with pytest.raises(CorruptCheckpointError, match=file.name):
                read_all(run)
        file.write_bytes(data)
    assert set(states(run).values()) == {"whole"}


def test_what_is_missing_left_over_or_unknown_is_reported(run: Path):
    shutil.rmtree(run / "samples")
    (run / "checkpoints" / "step-4" / "state.json").unlink()
    (run / "evaluation" / "mine.json").write_text("{}")
    (run / "notes.txt").write_text("mine")
    found = states(run)
    assert {name for name, state in found.items() if state == "not sealed"} == {"evaluation/mine.json", "notes.txt"}
    assert {name for name, state in found.items() if state == "missing"} == {
        "samples/samples.png",
        "checkpoints/step-4/state.json",
    }
    with (
        pytest.warns(RunFolderWarning, match=r"evaluation/mine\.json is not in its seal"),
        pytest.raises(CorruptCheckpointError, match=r"mine\.json: needed the summary"),
    ):
        read_all(run)


def test_rows_after_the_seal_are_reported_and_a_torn_one_is_nothing(run: Path):
    with (run / "metrics.jsonl").open("a") as stream:
        stream.write('{"step": 9, "bound": 0.5}\n{"st')
    with pytest.warns(RunFolderWarning, match="the last 1 rows of metrics.jsonl are not sealed yet"):
        rows = Run(run).folder.rows("metrics.jsonl")
    assert [row["step"] for row in rows] == [2, 4, 9]
    (verdict,) = [each for each in verify(run) if each.file == "metrics.jsonl"]
    assert (verdict.state, verdict.words) == ("whole", "but for 1 rows after its seal, which cannot be checked")
    runs.resume(run, reporter=Silent())
    assert set(states(run).values()) == {"whole"}


def test_a_folder_without_a_seal_opens_with_one_line_and_is_sealed_from_there(run: Path, capsys):
    (run / "seal.json").unlink()
    with pytest.warns(RunFolderWarning, match="was begun before run folders were sealed") as caught:
        runs.evaluate(run, limit=3, reporter=Silent())
    assert len({str(each.message) for each in caught}) == 1
    found = states(run)
    assert {name for name, state in found.items() if state == "whole" and "checkpoints" not in name} == {
        *("evaluation/test-k2-n3-seed0-step4.npz", "evaluation/test-k2-n3-seed0-step4.json", "seal.json")
    }
    with pytest.raises(SystemExit) as left:
        main(["sample", str(run), "-n", "1"])
    assert not left.value.code
    assert capsys.readouterr().err.count("was begun before run folders were sealed") == 1


def test_the_program_says_what_is_whole(run: Path, capsys):
    def verified(*words: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as left:
            main(["verify", str(run), *words])
        return int(left.value.code or 0), capsys.readouterr().out

    assert verified()[0] == 0
    (run / "env.json").write_bytes((run / "env.json").read_bytes() + b" ")
    (run / "link").symlink_to("/etc/passwd")
    code, out = verified()
    assert code == 3
    assert "1 damaged, 1 link, " in out
    code, out = verified("--json")
    document = json.loads(out)
    assert (code, document["whole"]) == (3, False)
    states = {each["file"]: each["state"] for each in document["files"]}
    assert (states["env.json"], states["link"], states["config.json"]) == ("damaged", "link", "whole")


def test_a_damaged_checkpoint_is_passed_over_where_that_is_asked_for(run: Path, capsys):
    best = runs.open_run(run).checkpoint
    (best / "model.safetensors").write_bytes(b"")
    with pytest.raises(CorruptCheckpointError, match=r"needed .* bytes, got 0 bytes; .*--fallback \(fallback=True"):
        runs.load(run)
    with pytest.warns(RunFolderWarning, match=f"is used in place of a damaged checkpoint: .*{best.name}"):
        assert runs.open_run(run, fallback=True).checkpoint != best
    for code, more in ((3, []), (0, ["--fallback"])):
        with pytest.raises(SystemExit) as left:
            main(["sample", str(run), "-n", "1", *more])
        assert (int(left.value.code or 0), "is used in place of" in capsys.readouterr().err) == (code, code == 0)
    for step in checkpoint.steps(run / "checkpoints"):
        (run / "checkpoints" / f"step-{step}" / "state.json").write_bytes(b"")
    with pytest.raises(CorruptCheckpointError, match="restore it from a copy or use another"):
        runs.open_run(run, fallback=True)


def test_measurements_by_several_processes_are_all_saved(run: Path):
    """Threads open the lock again as processes do."""
    folder = Sealed(run)

    def write(writer: int) -> None:
        for turn in range(5):
            folder.write({f"evaluation/{writer}-{turn}.npz": b"%d" % turn, f"evaluation/{writer}.json": b"%d" % turn})

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = states(run)
    assert {found[f"evaluation/{w}-{t}.npz"] for w in range(6) for t in range(5)} == {"whole"}
    assert set(found.values()) == {"whole"}


def test_a_reader_next_to_a_writer_sees_the_old_file_or_the_new_one(run: Path):
    folder, ended = Sealed(run), threading.Event()

    def write() -> None:
        for turn in range(40):
            folder.write({"report.html": b"%d" % turn * (1 + turn % 7)})
        ended.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not ended.is_set():
        folder.read("report.html")
    writer.join()
    assert folder.read("report.html") == b"39" * 5


# killed at every step of a write


class Killed(BaseException):
    """The process is no more."""


class Dying:
    """The system calls of a process that is killed after some that change something: nothing is done from there on."""

    CHANGES = ("open", "replace", "unlink", "mkdir", "fsync")

    def __init__(self, lives: int) -> None:
        self.lives = lives

    def __getattr__(self, name: str):
        call = getattr(os, name)
        if name not in self.CHANGES:
            return call

        def counted(*arguments, **more):
            if name == "open" and not arguments[1] & os.O_CREAT:
                return call(*arguments, **more)
            if self.lives <= 0:
                raise Killed
            self.lives -= 1
            return call(*arguments, **more)

        return counted


def killed_at_every_step(monkeypatch, work, check) -> int:
    """Do a piece of work with ever more system calls until it is done; ``check`` what each death left."""
    for lives in range(200):
        process, done = Dying(lives), False
        with monkeypatch.context() as patch:
            patch.setattr(enclosed, "os", process)
            try:
                work(lives)
                done = True
            except Killed:
                pass
        check(lives)
        if done:
            return lives
    pytest.fail("never done")


def test_killed_while_files_are_replaced(run: Path, tmp_path: Path, monkeypatch):
    old = {name: (run / name).read_bytes() for name in ("report.html", "samples/samples.png")}
    new = {"report.html": b"new", "samples/samples.png": b"new too", "evaluation/more.npz": b"more"}

    def copy(lives: int) -> Sealed:
        return Sealed(tmp_path / str(lives))

    def work(lives: int) -> None:
        with monkeypatch.context() as alive:
            alive.setattr(enclosed, "os", os)
            shutil.copytree(run, tmp_path / str(lives))
        copy(lives).write(new)

    def check(lives: int) -> None:
        folder = Run(tmp_path / str(lives)).folder
        assert not [each for each in verify(folder.path) if each.state in BAD]
        for name, data in old.items():
            assert folder.read(name) in (data, new[name])
        read_all(folder.path)
        folder.sweep()
        assert not any(name.startswith(".") for name, _ in folder.files.entries())
        folder.write(new)
        assert {states(folder.path)[name] for name in new} == {"whole"}

    assert killed_at_every_step(monkeypatch, work, check) >= 12


def test_killed_while_a_record_is_sealed_or_cut(run: Path, tmp_path: Path, monkeypatch):
    def work(lives: int) -> None:
        with monkeypatch.context() as alive:
            alive.setattr(enclosed, "os", os)
            shutil.copytree(run, tmp_path / str(lives))
        folder = Sealed(tmp_path / str(lives))
        folder.log("one line")
        folder.seal()
        folder.cut("metrics.jsonl", 2)

    def check(lives: int) -> None:
        folder = Run(tmp_path / str(lives)).folder
        assert not [each for each in verify(folder.path) if each.state in BAD]
        assert [row["step"] for row in folder.rows("metrics.jsonl")] in ([2, 4], [2])

    assert killed_at_every_step(monkeypatch, work, check) >= 10


def test_killed_before_there_is_a_configuration(made: Path, tmp_path: Path, monkeypatch, capsys):
    """Whatever is left, `train --output` begins there or the run opens; `resume` says what to type."""
    config, environment = Run(made).config, Run(made).environment

    def begun(path: Path) -> None:
        with claimed(path, name="a", data="b", seed=0) as folder:
            write_down(folder, config, environment)

    def check(lives: int) -> None:
        path = tmp_path / str(lives)
        if (path / "config.json").exists():
            assert Run(path).config == config
            return
        with pytest.raises(FileNotFoundError, match=r"run folder was needed|config\.json was needed"):
            Run(path)
        begun(path)
        assert set(states(path).values()) == {"whole"}

    assert killed_at_every_step(monkeypatch, lambda lives: begun(tmp_path / str(lives)), check) >= 10
    (tmp_path / "killed").mkdir()
    (tmp_path / "killed" / "run.lock").write_text('{"pid": 1, "host": "gone"}')
    with pytest.raises(SystemExit) as left:
        main(["resume", str(tmp_path / "killed")])
    text = capsys.readouterr().err
    assert (left.value.code, f"iwax train DATA --output {tmp_path / 'killed'} begins it again" in text) == (2, True)


@pytest.mark.parametrize(
    ("name", "data"), [("mine.txt", "mine"), ("log.txt", "my own log\n"), ("env.json", '{"mine": 1}'), (".hidden", "")]
)
def test_a_person_s_own_files_are_not_taken_for_left_over(tmp_path: Path, name: str, data: str):
    (tmp_path / "run.lock").touch()
    (tmp_path / name).write_text(data)
    with pytest.raises(FileExistsError, match=rf"this one holds .*{re.escape(name)}"):
        claimed(tmp_path, name="a", data="b", seed=0).__enter__()
    with pytest.raises(FileNotFoundError, match=r"config\.json was needed"):
        Run(tmp_path)
    assert (tmp_path / name).read_text() == data


def test_a_seal_by_somebody_else_leads_nowhere(run: Path, tmp_path: Path):
    (tmp_path / "outside").write_bytes(b"mine")
    for name in ("../outside", str(tmp_path / "outside"), "a/../../outside", ""):
        seal = json.loads((run / "seal.json").read_text())
        seal["files"][name] = [{"bytes": 4, "sha256": "0" * 64}]
        (run / "seal.json").write_text(json.dumps(seal))
        with pytest.raises(CorruptCheckpointError, match=r"seal\.json"):
            Sealed(run).entries()
        (run / "seal.json").unlink()
        Sealed(run).write({"report.html": b"1"})
