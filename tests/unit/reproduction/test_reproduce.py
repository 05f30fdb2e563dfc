"""Published tables as data, rows trained, results as files and the table made of them; runs beside each other."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from oracles.resealing import changed

from iwax.reproduction import published, reproduce, results, results_page
from iwax.reproduction.results import Published, Result
from iwax.runs import comparison, from_sources
from iwax.runs.reporter import Silent
from iwax.storage.checkpoint import CorruptCheckpointError

ROOT = Path(__file__).parents[3]


def result(**changes: object) -> Result:
    given = {
        "table": "burda2016",
        "row": "mnist-1-iwae-k5",
        "recipe": "quick",
        "seed": 0,
        "command": "iwax reproduce burda2016 --rows mnist-1-iwae-k5",
        "versions": {"iwax": "0.1.0"},
        "device": "cpu",
        "dataset": "mnist-dynamic-burda",
        "protocol": "as it is written down",
        "n": 10000,
        "k": 5000,
        "epochs": 100,
        "epochs_planned": 100,
        "cut": False,
        "seconds": 240.0,
        "evaluation_seconds": 200.0,
        "log_evidence": -88.6,
        "standard_error": 0.24,
        "elbo": -90.1,
        "elbo_standard_error": 0.24,
        "active_units": [23],
        "published": Published(
            log_evidence=-85.54,
            active_units=[22],
            where="Table 1",
            source="Burda, Grosse, Salakhutdinov 2016, arXiv:1509.00519",
            certainty="R",
            other_data=False,
        ),
    }
    return Result(**{**given, **changes})


@pytest.mark.parametrize(
    ("row", "log_evidence", "active_units"),
    [
        ("mnist-1-vae-k1", -86.76, [19]),
        ("mnist-1-iwae-k50", -84.78, [25]),
        ("mnist-2-iwae-k50", -82.90, [26, 7]),
        ("omniglot-1-iwae-k5", -106.12, [34]),
        ("omniglot-2-iwae-k1", -107.56, [30, 5]),
        ("mnist-1-vae-k1-then-iwae-k50", -84.88, [22]),
        ("mnist-static-2-vae-k50", -87.86, [17, 6]),
    ],
)
def test_published_numbers_are_those_of_the_paper(row, log_evidence, active_units):
    table = published.read_table("burda2016")
    (found,) = published.select_rows(table, row)
    assert (found.log_evidence, found.active_units) == (log_evidence, active_units)
    assert table.source.endswith("arXiv:1509.00519")
    assert table.evaluation_k == 5000


def test_a_row_says_in_its_name_what_it_is():
    for row in published.read_table("burda2016").all_rows():
        family = "vae" if row.bound == "elbo" else "iwae"
        own = row.name.rpartition("-then-")[2] if row.start else row.name.removeprefix(f"{row.data}-{row.layers}-")
        assert own == f"{family}-k{row.k}"
        assert len(row.active_units) == row.layers


def test_names_are_used_once_and_starts_are_rows():
    rows = published.read_table("burda2016").all_rows()
    names = [row.name for row in rows]
    assert len(set(names)) == len(names)
    assert all(row.start in names for row in rows if row.start)


def test_rebuilt_data_stand_beside_the_published_number_and_say_so():
    table = published.read_table("burda2016")
    (row,) = published.select_rows(table, "omniglot-rebuilt-1-vae-k1")
    assert row.other_data
    assert row.data == "omniglot-rebuilt"
    assert row.log_evidence == -108.11
    assert not any(row.other_data for row in table.rows)


def test_wrong_names_offer_the_nearest():
    with pytest.raises(ValueError, match="burda2016"):
        published.read_table("burda2015")
    with pytest.raises(ValueError, match="mnist-1-iwae-k5"):
        published.select_rows(published.read_table("burda2016"), "mnist-1-iwae-k6")


def test_a_result_is_read_back_as_it_was_written(tmp_path):
    path = results.write(result(), tmp_path)
    assert path.name == "burda2016-mnist-1-iwae-k5-quick-e100-seed0.json"
    assert results.read(tmp_path) == [result()]
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("text", ["{}", "nonsense", json.dumps({**result().model_dump(), "seed": "one"})])
def test_a_file_that_is_no_result_is_named(tmp_path, text):
    (tmp_path / "broken.json").write_text(text)
    with pytest.raises(ValueError, match=r"broken\.json is no result"):
        results.read(tmp_path)


def test_the_table_states_error_cut_and_other_data():
    other = result().published.model_copy(update={"other_data": True})
    text = results_page.markdown([result(), result(seed=1, epochs=40, cut=True), result(seed=2, published=other)])
    assert "-88.60 +/- 0.24" in text
    assert "40/100\\*" in text
    assert "-85.54 †" in text
    assert "arXiv:1509.00519" in text
    assert len({line.count("|") for line in text.splitlines() if line.startswith("|")}) == 1


def test_every_published_table_has_its_own_and_says_once_what_all_its_rows_share():
    bare = result().published.model_copy(update={"active_units": []})
    alone = result(table="vampprior", row="mnist-static-vae", published=bare)
    text = results_page.markdown([alone, result(), result(seed=1)])
    first, second = text.split("### ")[1:]
    assert first.startswith("burda2016\n\nBurda, Grosse, Salakhutdinov 2016, arXiv:1509.00519. Here: ")
    assert "Here: quick recipe, k = 5,000, 10,000 images.\n" in first
    assert "Here: quick recipe, seed 0, k = 5,000, 10,000 images.\n" in second
    heads = [next(line for line in each.splitlines() if line.startswith("|")) for each in (first, second)]
    shared = "obtained log p(x) | ELBO | published | active units"
    assert heads == [
        f"| row | epochs | seed | {shared} | units published | minutes |",
        f"| row | epochs | {shared} | minutes |",
    ]
    assert "| mnist-static-vae | 100 | -88.60 +/- 0.24 | -90.10 | -85.54 | 23 | 4.0 |" in second


def test_the_table_goes_between_the_markers_and_nowhere_else(tmp_path):
    page, folder = tmp_path / "README.md", tmp_path / "results"
    results.write(result(), folder)
    page.write_text(f"# Title\n\n{results_page.BEGIN}\nold\n{results_page.END}\n\nafter\n")
    assert results_page.update_table(page, folder)
    text = page.read_text()
    assert text.startswith("# Title\n\n<!-- results:begin -->\n### burda2016\n")
    assert text.endswith("<!-- results:end -->\n\nafter\n")
    assert "old" not in text
    assert not results_page.update_table(page, folder)


def test_a_page_without_markers_is_left_alone(tmp_path):
    page = tmp_path / "README.md"
    page.write_text("# Title\n")
    with pytest.raises(ValueError, match="results:begin"):
        results_page.update_table(page, tmp_path)
    assert page.read_text() == "# Title\n"


def test_the_page_shows_the_results_of_the_folder():
    text = (ROOT / "docs" / "reference" / "results.md").read_text(encoding="utf-8")
    _, begin, rest = text.partition(results_page.BEGIN)
    table, end, _ = rest.partition(results_page.END)
    assert begin
    assert end
    assert table.strip() == results_page.markdown(results.read(ROOT / "results")).strip(), (
        "make the table anew: iwax reproduce --table-into docs/reference/results.md"
    )


# training rows, on data of which an epoch is a moment


@pytest.fixture(scope="module")
def table() -> published.PublishedTable:
    """Rows of a table that was never published, on scikit-learn's digits."""
    row = {"where": "Table 0", "data": "digits", "layers": 1, "log_evidence": -20.0, "active_units": [16]}
    rows = [
        {**row, "name": "digits-1-vae-k1", "bound": "elbo", "k": 1},
        {**row, "name": "digits-1-vae-k1-then-iwae-k5", "bound": "iwae", "k": 5, "start": "digits-1-vae-k1"},
    ]
    return published.read_table("burda2016").model_copy(
        update={"rows": [published.PublishedRow(**entry) for entry in rows], "evaluation_k": 5}
    )


@pytest.fixture(scope="module")
def trained(table, tmp_path_factory) -> Path:
    """The second row, and so the first one too, after two epochs each."""
    folder = tmp_path_factory.mktemp("reproduce")
    ask(table, folder, 1, epochs=2)
    return folder


def ask(table, folder: Path, number: int, **options: object):
    request = reproduce.Request(table, output=folder / "runs", results=folder / "results", **options)
    return reproduce.reproduce_row(table.rows[number], request, seed=0, reporter=Silent())


def test_a_row_is_trained_from_its_start_and_written_down(table, trained):
    found = {entry.row: entry for entry in results.read(trained / "results")}
    assert set(found) == {"digits-1-vae-k1", "digits-1-vae-k1-then-iwae-k5"}
    entry = found["digits-1-vae-k1"]
    assert (entry.k, entry.n, entry.epochs, entry.epochs_planned, entry.cut) == (5, 300, 2, 2, False)
    assert entry.published.log_evidence == -20.0
    assert entry.dataset == "digits"
    assert entry.command == "iwax reproduce burda2016 --rows digits-1-vae-k1 --recipe quick --epochs 2 --seeds 1"
    assert entry.seconds > 0
    assert entry.log_evidence >= entry.elbo
    config = json.loads((trained / "runs/digits-1-vae-k1-then-iwae-k5-quick-e2-seed0/config.json").read_text())
    assert config["start"].endswith("digits-1-vae-k1-quick-e2-seed0")
    assert config["training"]["learning_rate"] == 1e-4


GROWING = ("log.txt", "seal.json")


def test_a_finished_row_is_not_trained_again(table, trained):
    path = trained / "runs/digits-1-vae-k1-quick-e2-seed0"
    files = [file for file in path.rglob("*.*") if file.is_file() and file.name not in GROWING]
    before = {file: file.stat().st_mtime_ns for file in files}
    _, entry, _ = ask(table, trained, 0, epochs=2)
    assert entry in results.read(trained / "results")
    assert before == {file: file.stat().st_mtime_ns for file in before}


@pytest.mark.slow
def test_minutes_cut_a_row_and_more_of_them_finish_it(table, trained, tmp_path):
    _, cut, path = ask(table, tmp_path, 0, epochs=2, minutes=0)
    assert cut.cut
    assert cut.epochs < cut.epochs_planned == 2
    _, whole, again = ask(table, tmp_path, 0, epochs=2)
    assert again == path  # the better result takes the place of the cut one
    assert not whole.cut
    (uncut,) = [entry for entry in results.read(trained / "results") if entry.row == "digits-1-vae-k1"]
    assert whole.log_evidence == uncut.log_evidence  # as if it had never been cut
    assert whole.active_units == uncut.active_units


def test_no_row_is_trained_from_half_of_its_start(table, tmp_path):
    folder, found, path = ask(table, tmp_path, 1, epochs=2, minutes=0)
    assert folder.path == tmp_path / "runs/digits-1-vae-k1-quick-e2-seed0"
    assert (found.row, found.cut) == ("digits-1-vae-k1", True)
    assert list((tmp_path / "runs").iterdir()) == [folder.path]
    assert list((tmp_path / "results").iterdir()) == [path]


def test_another_run_in_the_place_of_a_row_is_refused(table, trained, tmp_path):
    there = trained / "runs/digits-1-vae-k1-quick-e2-seed0"
    shutil.copytree(there, tmp_path / "runs/digits-1-vae-k1-quick-e3-seed0")
    with pytest.raises(ValueError, match="--output"):
        ask(table, tmp_path, 0, epochs=3)


@pytest.mark.parametrize("other", ["model", "data", "start"])
def test_another_net_data_or_start_in_the_place_of_a_row_is_refused(table, trained, tmp_path, other):
    shutil.copytree(trained / "runs", tmp_path / "runs")
    file = tmp_path / "runs/digits-1-vae-k1-then-iwae-k5-quick-e2-seed0/config.json"
    config = json.loads(file.read_text())
    if other == "start":
        change(file, start="runs/another")
    else:
        change(file, **{other: {**config[other], **{"model": {"latent": 3}, "data": {"name": "ring"}}[other]}})
    with pytest.raises(ValueError, match="--output"):
        ask(table, tmp_path, 1, epochs=2)


def test_the_configuration_of_every_row_is_its_own():
    table = published.read_table("burda2016")
    for row in table.all_rows():
        config = reproduce.configuration(row, reproduce.Request(table, recipe="paper"), seed=3)
        assert (config.objective.bound.kind, config.objective.k, config.data.name) == (row.bound, row.k, row.data)
        assert len(config.model.latents) == row.layers
        assert config.seed == 3
        assert config.evaluation.k == 5000
        assert config.training.epochs == (2187 if row.start else 3280)
    plain = from_sources(preset="iwae-1-k5", data="mnist")
    (row,) = published.select_rows(table, "mnist-1-iwae-k5")
    assert reproduce.configuration(row, reproduce.Request(table), seed=0).training == plain.training


# runs beside each other


@pytest.fixture
def pair(trained, tmp_path) -> list[Path]:
    """Copies of the two trained runs, both measured on the same 300 rows."""
    return [Path(shutil.copytree(run, tmp_path / run.name)) for run in sorted((trained / "runs").iterdir())]


def change(path: Path, **values: object) -> None:
    changed(path, json.dumps({**json.loads(path.read_text()), **values}).encode())


def test_paired_differences_are_those_of_the_rows(pair):
    found = comparison.compare(pair)
    one, two = (np.load(next(run.glob("evaluation/*.npz")))["log_evidence"] for run in pair)
    assert found["n"] == 300
    assert found["runs"][0]["difference"] == 0
    assert found["runs"][1]["difference"] == pytest.approx(np.mean(two - one))
    assert found["runs"][1]["difference_error"] == pytest.approx(np.std(two - one, ddof=1) / np.sqrt(300))
    assert found["seeds"] == []


def test_the_settings_that_differ_are_named(pair):
    again = Path(shutil.copytree(pair[0], pair[0].with_name("again")))
    objective = json.loads((again / "config.json").read_text())["objective"]
    change(again / "config.json", seed=7, objective={**objective, "k": objective["k"] + 1, "backward": 1})
    first, second = comparison.compare([pair[0], again])["runs"]
    assert first["differs"] == {}
    assert second["differs"] == {"objective.k": objective["k"] + 1, "objective.backward": 1}


def test_one_row_has_a_difference_and_no_error(pair):
    for run in pair:
        change(next(run.glob("evaluation/*.json")), standard_error=None)
    assert all(np.isnan(entry["standard_error"]) for entry in comparison.compare(pair)["runs"])


def test_runs_that_differ_by_their_seed_alone_are_taken_together(pair):
    again = Path(shutil.copytree(pair[0], pair[0].with_name("again")))
    change(again / "config.json", seed=7)
    change(next(again.glob("evaluation/*.json")), log_evidence=-20.0)
    first = json.loads(next(pair[0].glob("evaluation/*.json")).read_text())["log_evidence"]
    (group,) = comparison.compare([*pair, again])["seeds"]
    assert group["seeds"] == [0, 7]
    assert group["mean"] == pytest.approx((first - 20.0) / 2)
    assert group["sd"] == pytest.approx(abs(first + 20.0) / np.sqrt(2))


def test_runs_from_runs_of_their_own_seeds_are_taken_together(pair):
    second = next(run for run in pair if "-then-" in run.name)
    again = Path(shutil.copytree(second, second.with_name("again")))
    change(again / "config.json", seed=7, start="runs/digits-1-vae-k1-quick-e2-seed7")
    (group,) = comparison.compare([second, again])["seeds"]
    assert group["seeds"] == [0, 7]


def test_measurements_of_other_states_are_not_mixed(pair):
    assert comparison.compare(pair)["checkpoint"] == "best"  # and the last one: nothing was validated
    summary = next(pair[1].glob("evaluation/*.json"))
    last = json.loads(summary.read_text())["checkpoint"]
    change(summary, checkpoint="step-0")
    with pytest.raises(ValueError, match=r"k = 5 \(seed 0, best\) and .*\(seed 0, last\); .*\(seed 0, step-0\)\. "):
        comparison.compare(pair)
    change(summary, checkpoint=last)
    assert [entry["checkpoint"] for entry in comparison.compare(pair)["runs"]] == [last, last]


def test_runs_on_other_data_are_not_compared(pair):
    env = pair[1] / "env.json"
    change(env, data={**json.loads(env.read_text())["data"], "sha256": "0" * 64})
    with pytest.raises(ValueError, match="same data"):
        comparison.compare(pair)


def test_runs_measured_otherwise_are_not_compared(pair):
    summary = next(pair[1].glob("evaluation/*.json"))
    change(summary, k=6)
    command = rf"k = 5 .*k = 6 .*: iwax evaluate {re.escape(str(pair[1]))} --split test --k 5 --limit 300$"
    with pytest.raises(ValueError, match=command):
        comparison.compare(pair)
    with pytest.raises(ValueError, match="valid"):
        comparison.compare(pair, split="valid")


def test_spoilt_measurements_are_noticed(pair):
    values = next(pair[1].glob("evaluation/*.npz"))
    values.write_bytes(values.read_bytes()[:100])
    with pytest.raises(CorruptCheckpointError, match=values.name):
        comparison.compare(pair)
    changed(values.with_suffix(".json"), b'{"n": 300}')
    with pytest.raises(CorruptCheckpointError, match="log_evidence"):
        comparison.compare(pair)
