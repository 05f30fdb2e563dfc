"""A run measured by annealing: what is said, stored and printed, and that nothing else is overwritten."""

import json
from pathlib import Path

import numpy as np
import pytest

from iwax import experiments
from iwax.experiments import cost, measurements, summary_types
from iwax.experiments.folder import existing
from iwax.experiments.measure import SHARED
from iwax.experiments.methods import METHODS
from iwax.experiments.reporter import Silent
from iwax.training import strict_json

TINY = ["model.hidden=[4]", "model.latent=2", "objective.k=2", "training.batch=10", "evaluation.k=20"]
SHORT = {"chains": 4, "temperatures": 20, "leapfrog": 2}


class Told(Silent):
    """Remembers what was said."""

    def __init__(self):
        self.notes, self.rows = [], []

    def note(self, text):
        self.notes.append(text)

    def evaluation(self, done, total):
        self.rows.append((done, total))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    np.save(folder / "binary.npy", np.random.default_rng(0).integers(0, 2, (50, 6), np.uint8))
    config = experiments.from_sources(data=str(folder / "binary.npy"), sets=TINY, flags={"training.epochs": 1})
    return experiments.train(config, folder / "run", reporter=Silent())


@pytest.mark.slow
def test_annealed(run, monkeypatch):
    monkeypatch.setattr(cost, "WORTH_SAYING", 0.0)
    before = experiments.evaluate(run, limit=3, k=500, reporter=Silent())
    (kept,) = (run / "evaluation").glob("test-k500-*.npz")
    stored, told = kept.read_bytes(), Told()
    report = experiments.evaluate(run, method="annealed", limit=3, start="posterior", reporter=told, **SHORT)
    assert kept.read_bytes() == stored
    assert told.notes[0].startswith("measuring 3 rows by 4 chains x 20 temperatures x 2 leapfrog steps from the post")
    assert told.rows[-1] == (3, 3)
    assert report.keys() >= before.keys() - {"units"}  # the same names, whatever the method
    assert (report["method"], report["split"], report["n"], report["k"]) == ("annealed", "test", 3, None)
    assert report["log_evidence"] == pytest.approx(before["log_evidence"], abs=0.4)  # of six coins, by four chains
    assert report["bits_per_dim"] == pytest.approx(-report["log_evidence"] / (6 * np.log(2)))
    line = experiments.closing_line(report)
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
    report = experiments.evaluate(run, method="bidirectional", limit=3, reporter=Silent(), **SHORT)
    assert report["split"] == "simulated"
    assert report["gap"] == pytest.approx(report["log_evidence_upper"] - report["log_evidence"])
    assert abs(report["gap"]) < 0.2
    line = experiments.closing_line(report)
    assert line.startswith(f"simulated log p(x) between {report['log_evidence']:.2f} and ")
    assert f"gap {report['gap']:.2f} +/- {report['gap_standard_error']:.2f}; " in line
    (file,) = (run / "evaluation").glob("bidirectional-simulated-*.npz")
    with np.load(file) as columns:
        assert columns["x"].shape == (3, 6)


def test_jackknife(run):
    options = {"method": "jackknife", "limit": 3, "k": 4, "repeats": 10, "reporter": Silent()}
    first, second = (experiments.evaluate(run, order=order, **options) for order in (1, 2))
    assert first["kind"] == second["kind"] == "estimate"
    assert [each["kind"] for each in second["orders"]] == ["lower", "estimate", "estimate"]
    assert first["orders"] == second["orders"][:2], "all orders are of the same sets"
    assert first["log_evidence"] == pytest.approx(-6 * np.log(2), abs=0.4)
    line = experiments.closing_line(first)
    assert "(jackknife of order 1, an estimate and no bound; 10 sets of k=4, binary" in line
    (file,) = (run / "evaluation").glob("jackknife2-test-k4x10-n3-seed0-*.npz")
    with np.load(file) as columns:
        assert columns["log_evidence"].mean() == pytest.approx(second["log_evidence"])
        np.testing.assert_array_equal(columns["log_evidence"], columns["order_2"])
    assert "a lower bound" in experiments.closing_line(experiments.evaluate(run, order=0, **options))
    assert len(measurements.summaries(existing(run), ("method", "n"))) >= 3, "what was written is read back"


@pytest.mark.parametrize("method", sorted({*METHODS} - {"importance"}))
def test_what_a_method_does_not_know_is_read_back(method):
    unknown = {"method": method, **dict.fromkeys(SHARED)}
    assert summary_types.parse(strict_json.canonical(unknown), path=Path("a.json")) == unknown


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"method": "guess"}, "importance, annealed, bidirectional or jackknife, got 'guess'"),
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
        experiments.evaluate(run, reporter=Silent(), **wrong)
