"""Evaluators of log p(x) side by side: measured of the same rows, saved once made, written down and printed."""

import json
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest
from oracles.recorder import Recorder

from iwax import evaluation, runs
from iwax.cli import published as printed
from iwax.cli.terminal import Terminal
from iwax.reproduction import evaluators, published, reproduce, results, results_page
from iwax.runs.methods.method import Task
from iwax.runs.reporter import Silent
from iwax.settings import build
from iwax.streams import Run

pytestmark = pytest.mark.slow

NAMES = ["ELBO", "IWAE", "JVI-1", "JVI-2", "L_50", "AIS"]
PLAN = published.SideBySide(
    rows=8, k=4, repeats=3, orders=[1, 2], chains=2, temperatures=3, leapfrog=2, start="posterior"
)


@pytest.fixture(scope="module")
def table() -> published.PublishedTable:
    """A table that was never published, of small nets on scikit-learn's digits."""
    row = published.PublishedRow(
        name="digits-1-iwae-k3",
        where="Table 0",
        data="digits",
        layers=1,
        bound="iwae",
        k=3,
        evaluators={"IWAE": published.PublishedValue(value=-20.0, error=0.1)},
        settings={"model.latent": 2},
    )
    update = {
        "rows": [row],
        "evaluation_k": 50,
        "evaluators": PLAN,
        "settings": {"model.hidden": [8], "model.latent": 9},
    }
    return published.read_table("jvi").model_copy(update=update)


def ask(table: published.PublishedTable, folder: Path, reporter: Silent):
    request = reproduce.Request(table, epochs=1, output=folder / "runs", results=folder / "results")
    return reproduce.reproduce_row(table.rows[0], request, seed=0, reporter=reporter)


@pytest.fixture(scope="module")
def measured(table, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("side-by-side")
    ask(table, folder, Silent())
    return folder


@pytest.fixture
def again(measured, tmp_path) -> Path:
    """A copy of the measured run without its result, so that it is asked for once more."""
    shutil.copytree(measured / "runs", tmp_path / "runs")
    return tmp_path


@pytest.fixture
def result(measured) -> results.Result:
    (found,) = results.read(measured / "results")
    return found


# the table


@pytest.mark.parametrize(
    ("row", "numbers"),
    [
        ("mnist-1-elbo-k32", [-93.38, -89.22, -88.66, -88.40]),
        ("mnist-1-iwae-k32", [-95.30, -86.05, -85.28, -85.01]),
        ("mnist-1-jackknife-k32", [-99.19, -86.56, -85.43, -85.14]),
    ],
)
def test_published_numbers_are_those_of_the_paper(row, numbers):
    (found,) = published.select_rows(published.read_table("jvi"), row)
    assert [found.evaluators[name].value for name in ("ELBO", "IWAE", "JVI-1", "JVI-2")] == numbers
    assert numbers == sorted(numbers)  # the order of the evaluators that is to be seen again


@pytest.mark.parametrize("bound", ["elbo", "iwae", "jackknife"])
def test_a_row_is_the_run_that_its_command_gives(bound):
    table = published.read_table("jvi")
    (row,) = published.select_rows(table, f"mnist-1-{bound}-k32")
    found = reproduce.configuration(row, reproduce.Request(table, epochs=15), seed=0)
    order = ["objective.order=1"] if bound == "jackknife" else []
    wanted = runs.from_sources(
        preset="iwae-1-k50",
        data="mnist-dynamic-50k",
        sets=["model.latent=40", "model.hidden=300,300", *order],
        flags={"objective.k": 32, "objective.bound": bound, "training.epochs": 15},
    )
    assert (found.data, found.model, found.training) == (wanted.data, wanted.model, wanted.training)
    assert found.objective == wanted.objective
    assert found.objective.gradient.kind == "doubly_reparameterized"
    assert found.evaluation.limit == 1000


def test_both_tables_are_listed(capsys):
    printed.tables(Terminal(), [published.read_table(name) for name in published.table_names()])
    out = capsys.readouterr().out
    assert "burda2016" in out
    assert "jvi" in out


# what is measured


def test_the_numbers_are_those_of_the_evaluators(measured, table, result):
    (run,) = (measured / "runs").iterdir()
    trained = runs.open_run(run, checkpoint="last")
    assert trained.config.model.hidden == (8,)
    assert trained.config.model.latent == 2  # what the row sets goes before what the table sets
    x = build.values(trained.config, trained.dataset(), "test", final=True)[: PLAN.rows]
    found = {each.name: each for each in result.evaluators}
    assert list(found) == NAMES
    key = jax.random.fold_in(jax.random.key(0), Run.COMPARED_JACKKNIFE)
    jackknife = evaluation.jackknife_evidence(trained.model, x, k=4, repeats=3, key=key)
    np.testing.assert_allclose([found[name].mean for name in NAMES[1:4]], jackknife.mean, rtol=1e-6)
    np.testing.assert_allclose(found["JVI-2"].monte_carlo_error, jackknife.monte_carlo_error[2], rtol=1e-6)
    same = evaluation.log_evidence(trained.model, x, k=12, key=key)
    assert found["ELBO"].mean == pytest.approx(same.elbo_mean, rel=1e-6)
    report = runs.evaluate(run, k=50, limit=8, checkpoint="last", reporter=Silent())
    assert found["L_50"].mean == result.log_evidence == pytest.approx(report["log_evidence"], rel=1e-6)
    assert result.elbo == pytest.approx(report["elbo"], rel=1e-6)
    assert found["L_50"].standard_error == pytest.approx(report["standard_error"], rel=1e-6)
    key = jax.random.fold_in(jax.random.key(0), Run.COMPARED_ANNEALING)
    plan = {"chains": 2, "temperatures": 3, "leapfrog": 2, "start": "posterior"}
    annealed = evaluation.annealed_evidence(trained.model, x, key=key, **plan)
    assert found["AIS"].mean == pytest.approx(annealed.mean, rel=1e-5)
    paired = jackknife.estimate[2] - annealed.log_evidence
    assert found["JVI-2"].difference == pytest.approx(paired.mean(), rel=1e-4)
    assert found["JVI-2"].difference_error == pytest.approx(paired.std(ddof=1) / np.sqrt(8), rel=1e-4)
    assert (found["AIS"].difference, found["AIS"].difference_error) == (None, None)
    assert found["IWAE"].published.value == -20.0
    assert found["JVI-1"].published is None
    assert (result.n, result.k, result.published.log_evidence) == (8, 50, None)


def test_what_was_measured_is_not_measured_again(table, again, result, monkeypatch):
    for name in ("jackknife_evidence", "log_evidence", "annealed_evidence"):
        monkeypatch.setattr(evaluation, name, None)
    heard = Recorder()
    _, entry, _ = ask(table, again, heard)
    assert entry.evaluators == result.evaluators
    assert entry.evaluation_seconds == result.evaluation_seconds > 0
    assert sum("measured before" in note for note in heard.notes) == 3


def test_an_interruption_loses_one_pass_at_most(table, measured, again, result, monkeypatch):
    (run,) = (again / "runs").iterdir()
    shutil.rmtree(run / "evaluation")

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(evaluation, "annealed_evidence", interrupted)
        with pytest.raises(KeyboardInterrupt):
            ask(table, again, Silent())
    assert not (again / "results").exists()
    assert len(list(run.glob("evaluation/*.npz"))) == 2
    heard = Recorder()
    _, entry, _ = ask(table, again, heard)
    assert sum("measured before" in note for note in heard.notes) == 2
    assert [each.mean for each in entry.evaluators] == [each.mean for each in result.evaluators]


@pytest.mark.parametrize("spoilt", ["cut short", "of another plan"])
def test_a_saved_pass_that_is_not_it_is_measured_again(table, again, result, spoilt):
    (run,) = (again / "runs").iterdir()
    annealed, other = next(run.glob("evaluation/*annealed*.npz")), next(run.glob("evaluation/*importance*.npz"))
    annealed.write_bytes(annealed.read_bytes()[:300] if spoilt == "cut short" else other.read_bytes())
    heard = Recorder()
    _, entry, _ = ask(table, again, heard)
    assert any(annealed.name in warning and "measured again" in warning for warning in heard.warnings)
    assert entry.evaluators[-1].mean == result.evaluators[-1].mean


def test_another_plan_is_another_measurement(table, again, result):
    ask(table, again, Silent())
    more = table.model_copy(update={"evaluators": PLAN.model_copy(update={"repeats": 4})})
    heard = Recorder()
    _, entry, _ = ask(more, again, heard)
    assert sum("measured before" in note for note in heard.notes) == 2
    assert entry.evaluators[1].mean != result.evaluators[1].mean
    assert entry.evaluators[-1] == result.evaluators[-1]
    assert results.read(again / "results") == [entry]
    heard = Recorder()
    ask(more, again, heard)
    assert any("trained and measured before" in note for note in heard.notes)


def test_other_weights_are_another_measurement(again):
    (run,) = (again / "runs").iterdir()
    trained, other = (runs.open_run(run, checkpoint="last") for _ in range(2))
    other.checkpoint = trained.checkpoint.with_name("step-0")
    rest = (evaluators.SPLIT, 8, evaluators.COMMON_SEED, Silent(), evaluators.STREAMS)
    one, two = (evaluators._about(Task(each, *rest)) for each in (trained, other))
    assert one != two
    assert {name for name in one if one[name] != two[name]} == {"weights"}


# what is written and printed


def test_the_table_of_evaluators_goes_between_its_own_markers(measured, result, tmp_path):
    page = tmp_path / "README.md"
    page.write_text(
        f"{results_page.BEGIN}\n{results_page.END}\n\n{results_page.BEGIN_EVALUATORS}\nold\n{results_page.END_EVALUATORS}\n"
    )
    assert results_page.update_table(page, measured / "results")
    text = page.read_text()
    assert text.startswith(f"{results_page.BEGIN}\n{results_page.END}\n")
    assert "old" not in text
    assert f"| {result.row} | 1 | 0 | obtained |" in text
    assert "-20.00 +/- 0.10" in text
    assert "Nowozin" in text
    assert len({line.count("|") for line in text.splitlines() if line.startswith("|")}) == 1
    assert not results_page.update_table(page, measured / "results")


def test_a_page_without_a_place_for_evaluators_is_left_alone(measured, tmp_path):
    page = tmp_path / "README.md"
    page.write_text(f"{results_page.BEGIN}\n{results_page.END}\n")
    with pytest.raises(ValueError, match="evaluators:begin"):
        results_page.update_table(page, measured / "results")
    assert page.read_text() == f"{results_page.BEGIN}\n{results_page.END}\n"


def test_the_page_shows_the_evaluators_of_the_folder():
    """Written by `iwax reproduce --table-into docs/reference/results.md`, in the order of the paper's evaluators."""
    root = Path(__file__).parents[3]
    page = (root / "docs" / "reference" / "results.md").read_text(encoding="utf-8")
    _, _, rest = page.partition(results_page.BEGIN_EVALUATORS)
    shown, end, _ = rest.partition(results_page.END_EVALUATORS)
    saved = [each for each in results.read(root / "results") if each.evaluators]
    assert end
    assert shown.strip() == results_page.evaluators_markdown(saved).strip()
    for each in saved:
        means = [evaluator.mean for evaluator in each.evaluators]
        assert [evaluator.name for evaluator in each.evaluators] == ["ELBO", "IWAE", "JVI-1", "JVI-2", "L_5000", "AIS"]
        assert means[:4] == sorted(means[:4])
        assert means[0] < means[4]


def test_evaluators_are_printed_beside_what_was_published(table, result, capsys):
    printed.obtained(Terminal(), table, [result])
    out = capsys.readouterr().out
    lines = [line for line in out.splitlines() if line.strip().startswith(result.row)]
    assert [line.split()[3] for line in lines] == NAMES
    assert "-20.00 +/- 0.10" in lines[1]
    printed.rows(Terminal(), table)
    assert "-20.00 +/- 0.10" in capsys.readouterr().out


def test_a_result_of_one_evaluator_names_no_others(result, tmp_path):
    path = results.write(result.model_copy(update={"evaluators": []}), tmp_path)
    assert "evaluators" not in json.loads(path.read_text())
    assert results.read(tmp_path)[0].evaluators == []
