"""Run folders of every version of iwax so far (tests/golden/make.py): opened, measured again, resumed, used, reported.

The rows are measured with the draws (k, seed) of the stored measurement. The noise is iwax's own function of seed, row
and draw (iwax.threefry), so a later version has the same; what may differ is the rounding of float32 in another
compiler or on another processor, which 1e-5 nats leave room for.

Training is held too: the epoch to which a folder is resumed, and all epochs of a run made again from its settings.
"""

import json
import re
import shutil
import socket
import warnings
from pathlib import Path

import equinox as eqx
import jax
import make
import numpy as np
import pytest

import iwax
from iwax import runs
from iwax.cli import main
from iwax.parts import layers_of
from iwax.runs.reporter import Silent
from iwax.storage.enclosed import RunFolderWarning

GOLDEN = Path(__file__).parents[2] / "golden"
RUNS = sorted(path.parent for path in GOLDEN.glob("*/*/config.json"))
NAMES = [f"{run.parent.name}-{run.name}" for run in RUNS]
# Of each version pictures or a table, and networks of a class of before; the others are asked by a release.
USUAL = {"0.1.0-images", "0.2.0.dev-columns", "0.2.0.dev-gated"}
OPENED = {name: run for run, name in zip(RUNS, NAMES, strict=True) if name.endswith(("flow", "layers"))}
SHOWN = {"0.1.0-images"}  # in a report; that of a table is asked in test_run_of_a_table.py


def asked(usual: set[str]) -> list:
    """Every folder; a release alone asks those that are not among the usual ones."""
    marks = [() if name in usual else pytest.mark.slow for name in NAMES]
    return [pytest.param(run, id=name, marks=mark) for run, name, mark in zip(RUNS, NAMES, marks, strict=True)]


LARGEST = 200_000  # bytes of a folder
EXACT = 1e-5  # nats
# Of the stored measurements, word for word.
LINES = {
    "0.1.0-images": "test log p(x) = -26.20 +/- 0.59 nats (k=100, digits, 40 images; ELBO -26.7; ESS median 62; "
    "Pareto k > 0.7: 5 %; active units 3/3; 2 s)",
    "0.2.0.dev-columns": "test log p(x) = -13.27 +/- 1.01 nats (k=100, columns, 16 rows, 16.4 % of cells missing; "
    "ELBO -14.5; ESS median 47; Pareto k > 0.7: 12 %; active units 2/2; float32; 24 s)",
    "0.2.0.dev-flow": "test log p(x) = -26.28 +/- 0.61 nats (k=100, digits, 40 images; ELBO -27.1; ESS median 48; "
    "Pareto k > 0.7: 2 %; active units 3/3; float64; 16 s; iwae-1-k5 with posterior=iaf, prior=vamp)",
    "0.2.0.dev-gated": "test log p(x) = -26.26 +/- 0.60 nats (k=100, digits, 40 images; ELBO -26.4; ESS median 82; "
    "Pareto k > 0.7: 0 %; active units 2/3; float32; 11 s; iwae-1-k5 with network=gated)",
    "0.2.0.dev-heavy": "test log p(x) = -7.35 +/- 0.60 nats (k=100, heavy, 16 rows, 16.2 % of cells missing; "
    "ELBO -9.2; ESS median 43; Pareto k > 0.7: 6 %; active units 2/2; float32; 13 s)",
    "0.2.0.dev-images": "test log p(x) = -26.20 +/- 0.59 nats (k=100, digits, 40 images; ELBO -26.7; ESS median 62; "
    "Pareto k > 0.7: 5 %; active units 3/3; float32; 5 s)",
    "0.2.0.dev-layers": "test log p(x) = -26.29 +/- 0.59 nats (k=100, digits, 40 images; ELBO -28.0; ESS median 30; "
    "Pareto k > 0.7: 10 %; active units 3+2; float32; 27 s; iwae-1-k5 with prior=vamp)",
}
PERSONAL = re.compile(rb"/(home|root|Users|tmp|work|srv|mnt|var)/|\\Users\\", re.IGNORECASE)


def received(made: Path, folder: Path) -> Path:
    """A run folder as somebody gets it: a copy in another place, its table beside it."""
    shutil.copytree(made.parent, folder / made.parent.name)
    return folder / made.parent.name / made.name


@pytest.mark.parametrize("made", list(OPENED.values()), ids=list(OPENED))
def test_a_flow_and_layers_of_before_open(made):
    """Its model is made from its settings, takes its weights, and has the layers that it says."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RunFolderWarning)  # of a version that sealed nothing
        opened = runs.open(made)
        weights = [np.asarray(leaf) for leaf in jax.tree.leaves(opened.model) if eqx.is_inexact_array(leaf)]
        assert weights
        assert all(np.isfinite(leaf).all() for leaf in weights)
        with opened.placed():
            assert tuple(layer.shape[-1] for layer in layers_of(opened.model.latent)) == opened.latents


@pytest.fixture(params=asked(USUAL))
def run(request, tmp_path) -> Path:
    return received(request.param, tmp_path)


def stored(run: Path) -> np.ndarray:
    """log p(x) of each row, as it was measured when the folder was made."""
    (file,) = (run / "evaluation").glob("*.npz")
    with np.load(file, allow_pickle=False) as values:
        return values["log_evidence"]


def test_every_released_version_has_its_folders():
    versions = {run.parent.name for run in RUNS}
    assert {iwax.__version__, "0.1.0"} <= versions
    early = {f"{version}-{name}" for version in versions for name in ("images", "table", "flow")}
    assert set(NAMES) == early | {f"0.2.0.dev-{name}" for name in ("columns", "gated", "heavy", "layers")}


@pytest.mark.parametrize("run", RUNS, ids=NAMES)
def test_folders_are_small_and_say_nothing_of_the_machine_that_made_them(run):
    contents = [path.read_bytes() for path in run.rglob("*") if path.is_file()]
    assert sum(map(len, contents)) <= LARGEST
    assert not any(PERSONAL.search(content) for content in contents)
    written = json.loads((run / "env.json").read_text())
    assert written["git"] is None
    assert not written["platform"]["release"]
    assert written["command"][:2] == ["iwax", "train"]
    host = socket.gethostname().encode()
    assert len(host) < 5 or not any(host in content for content in contents)


def test_a_run_of_an_earlier_version_is_opened_measured_resumed_and_sampled(run, capsys):
    """One without a seal, of 0.1.0, is opened as well, with a line that says so."""
    before, sealed = stored(run), (run / "seal.json").exists()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", RunFolderWarning)
        settings = iwax.open_run(run).config.evaluation
        runs.evaluate(run, reporter=Silent())
    assert bool(caught) != sealed
    assert all("before run folders were sealed" in str(warning.message) for warning in caught)
    assert (len(before) >= 16, settings.k) == (True, 100)
    after = stored(run)  # the same measurement takes the place of the stored one
    np.testing.assert_allclose(after, before, rtol=0, atol=1e-5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RunFolderWarning)
        runs.resume(run, reporter=Silent())  # nothing is left of it; the state of the optimiser was read
    called(capsys, "sample", run, "-n", 5, "-o", run.parent / "new.csv")
    assert len((run.parent / "new.csv").read_text().splitlines()) >= 5


@pytest.mark.parametrize("made", asked(SHOWN))
def test_a_run_of_an_earlier_version_is_reported(made, capsys, tmp_path):
    run = received(made, tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RunFolderWarning)
        called(capsys, "report", run)
    assert f"{stored(run).mean():.2f}".lstrip("-") in (run / "report.html").read_text()


def called(capsys, *words: object) -> None:
    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    assert end.value.code == 0, capsys.readouterr().err


@pytest.mark.parametrize("name", LINES)
def test_the_closing_line_of_a_stored_measurement_is_word_for_word_what_it_was(name):
    (file,) = (RUNS[NAMES.index(name)] / "evaluation").glob("*.json")
    assert runs.closing_line(json.loads(file.read_text())) == LINES[name]


def metrics(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def assert_alike(row: dict[str, float], before: dict[str, float]) -> None:
    assert row.keys() == before.keys()
    np.testing.assert_allclose([row[key] for key in before], list(before.values()), rtol=0, atol=EXACT)


def test_a_run_of_an_earlier_version_is_trained_for_another_epoch_as_it_would_have_been(run):
    before = json.loads((GOLDEN / "further.json").read_text())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RunFolderWarning)
        further = make.one_more_epoch(run)
    assert_alike(further, before["/".join(run.parts[-2:])])


@pytest.mark.parametrize("name", ["0.1.0-images", pytest.param("0.1.0-table", marks=pytest.mark.slow)])
def test_an_early_configuration_without_later_keys_trains_to_the_stored_metrics(name, tmp_path, monkeypatch):
    """From flat keys alone, those that are null left out, as a version that does not know them writes its settings."""
    made = RUNS[NAMES.index(name)]
    settings = json.loads((made / "config.json").read_text())
    flat = {
        f"{section}.{key}": value
        for section, keys in settings.items()
        for key, value in (keys.items() if isinstance(keys, dict) else ())
        if value is not None
    }
    (tmp_path / "early.json").write_text(json.dumps({"preset": settings["preset"], **flat}))
    shutil.copy(made.parent / "table.csv", tmp_path)
    monkeypatch.chdir(tmp_path)
    run = runs.train(runs.from_sources(file="early.json"), Path("again"), reporter=Silent()).path
    for row, before in zip(metrics(run), metrics(made), strict=True):
        assert_alike(row, before)
    if name == "0.1.0-images":  # from settings to the line that a user reads, in the words of this version
        line = runs.closing_line(runs.evaluate(run, reporter=Silent()))
        assert re.sub(r"[\d.]+ s\)", "5 s)", line) == LINES["0.2.0.dev-images"]
