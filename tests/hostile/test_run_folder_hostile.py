"""Run folders that somebody sent: nothing outside them is read or written, whatever links, pipes or names they hold."""

import hashlib
import io
import json
import os
import shutil
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from iwax import runs
from iwax.cli import main
from iwax.runs import measurements
from iwax.runs.environment import Environment, environment
from iwax.runs.folder import write_down
from iwax.runs.run import Run
from iwax.settings import build
from iwax.storage import checkpoint, record
from iwax.storage.checkpoint import CorruptCheckpointError
from iwax.storage.enclosed import Enclosed
from iwax.storage.sealed import Sealed

TINY = ["model.hidden=[4]", "model.latent=2", "training.batch=20"]

# what a verb that opens a run is given besides it
VERBS = {
    "resume": [],
    "evaluate": ["--k", "2"],
    "sample": ["-n", "1"],
    "report": ["--force"],
    "diagnose": ["--force"],
    "score": ["rows.npy"],
    "compare": ["run"],
}
PLACES = (
    *("run.lock", "seal.lock", "log.txt", "config.json", "env.json", "metrics.jsonl", "timing.jsonl", "seal.json"),
    *("checkpoints", "checkpoints/step-4", "checkpoints/step-4/model.safetensors", "checkpoints/.step-8.1.partial"),
    *("evaluation", "evaluation/test-k2.json", "samples", "samples/samples.png", "diagnosis", "report.html", "own.txt"),
)

WATCHED: list[Path] = []  # a folder that nothing may open, while there is one
OPENED: list[str] = []


def watch(event: str, arguments: tuple) -> None:
    if WATCHED and event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
        path = os.path.realpath(os.fsdecode(arguments[0]))
        if Path(path).is_relative_to(WATCHED[0]):
            OPENED.append(path)


sys.addaudithook(watch)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A run folder as a training writes it, of weights that nobody trained."""
    folder = tmp_path_factory.mktemp("sent")
    np.save(folder / "rows.npy", np.random.default_rng(0).integers(0, 2, (50, 6), np.uint8))
    config = runs.from_sources(data=str(folder / "rows.npy"), sets=TINY)
    dataset = config.data.load()
    config = build.resolve(config, dataset)
    about = {"name": dataset.name, "protocol": dataset.protocol, "kind": dataset.kind, "shape": dataset.shape}
    about |= {"rows": {part: len(rows) for part, rows in dataset.splits().items()}, "sha256": dataset.digest()}
    run = Sealed(folder / "run")
    run.path.mkdir()
    write_down(run, config, Environment(**environment([]), data=about, start=None))
    model = {"w": np.zeros(3, np.float32)}
    checkpoint.save(run.path / "checkpoints", 4, model=model, train={}, state={"validation": -1.0})
    with record.Record(run.path / "metrics.jsonl") as rows:
        rows.write({"step": 4, "epoch": 2, "bound": -3.0})
    run.write({"evaluation/test-k2.json": b"{}", "samples/samples.png": b"a picture"})
    run.log("made")
    return run.path


@pytest.fixture
def sent(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it in the folder that one works in, with its data; and a folder outside, of one's own files."""
    shutil.copytree(made.parent, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here" / "run"


def outside_of(sent: Path) -> Path:
    folder = sent.parents[1] / "outside"
    folder.mkdir()
    return folder


def contents(folder: Path) -> dict[str, str]:
    """What every file below holds; of a folder nothing but that it is there."""
    found = sorted(folder.rglob("*"))
    return {str(each): hashlib.sha256(each.read_bytes()).hexdigest() if each.is_file() else "" for each in found}


def called(*words: str) -> int:
    with pytest.raises(SystemExit) as left:
        main(list(words))
    return int(left.value.code or 0)


@pytest.mark.parametrize("place", PLACES)
def test_no_link_leads_out_of_a_run_folder(sent: Path, place: str, capsys):
    """All combinations of a link and a verb, with a file or a folder of one's own outside."""
    outside, there = outside_of(sent), sent / place
    if there.exists():
        shutil.move(there, outside / "mine")  # a link to the very thing is a link
    elif there.suffix:
        (outside / "mine").write_text("my own\n")
    else:
        (outside / "mine").mkdir()
    there.parent.mkdir(exist_ok=True)
    there.symlink_to(outside / "mine")
    before = contents(outside)
    WATCHED.append(outside)
    OPENED.clear()
    try:
        for verb, more in VERBS.items():
            code = called(verb, "run", *more)
            assert code == 3, (verb, capsys.readouterr().err)
            message = capsys.readouterr().err
            assert f"run/{place}: needed a folder of plain files, none of which leads out of it, got a link" in message
        assert called("verify", "run") == 3
    finally:
        WATCHED.clear()
    assert OPENED == []
    assert contents(outside) == before
    assert there.is_symlink()


def test_a_dangling_link_makes_nothing(sent: Path):
    outside = outside_of(sent)
    for place in ("run.lock", "log.txt", "samples", "evaluation/new.json", "report.html"):
        if (sent / place).exists():
            (sent / place).rename(sent.parent / f"away-{Path(place).name}")
        (sent / place).symlink_to(outside / "new")
        for verb in ("resume", "evaluate", "report"):
            assert called(verb, "run") == 3
        (sent / place).unlink()
    assert list(outside.iterdir()) == []


def test_links_made_after_the_folder_was_looked_at_are_not_followed(sent: Path):
    """What is opened by handles needs no look beforehand."""
    outside, folder = outside_of(sent), Run(sent).folder
    (outside / "mine").write_text("my own\n")
    before = contents(outside)
    for place in ("log.txt", "metrics.jsonl", "config.json", "run.lock", "samples", "checkpoints", "seal.lock"):
        there = sent / place
        saved = sent.parent / "kept"
        if there.exists():
            there.rename(saved)
        there.symlink_to(outside / "mine" if there.suffix else outside)
        acts = {
            "log.txt": lambda: folder.log("x"),
            "metrics.jsonl": lambda: record.Record(sent / "metrics.jsonl"),
            "config.json": lambda: Run(sent).config,
            "run.lock": lambda: runs.resume(sent, reporter=runs.Silent()),
            "samples": lambda: folder.write({"samples/a.png": b"x"}),
            "checkpoints": lambda: checkpoint.save(sent / "checkpoints", 5, model={}, train={}, state={}),
            "seal.lock": lambda: folder.write({"report.html": b"x"}),
        }
        with pytest.raises(CorruptCheckpointError, match=place):
            acts[place]()
        there.unlink()
        if saved.exists():
            saved.rename(there)
    assert contents(outside) == before


@pytest.mark.parametrize("place", ["metrics.jsonl", "log.txt", "config.json", "checkpoints/pipe", "evaluation/x.json"])
def test_a_pipe_is_not_waited_for(sent: Path, place: str):
    (sent / place).unlink(missing_ok=True)
    os.mkfifo(sent / place)
    for verb in ("resume", "evaluate", "report"):
        assert called(verb, "run") == 3
    assert called("verify", "run") == 3


def test_a_second_name_of_a_file_outside_is_not_written_through(sent: Path):
    outside = outside_of(sent)
    (outside / "mine").write_text("my own\n")
    for place in ("log.txt", "run.lock"):
        (sent / place).unlink(missing_ok=True)
        os.link(outside / "mine", sent / place)
        with pytest.raises(CorruptCheckpointError, match="a file with a second name"):
            Enclosed(sent).append(place)
        assert called("resume", "run") == 3
        (sent / place).unlink()
    assert (outside / "mine").read_text() == "my own\n"


def test_a_run_folder_may_itself_be_reached_through_a_link(sent: Path):
    (sent.parent / "latest").symlink_to(sent)
    assert Run(sent.parent / "latest").config == Run(sent).config


@pytest.mark.parametrize("n", [3, 10**9, -1, True, "3"])
def test_measurements_are_sized_before_they_are_decoded(sent: Path, n: object):
    folder, packed = Run(sent).folder, io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**7,)})
        archive.writestr("rows.npy", header.getvalue() + bytes(8 * 10**7))
    folder.write({"evaluation/big.npz": packed.getvalue(), "evaluation/test-k2.json": b"{}"})
    folder.write({"evaluation/big.json": json.dumps({"n": n}).encode()})

    def read() -> None:
        ((path, summary),) = measurements.summaries(folder, ("n",), prefix="big")
        measurements.read(folder, path, summary, ("rows",))

    with pytest.raises(CorruptCheckpointError, match=r"big\.npz: .*packed into|big\.json.*: needed a whole number"):
        read()
