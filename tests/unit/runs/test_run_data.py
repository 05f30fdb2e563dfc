"""The data of a run are found wherever its folder lies, and are those that it was trained on."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iwax import data
from iwax.runs import run_data
from iwax.runs.run_data import DataRecord, candidates, find, portable
from iwax.runs.sources import from_sources
from iwax.settings.config import Data
from iwax.storage import strict_json

ROWS = np.random.default_rng(0).integers(0, 2, (20, 3), np.uint8)
TABLE = "a,b\n" + "".join(f"{i / 7:.3f},{'xyz'[i % 3]}\n" for i in range(30))


def recorded(name: str, *, path: str | None = None, **more) -> DataRecord:
    """The record of these data in a run that began with them."""
    found = Data(name=name, **more).load()
    return DataRecord(
        name=found.name,
        protocol=found.protocol,
        kind=found.kind,
        shape=found.shape,
        rows={"train": len(found.train)},
        sha256=found.digest(),
        columns=found.columns,
        path=path,
    )


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with rows.npy in data/, a table next to it, and a run folder in runs/; the current folder is another."""
    folder = tmp_path / "project"
    (folder / "data").mkdir(parents=True)
    (folder / "runs" / "one").mkdir(parents=True)
    np.save(folder / "data" / "rows.npy", ROWS)
    (folder / "table.csv").write_text(TABLE)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return folder


def known(project: Path, name: str, monkeypatch: pytest.MonkeyPatch, *, with_path: bool) -> DataRecord:
    """The record of a run begun in the project folder."""
    with monkeypatch.context() as patch:
        patch.chdir(project)
        return recorded(name, path=portable(name) if with_path else None)


@pytest.mark.parametrize("name", ["data/rows.npy", "table.csv"])
@pytest.mark.parametrize("with_path", [True, False], ids=["recorded", "of an old run"])
def test_data_are_found_from_any_folder(project: Path, monkeypatch, name: str, with_path: bool):
    about, settings = known(project, name, monkeypatch, with_path=with_path), Data(name=name)
    found = find(settings, about, run=project / "runs" / "one")
    assert (found.digest(), found.name) == (about.sha256, about.name)


def test_a_project_that_was_moved_brings_its_data(project: Path, monkeypatch):
    about, settings = known(project, "data/rows.npy", monkeypatch, with_path=True), Data(name="data/rows.npy")
    moved = project.rename(project.with_name("moved"))
    assert find(settings, about, run=moved / "runs" / "one").digest() == about.sha256
    flat = shutil.copy(moved / "data" / "rows.npy", moved / "runs" / "one" / "rows.npy")
    shutil.rmtree(moved / "data")  # the file alone, next to what the run wrote
    assert find(settings, about, run=moved / "runs" / "one").digest() == about.sha256
    os.remove(flat)
    with pytest.raises(FileNotFoundError, match=r"no .*project/data/rows\.npy, no data/rows\.npy.*--data PATH"):
        find(settings, about, run=moved / "runs" / "one")


def test_another_file_of_the_name_is_passed_over(project: Path, monkeypatch):
    about, settings = known(project, "data/rows.npy", monkeypatch, with_path=False), Data(name="data/rows.npy")
    Path("data").mkdir()
    np.save("data/rows.npy", 1 - ROWS)
    assert find(settings, about, run=project / "runs" / "one").digest() == about.sha256
    shutil.rmtree(project / "data")
    with pytest.raises(
        ValueError, match=r"it began with were needed.*got others: data/rows\.npy of [0-9a-f]{12}\.\.\."
    ):
        find(settings, about, run=project / "runs" / "one")


def test_data_that_are_named_are_checked(project: Path, monkeypatch, tmp_path: Path):
    about, settings = known(project, "data/rows.npy", monkeypatch, with_path=True), Data(name="data/rows.npy")
    run = project / "runs" / "one"
    renamed = Path(shutil.copy(project / "data" / "rows.npy", tmp_path / "renamed.npy"))
    assert find(settings, about, run=run, given=renamed).name == "rows"  # the same rows under the name that they had
    np.save(tmp_path / "other.npy", ROWS[::-1])
    with pytest.raises(ValueError, match=r"it began with were needed.*iwax score .*one FILE"):
        find(settings, about, run=run, given=tmp_path / "other.npy")
    with pytest.raises(FileNotFoundError, match="no such file"):
        find(settings, about, run=run, given=tmp_path / "none.npy")


def test_registered_data_are_checked_too(tmp_path: Path):
    about = recorded("ring")
    assert find(Data(name="ring"), about, run=tmp_path).digest() == about.sha256
    with pytest.raises(ValueError, match="it began with were needed"):
        find(Data(name="ring"), about.model_copy(update={"sha256": "0" * 64}), run=tmp_path)


def test_nothing_is_downloaded_for_a_folder(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(data, "availability", lambda name: "absent")
    monkeypatch.setattr(data, "load", None)
    with pytest.raises(data.UnavailableError, match=r"iwax data get ring downloads them, .*--data PATH"):
        find(Data(name="ring"), recorded_ring(), run=tmp_path)


def recorded_ring() -> DataRecord:
    about = {"name": "ring", "protocol": "", "kind": "real", "shape": (2,), "rows": {"train": 9}, "sha256": "0" * 64}
    return DataRecord(**about)


def test_a_pipe_or_device_that_a_folder_names_is_not_opened(project: Path, monkeypatch):
    about, run = known(project, "data/rows.npy", monkeypatch, with_path=False), project / "runs" / "one"
    os.mkfifo(project / "pipe.npy")
    for name in (str(project / "pipe.npy"), "/dev/zero"):
        with pytest.raises(FileNotFoundError, match=f"{name} is neither a file nor a folder, and was not opened"):
            find(Data(name=name), about, run=run)


def test_a_file_larger_than_the_rows_could_need_is_not_read(project: Path, monkeypatch):
    about, run = known(project, "data/rows.npy", monkeypatch, with_path=False), project / "runs" / "one"
    private = project / "private.npy"
    with private.open("wb") as stream:
        stream.truncate(1 << 30)
    monkeypatch.setattr(data, "load", None)
    for place in (private, project / "album"):
        if place.suffix == "":
            place.mkdir()
            private.rename(place / "b.png")
        with pytest.raises(FileNotFoundError, match=f"{place} has more than the .* bytes that the recorded rows could"):
            find(Data(name=str(place)), about, run=run)


def test_a_table_is_read_with_the_columns_it_had(project: Path, monkeypatch):
    """Whatever would be inferred of its columns today, the numbers are those of the run."""
    about = known(project, "table.csv", monkeypatch, with_path=True)
    real = data.load

    def inferred_otherwise(name, *, columns=None, **more):
        found = real(name, columns=columns, **more)
        if columns is not None:
            return found
        return replace(found, train=data.Split(found.train.values[::-1].copy()))

    monkeypatch.setattr(data, "load", inferred_otherwise)
    assert find(Data(name="table.csv"), about, run=project / "runs" / "one").digest() == about.sha256


@settings(max_examples=50)
@given(parts=st.lists(st.sampled_from(["a", "b", "..", "x.csv"]), min_size=1, max_size=4), depth=st.integers(0, 5))
def test_candidates_are_all_places_once(parts: list[str], depth: int):
    name, run = "/".join(parts), Path("/", *"pqrst"[:depth])
    places = candidates(name, run=run, recorded="/was/there")
    absolute = [place.absolute() for place in places]
    assert places[:2] == [Path("/was/there"), Path(name)]
    assert len(set(absolute)) == len(absolute)
    for folder in [run, *run.parents[: run_data.ABOVE]]:
        assert (folder / name).absolute() in absolute
        assert parts[-1] == ".." or folder / parts[-1] in absolute


def test_the_home_folder_is_not_written_down(monkeypatch, tmp_path: Path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert portable(str(tmp_path / "mine" / "x.csv")) == "~/mine/x.csv"
    assert portable("/srv/x.csv") == "/srv/x.csv"
    assert portable("mnist") is None
    assert candidates("x.csv", run=Path("/r"), recorded="~/mine/x.csv")[0] == tmp_path / "mine" / "x.csv"


def test_settings_of_a_run_bring_the_place_of_its_data(project: Path, monkeypatch):
    """Of --from RUN and of -c RUN/config.json, from any folder; a name that was typed stays."""
    run = project / "runs" / "one"
    with monkeypatch.context() as patch:
        patch.chdir(project)
        config = from_sources(data="data/rows.npy")
    (run / "config.json").write_bytes(strict_json.canonical(config.model_dump(mode="json")))
    (run / "env.json").write_text('{"data": {}}')
    for found in (from_sources(flags={"start": str(run)}), from_sources(file=run / "config.json")):
        assert Path(found.data.name) == project / "data" / "rows.npy"
    typed = from_sources(flags={"start": str(run)}, data="data/rows.npy")
    assert typed.data.name == "data/rows.npy"
    monkeypatch.chdir(project)
    assert from_sources(flags={"start": str(run)}).data.name == "data/rows.npy"
