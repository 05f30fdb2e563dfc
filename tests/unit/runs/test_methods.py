"""A run measured by annealing: what is reported, stored and printed, and that nothing else is overwritten."""

import dataclasses
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from oracles.recorder import Recorder

from iwax import evaluation, runs
from iwax.reproduction import evaluators, published
from iwax.runs import Annealed, Bidirectional, Importance, Jackknife, cost, measurements
from iwax.runs.measure import SHARED
from iwax.runs.methods import METHODS
from iwax.runs.reporter import Silent
from iwax.runs.run import Run
from iwax.storage import strict_json

TINY = ["model.hidden=[4]", "model.latent=2", "objective.k=2", "training.batch=10", "evaluation.k=20"]
OF_ROWS = [name for name in METHODS if name != "links"]  # which is of a graph: test_run_of_a_graph.py
SHORT = {"chains": 4, "temperatures": 20, "leapfrog": 2}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    np.save(folder / "binary.npy", np.random.default_rng(0).integers(0, 2, (50, 6), np.uint8))
    config = runs.from_sources(data=str(folder / "binary.npy"), sets=TINY, flags={"training.epochs": 1})
    return runs.train(config, folder / "run", reporter=Silent()).path


@pytest.mark.slow
def test_annealed(run, monkeypatch):
    monkeypatch.setattr(cost, "WORTH_SAYING", 0.0)
    before = runs.evaluate(run, limit=3, k=500, reporter=Silent())
    (saved,) = (run / "evaluation").glob("test-k500-*.npz")
    stored, reporter = saved.read_bytes(), Recorder()
    report = runs.evaluate(run, method="annealed", limit=3, start="posterior", reporter=reporter, **SHORT)
    assert saved.read_bytes() == stored
    assert reporter.notes[0].startswith(
        "measuring 3 rows by 4 chains x 20 temperatures x 2 leapfrog steps from the post"
    )
    assert reporter.rows[-1] == (3, 3)
    assert report.keys() >= before.keys() - {"units"}  # the same names, whatever the method
    assert (report["method"], report["split"], report["n"], report["k"]) == ("annealed", "test", 3, None)
    assert report["log_evidence"] == pytest.approx(before["log_evidence"], abs=0.4)  # of six coins, by four chains
    assert report["bits_per_dim"] == pytest.approx(-report["log_evidence"] / (6 * np.log(2)))
    line = runs.closing_line(report)
    assert line.startswith(
        f"test log p(x) = {report['log_evidence']:.2f} +/- {report['standard_error']:.2f} nats (anne"
    )
    assert "4 chains x 20 temperatures x 2 leapfrog steps from the posterior, binary" in line
    assert f"; acceptance {report['acceptance']:.2f}; " in line
    (file,) = (run / "evaluation").glob("annealed-test-posterior-4x20x2-n3-seed0-*.npz")
    with np.load(file) as columns:
        assert columns["log_evidence"].mean() == pytest.approx(report["log_evidence"])
        assert set(columns) == {"rows", "log_evidence", "monte_carlo_error", "ess", "acceptance"}
    assert json.loads(file.with_suffix(".json").read_text())["chains"] == 4


@pytest.mark.slow
def test_bidirectional(run):
    report = runs.evaluate(run, method="bidirectional", limit=3, reporter=Silent(), **SHORT)
    assert report["split"] == "simulated"
    assert report["gap"] == pytest.approx(report["log_evidence_upper"] - report["log_evidence"])
    assert abs(report["gap"]) < 0.2
    line = runs.closing_line(report)
    lower = f"{report['log_evidence']:.2f} +/- {report['standard_error']:.2f}"
    assert line.startswith(f"simulated log p(x) between {lower} and ")
    assert f"gap {report['gap']:.2f} +/- {report['gap_standard_error']:.2f}; " in line
    (file,) = (run / "evaluation").glob("bidirectional-simulated-*.npz")
    with np.load(file) as columns:
        assert columns["x"].shape == (3, 6)


@pytest.mark.slow
def test_jackknife(run):
    options = {"method": "jackknife", "limit": 3, "k": 4, "repeats": 10, "reporter": Silent()}
    first, second = (runs.evaluate(run, order=order, **options) for order in (1, 2))
    assert first["kind"] == second["kind"] == "estimate"
    assert [each["kind"] for each in second["orders"]] == ["lower", "estimate", "estimate"]
    assert first["orders"] == second["orders"][:2], "all orders are of the same sets"
    assert first["log_evidence"] == pytest.approx(-6 * np.log(2), abs=0.4)
    line = runs.closing_line(first)
    assert "(jackknife of order 1, an estimate and no bound; 10 sets of k=4, binary" in line
    (file,) = (run / "evaluation").glob("jackknife2-test-k4x10-n3-seed0-*.npz")
    with np.load(file) as columns:
        assert columns["log_evidence"].mean() == pytest.approx(second["log_evidence"])
        np.testing.assert_array_equal(columns["log_evidence"], columns["order_2"])
    assert "a lower bound" in runs.closing_line(runs.evaluate(run, order=0, **options))
    assert len(measurements.summaries(Run(run).folder, ("method", "n"))) >= 3, "what was written is read back"


@pytest.mark.parametrize("method", sorted({*OF_ROWS} - {"importance"}))
def test_what_a_method_does_not_know_is_read_back(method):
    unknown = {"method": method, **dict.fromkeys(SHARED)}
    assert measurements.parse(strict_json.canonical(unknown), path=Path("a.json")) == unknown


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"method": "guess"}, "importance, annealed, bidirectional, jackknife or links, got 'guess'"),
        (
            {"chains": 4},
            "chains is not used by the method importance, which takes split, k; got chains=4, an option of",
        ),
        ({"method": "annealed", "k": 5}, "k is not used by the method annealed"),
        ({"method": "bidirectional", "split": "test"}, "split is not used by the method bidirectional"),
        ({"method": "annealed", "leapfrog": 0}, "leapfrog: an integer from 1 to 100000 was needed, got 0"),
        ({"method": "annealed", "order": 1}, "order is not used by the method annealed"),
        ({"method": "jackknife", "order": 9}, "order: an integer from 0 to 8 was needed, got 9"),
        ({"method": "jackknife", "k": 2, "order": 2}, "a jackknife of k=2 draws needs an order of 0 to 1, got 2"),
        ({"method": "annealed", "start": "middle"}, "start must be prior or posterior, got 'middle'"),
    ],
)
def test_options_that_a_method_does_not_take(run, wrong, says):
    with pytest.raises(ValueError, match=says):
        runs.evaluate(run, reporter=Silent(), **wrong)


# -- stored, and read back; nothing is computed here, so that every method is asked ---------------------------------

ROWS, NUMBERS = np.arange(3), np.linspace(-9.0, -1.0, 24).reshape(8, 3)
CHAINS = Annealed(chains=4, temperatures=20, leapfrog=2, start="posterior")
SIDES = [evaluation.AnnealedEvidence(4, 20, 2, "posterior", ROWS, *NUMBERS[i : i + 4] ** 2) for i in (0, 3)]
SETS = evaluation.JackknifeEvidence(4, 10, (0, 1, 2), ROWS, NUMBERS[:3], NUMBERS[3:6] ** 2, NUMBERS[6], NUMBERS[7] ** 2)
STORED = {  # a method, the function that it calls with what that gives, and the name under which it was always stored
    "importance": (Importance(k=200), "log_evidence", evaluation.Evidence(200, ROWS, *NUMBERS[:6]), "test-k200"),
    "annealed": (CHAINS, "annealed_evidence", SIDES[0], "annealed-test-posterior-4x20x2"),
    "bidirectional": (
        Bidirectional(chains=4, temperatures=20, leapfrog=2),
        "bidirectional_evidence",
        evaluation.BidirectionalEvidence(np.ones((3, 6)), *SIDES),
        "bidirectional-simulated-prior-4x20x2",
    ),
    "jackknife": (Jackknife(k=4, order=2, repeats=10), "jackknife_evidence", SETS, "jackknife2-test-k4x10"),
}


@pytest.fixture
def stored(run, tmp_path, monkeypatch):
    """Measures a copy of the run by a method, whose numbers are as given; the folder, the report, and the one file."""

    def measured(name, **options):
        value, function, found, stem = STORED[name]
        folder = Run(shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns("evaluation"))).folder
        monkeypatch.setattr(evaluation, function, lambda *_, **__: found)
        for layers in ("unit_activity", "kl_per_unit"):
            monkeypatch.setattr(evaluation, layers, lambda *_, **__: [np.array([0.5, 0.001])])
        report = runs.evaluate(folder.path, method=value, limit=3, reporter=Silent(), **options)
        (file,) = (folder.path / "evaluation").glob("*.json")
        assert file.name.startswith(f"{stem}-n3-seed0-step")
        return folder, report, file

    return measured


def test_every_method_is_asked():
    assert [*STORED] == OF_ROWS


@pytest.mark.parametrize("name", OF_ROWS)
def test_what_a_method_stores_is_read_back(stored, name):
    folder, report, _ = stored(name)
    ((path, summary),) = measurements.summaries(folder, (*SHARED, "n", "log_evidence", "standard_error", "warnings"))
    assert {key: summary[key] for key in report} == strict_json.finite(report)
    columns = measurements.read(folder, path, summary, ("rows", "log_evidence", "monte_carlo_error")).columns
    assert columns["log_evidence"].mean() == report["log_evidence"]
    found = STORED[name][2]
    saved = vars(found.lower if name == "bidirectional" else found)
    for column in columns.keys() & saved.keys():
        np.testing.assert_array_equal(columns[column], saved[column])
    assert runs.closing_line(summary) == runs.closing_line(report)


@pytest.mark.parametrize("name", OF_ROWS)
def test_a_value_and_its_name_are_one_measurement(run, stored, name):
    value = STORED[name][0]
    folder, report, file = stored(name)
    given = {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
    again = runs.evaluate(folder.path, method=name, limit=3, reporter=Silent(), **given)
    assert list((folder.path / "evaluation").glob("*.json")) == [file]
    assert again | {"seconds": 0} == report | {"seconds": 0}


def test_a_value_takes_no_settings_beside_it_and_none_out_of_range(run):
    with pytest.raises(ValueError, match="chains is not used by the method annealed, which takes split; got chains=3"):
        runs.evaluate(run, method=CHAINS, chains=3, reporter=Silent())
    with pytest.raises(ValueError, match="temperatures: an integer from 1 to 10000000 was needed, got 0"):
        Annealed(temperatures=0)
    with pytest.raises(ValueError, match=r"k: an integer from 1 to 10000000 was needed, got 2\.5"):
        Importance(k=2.5)


@pytest.mark.parametrize("name", sorted({*OF_ROWS} - {"importance"}))
def test_what_an_early_version_stored_is_read(stored, name):
    """Without where chains began, and without the ELBO of a jackknife's draws, which were null."""
    folder, report, file = stored(name)
    early = strict_json.finite(report) | dict.fromkeys(SHARED[1:])
    early.pop("origin", None)
    folder.write({f"evaluation/{file.name}": strict_json.canonical(early)})
    ((path, summary),) = measurements.summaries(folder, ("n", "log_evidence"))
    assert measurements.read(folder, path, summary, ("rows", "log_evidence")).columns["rows"].tolist() == [0, 1, 2]
    assert runs.closing_line(summary).partition(" (")[0] == runs.closing_line(report).partition(" (")[0]


def test_a_side_by_side_table_reads_the_passes_that_an_early_version_kept(run):
    """Values and errors [evaluators, n] in one file, with what they depend on and their description."""
    plan = published.SideBySide(rows=8, k=4, repeats=3, orders=[1], chains=2, temperatures=3, leapfrog=2, start="prior")
    folder, identity = Run(run).folder, {"pass": "any", "n": 3}
    for each, lines in zip(evaluators._passes(plan, 50), (3, 2, 1), strict=True):
        words = {"identity": identity, "about": {"warnings": ["few"], "seconds": 1.5}}
        packed = {name: np.frombuffer(strict_json.canonical(value), np.uint8) for name, value in words.items()}
        stream = io.BytesIO()
        np.savez(stream, values=NUMBERS[:lines], errors=NUMBERS[lines : 2 * lines] ** 2, **packed)
        name = f"side-by-side-{each.method.name}-0123.npz"
        folder.write({f"evaluation/{name}": stream.getvalue()})
        saved = evaluators._read(folder, folder.path / "evaluation" / name, each, identity)
        assert saved.summary == words["about"]
        values = [saved.columns[column] for column in each.columns]
        errors = [saved.columns[column] for column in each.columns.values()]
        np.testing.assert_array_equal([*values, *errors], [*NUMBERS[:lines], *NUMBERS[lines : 2 * lines] ** 2])
        with pytest.raises(ValueError, match="of these weights, data and settings was needed, got another"):
            evaluators._read(folder, folder.path / "evaluation" / name, each, {"pass": "other"})
