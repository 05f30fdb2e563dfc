"""A table with missing cells and columns of all kinds: trained, measured, and used by every verb."""

import csv
import io
import json
import shutil
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import chromium
from oracles.recorder import Recorder
from oracles.resealing import changed

from iwax import data, inference, runs
from iwax.cli.app import main
from iwax.data import encoding
from iwax.data.files import read_rows
from iwax.inference.score_table import columns as columns_of
from iwax.report.page.compose import compose
from iwax.runs.export import as_csv
from iwax.runs.reporter import Silent
from iwax.runs.run import Run
from iwax.settings import build

in_a_browser = pytest.mark.skipif(chromium.program() is None, reason="needs chromium: apt-get install chromium")

ROWS = 120
SETS = ["model.hidden=[6]", "model.latent=2", "training.epochs=2", "evaluation.k=7", "objective.k=2"]
EXPLORER = "window.iwax.explorers[0]"


def table(rows: int, seed: int, *, sep: str = ";") -> str:
    """Columns of all kinds; a tenth of the cells are missing, written in different ways."""
    rng, more = np.random.default_rng(seed), np.random.default_rng(seed + 1)
    lines = [sep.join(("height", "income", "visits", "smoker", "colour", "rain", "rating", "change"))]
    for i in range(rows):
        z = rng.normal()
        colour = ("red", "green", "blue")[int(z > -0.5) + int(z > 0.5)]
        cells = [
            f"{170 + 8 * z:.1f}",
            f"{np.exp(2 + z):.3f}",
            str(rng.poisson(np.exp(1 + z))),
            "no" if z < 0 else "yes",
        ]
        cells = [("", "NA", "?", "n.b.")[i % 4] if rng.random() < 0.1 else cell for cell in [*cells, colour]]
        cells += [
            f"{np.exp(z + more.normal()):.3f}" if more.random() < 0.5 else "0",
            str(more.integers(1, 4)),
            "NA" if i % 9 == 1 else f"{300 * (z + more.normal()):.0f}",
        ]
        cells[0] = f"{170 + 8 * z:.1f}" if all(cell in ("", "NA", "?", "n.b.") for cell in cells) else cells[0]
        lines.append(sep.join(cells))
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A run on the table, and beside it the table and new rows with their columns in another order."""
    folder = tmp_path_factory.mktemp("table")
    (folder / "mine.csv").write_text(table(ROWS, 0))
    config = runs.from_sources(
        data=str(folder / "mine.csv"),
        sets=SETS,
        flags={"data.missing": ["n.b."], "data.kinds": {"visits": "count", "rating": "nonnegative_integer"}},
    )
    return runs.train(config, folder / "run", reporter=Silent()).path


def called(capsys, *words: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    printed = capsys.readouterr()
    return int(str(end.value.code)), printed.out, printed.err


def test_the_run_knows_its_columns(run):
    trained = runs.open_run(run)
    kinds = [column.kind for column in trained.about.columns]
    assert kinds == [
        *("continuous", "positive", "count", "binary", "categorical"),
        *("nonnegative", "nonnegative_integer", "integer"),
    ]
    assert trained.config.preset is None or trained.config.preset == "table"
    assert trained.config.model.likelihood.kind == "columns"
    assert trained.config.model.mask is True
    found = runs.evaluate(run, reporter=Silent())
    assert np.isfinite(found["log_evidence"])
    cells = trained.dataset().test.values
    assert found["missing"] == pytest.approx(np.isnan(cells).mean())
    observed = (~np.isnan(cells)).sum(axis=1).mean()
    assert found["bits_per_dim"] == pytest.approx(-found["log_evidence"] / observed / np.log(2))
    assert f"{100 * found['missing']:.1f} % of cells missing" in runs.closing_line(found)


def test_an_untrained_model_starts_at_what_each_column_is(run):
    """Its draws have the training rows' means, shares and spreads: nothing of it was made for other units."""
    config = runs.open_run(run).config
    dataset = config.data.load()
    model = build.build_model(config, build.feature_statistics(config, dataset), key=jax.random.key(0))
    drawn = inference.generate(model, 4_000, key=jax.random.key(1)).sample
    seen = dataset.train.values
    for j, column in enumerate(dataset.columns):
        cells = seen[:, j][~np.isnan(seen[:, j])].astype(np.float64)
        if column.kind == "categorical":
            shares = [np.bincount(v.astype(int), minlength=3) / len(v) for v in (cells, drawn[:, j])]
            np.testing.assert_allclose(*shares, atol=0.15)
        elif column.kind == "positive":
            assert np.log(drawn[:, j]).mean() == pytest.approx(np.log(cells).mean(), abs=0.5)
        elif column.kind == "nonnegative":
            assert (drawn[:, j] == 0).mean() == pytest.approx((cells == 0).mean(), abs=0.2)
        elif column.kind in ("continuous", "integer"):
            assert drawn[:, j].mean() == pytest.approx(cells.mean(), abs=0.6 * cells.std())
            assert 0.6 < drawn[:, j].std() / cells.std() < 2.0
        else:
            assert drawn[:, j].mean() == pytest.approx(cells.mean(), abs=0.5 * cells.std())


def test_draws_stay_in_the_support_of_their_columns(run):
    """As new rows, and in place of missing cells: what was 0 or positive is, whole numbers are whole."""
    trained = runs.open_run(run)
    columns, rows = trained.about.columns, trained.dataset().test.values
    drawn = inference.generate(trained.model, 2_000, key=jax.random.key(2)).sample
    filled = inference.impute(trained.model, np.tile(rows, (10, 1)), k=9, draws=2, key=jax.random.key(3)).draws
    for table in (drawn, filled.reshape(-1, len(columns))):
        assert all(column.allows(table[:, j]).all() for j, column in enumerate(columns))
        encoding.decode(columns, table)
    assert 0.1 < (drawn[:, 5] == 0).mean() < 0.9
    assert (drawn[:, 7] < 0).any()


@pytest.mark.slow
def test_a_run_keeps_the_kinds_that_it_began_with(tmp_path, monkeypatch):
    """Whole numbers that were continuous when it was trained: the data are the same still, and it goes on."""
    rng = np.random.default_rng(4)
    lines = [f"{rng.integers(1, 4)},{max(0, rng.normal()):.2f},{rng.normal():.3f}" for _ in range(40)]
    (tmp_path / "t.csv").write_text("\n".join(["rating,rain,z", *lines]) + "\n")
    config = runs.from_sources(data=str(tmp_path / "t.csv"), sets=SETS)
    with monkeypatch.context() as before:
        before.setattr("iwax.data.columns._kind", lambda values: "continuous")
        run = runs.train(config, tmp_path / "run", reporter=Silent()).path
    trained = runs.open_run(run)
    assert [column.kind for column in trained.about.columns] == ["continuous"] * 3
    assert [column.kind for column in config.data.load().columns] == [
        "nonnegative_integer",
        "nonnegative",
        "continuous",
    ]
    assert trained.dataset().digest() == trained.about.sha256
    assert runs.resume(run, reporter=Silent()).path == run


def test_a_run_from_before_there_was_a_floor_has_none(run, tmp_path):
    """And it goes on without one; new ones have it, as have the weights that they start at."""
    old = shutil.copytree(run, tmp_path / "old")
    known = json.loads((old / "config.json").read_text())
    assert known["model"].pop("scale_floor") == 1e-3
    changed(old / "config.json", json.dumps(known).encode())
    for folder, floors in ((run, (1e-3, 1e-6)), (old, (0.0, 0.0))):
        model = runs.load(folder)
        assert (model.likelihood.likelihood.family.groups[0].floor, model.posterior.posterior.floor) == floors
    assert runs.from_sources(flags={"start": str(old)}).model.scale_floor is None
    assert runs.from_sources(data="a.csv", preset="vae-1").model.scale_floor == 1e-3
    assert runs.from_sources(data="digits").model.scale_floor is None


def test_imputing_fills_the_missing_cells_and_nothing_else(run, capsys, tmp_path):
    source, filled = run.parent / "mine.csv", tmp_path / "filled.csv"
    code, _, err = called(capsys, "impute", run, source, "-o", filled, "--k", 9)
    assert code == 0, err
    columns = runs.open_run(run).about.columns
    before = read_rows(source, columns, ("n.b.",)).values
    after = read_rows(filled, columns).values
    assert not np.isnan(after).any()
    assert (after[~np.isnan(before)] == before[~np.isnan(before)]).all()
    assert f"filled {np.isnan(before).sum()} of {before.size} cells" in err
    given, got = ([line.split(";") for line in file.read_text().splitlines()] for file in (source, filled))
    assert [
        [old if old not in ("", "NA", "?", "n.b.") else new for old, new in zip(*each, strict=True)]
        for each in zip(given, got, strict=True)
    ] == got
    errors = tmp_path / "errors.csv"
    code, out, err = called(capsys, "impute", run, source, "--draws", 2, "--k", 9, "--json", "--errors", errors)
    first, second = json.loads(out)["x"]
    assert code == 0
    assert first != second
    holed = np.isnan(before).any(axis=1)  # of nine draws fewer than ten count
    assert json.loads(out)["unknown"] == (1 + np.flatnonzero(holed)).tolist()
    assert f"unknown for {holed.sum()} of {holed.sum()} rows with missing values, whose" in err
    assert "a larger k helps, slowly: --k 90" in err
    header, *lines = csv.reader(io.StringIO(errors.read_text()))
    assert header == ["row", "ess", "khat", *(f"error of {column.name}" for column in columns)]
    assert [[cell == "nan" for cell in line[3:]] for line in lines] == np.isnan(before).tolist()


def test_a_parquet_goes_out_as_it_came_in(run, capsys, tmp_path):
    frame, source = pytest.importorskip("pandas"), tmp_path / "mine.parquet"
    given = frame.read_csv(run.parent / "mine.csv", sep=";", na_values=["n.b.", "?"]).astype({"colour": "category"})
    given.to_parquet(source)
    code, _, err = called(capsys, "impute", run, source, "-o", tmp_path / "filled.parquet", "--k", 9)
    assert code == 0, err
    filled = frame.read_parquet(tmp_path / "filled.parquet")
    assert not filled.isna().any(axis=None)
    assert list(filled.dtypes) == list(given.dtypes)
    assert filled.where(given.notna()).equals(given)
    code, _, err = called(capsys, "impute", run, source, "-o", tmp_path / "filled.csv", "--k", 9)
    assert code == 0, err
    as_csv = frame.read_csv(tmp_path / "filled.csv")
    frame.testing.assert_frame_equal(as_csv, filled.astype({"colour": "str"}), check_dtype=False)
    code, _, err = called(capsys, "impute", run, run.parent / "mine.csv", "-o", tmp_path / "other.parquet")
    assert code == 2
    assert "a .parquet goes out where one comes in, got mine.csv; name a .csv" in err


def test_a_report_shows_columns_rows_and_what_fills_them(run, capsys, tmp_path):
    code, _, err = called(capsys, "report", run, "-o", tmp_path / "r.html")
    assert code == 0, err
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    told = ("Columns of the data and of draws", "Missing cells filled in", "Blank cells of a row", "income")
    for words in (*told, "Rows of the test data are counted from 1"):
        assert words in page
    for name in ("decoded-row", "given-row"):  # before any script runs
        assert f'<tbody class="{name}"><tr><th scope="row">' in page
    assert 'class="n filled"' in page
    assert "Left out" not in page


@pytest.fixture(scope="module")
def page(run):
    """Its report in a browser, as wide as a phone."""
    (run.parent / "r.html").write_text(compose([run], note=print, warn=print), encoding="utf-8")
    with chromium.Page((run.parent / "r.html").as_uri(), width=390) as opened:
        opened.until(f"{EXPLORER}?.spreads?.length")
        yield opened


def law(model, z):
    """Means of p(x|z) and probabilities of classes at latents [n, 2]."""
    found = eqx.filter_jit(jax.vmap(lambda at: model.likelihood(at, key=jax.random.key(0))))(jnp.float32(z))
    return [np.asarray(each, np.float64) for each in jax.vmap(lambda p: (p.mean, p.classes))(found)]


@in_a_browser
def test_a_decoded_row_is_that_of_python(run, page):
    model = runs.load(run)
    scale = np.nanstd(runs.open_run(run).dataset().train.values.astype(np.float64), axis=0)
    for z in ([0.0, 0.0], [1.5, -2.0], [-0.3, 0.7]):
        (wanted,), (classes,) = law(model, np.array([z]))
        found = np.array(page.value(f"[...{EXPLORER}.model.decode({z}).mean]"))
        assert (np.abs(found - wanted) <= 1e-4 * scale).all()
        found = page.value(f"{EXPLORER}.model.likelihood.chances({EXPLORER}.model.decode({z}).outputs, 4)")
        np.testing.assert_allclose(found, classes[4], atol=1e-4)


@in_a_browser
def test_a_slider_changes_the_decoded_row(page):
    shown = "[...document.querySelectorAll('.decoded-row .value')].map(cell => cell.textContent)"
    before = page.value(shown)
    page.value("document.querySelector('.sliders input').focus()")
    for _ in range(60):
        page.press("ArrowRight")
    page.value("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    after = page.value(shown)
    assert after[0] != before[0]
    assert " \N{PLUS-MINUS SIGN} " in after[0]
    assert after[4] in ("red", "green", "blue")


@in_a_browser
def test_a_blank_cell_gets_the_conditional_mean(run, page):
    """Against the integral over the plane of latents, by the trapezoid rule."""
    model = runs.load(run)
    along = np.linspace(-6, 6, 151)
    z = np.stack(np.meshgrid(along, along), axis=-1).reshape(-1, 2).astype(np.float32)
    mean, classes = law(model, z)
    x = np.array([np.nan, 12.0, 4.0, 1.0, np.nan, 0.0, 2.0, -310.0])
    observed, key = jnp.array(~np.isnan(x)), jax.random.key(0)
    each = jax.jit(jax.vmap(lambda at: model.likelihood(at, key=key).log_prob(jnp.nan_to_num(x), where=observed)))
    log_w = np.asarray(each(z), np.float64) - 0.5 * (z.astype(np.float64) ** 2).sum(axis=1)
    w = np.exp(log_w - log_w.max()) / np.exp(log_w - log_w.max()).sum()
    wanted = np.concatenate([[w @ mean[:, 0]], w @ classes[:, 4, :3]])
    cells, seen = json.dumps(np.nan_to_num(x).tolist()), observed.astype(int).tolist()
    found = np.array(
        page.value(
            f"Array.from({{length: 20}}, (_, seed) => {{const m = {EXPLORER}.model;"
            f"const f = m.impute({cells}, {seen}, {{chains: 200, iterations: 1, seed}});"
            "return [f.values[0], ...f.average(d => m.likelihood.chances(d.outputs, 4))]})"
        )
    )
    error = found.std(axis=0, ddof=1) / np.sqrt(20)
    assert (np.abs(found.mean(axis=0) - wanted) <= 5 * error + 1e-3 * np.abs(wanted)).all()


@in_a_browser
def test_a_box_blanks_a_cell_and_restores_it(page):
    page.value("document.querySelector('.restore').click()")
    values = "[...document.querySelectorAll('.given-row tr')].map(row => [row.className, row.children[1].textContent])"
    before = page.value(values)
    assert before[0] == ["", page.value(f"figures({EXPLORER}.x[0])")]
    page.value("document.querySelector('.given-row input').click()")
    blank = page.value(values)
    assert blank[0][0] == "blank"
    assert "\N{PLUS-MINUS SIGN}" in blank[0][1]
    assert page.value("document.querySelector('.summary').textContent").endswith("count")
    page.value("document.querySelector('.given-row input').click()")
    assert page.value(values) == before
    assert page.value("document.documentElement.scrollWidth") <= 390
    assert [each for each in page.requests if not each.startswith(("data:", "file:"))] == []
    assert page.complaints == []


def test_drawn_tables_are_numbered(run, capsys, tmp_path):
    code, _, err = called(
        capsys, "impute", run, run.parent / "mine.csv", "-o", tmp_path / "a.csv", "--draws", 2, "--k", 9
    )
    assert code == 0, err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-1.csv", "a-2.csv"]
    code, _, err = called(
        capsys, "impute", run, run.parent / "mine.csv", "-o", tmp_path / "a.csv", "--draws", 2, "--k", 9
    )
    assert code == 2
    assert "a-1.csv" in err


def test_draws_are_rows_of_such_a_table(run, capsys):
    code, out, err = called(capsys, "sample", run, "-n", 5)
    assert code == 0, err
    lines = out.strip().splitlines()
    assert lines[0] == "height;income;visits;smoker;colour;rain;rating;change"  # as the table is written
    assert len(lines) == 6
    assert {line.split(";")[4] for line in lines[1:]} <= {"red", "green", "blue"}
    assert all(line.split(";")[place].isdigit() for line in lines[1:] for place in (2, 6))
    assert all(float(line.split(";")[5]) >= 0 and int(line.split(";")[7]) < 2**24 for line in lines[1:])


@pytest.mark.parametrize(("verb", "words"), [("score", ["--k", 50]), ("embed", [])])
def test_rows_with_missing_cells_can_be_scored_and_embedded(run, capsys, verb, words):
    code, out, err = called(capsys, verb, run, run.parent / "mine.csv", *words)
    assert code == 0, err
    assert len(out.strip().splitlines()) == ROWS + 1
    assert "cells are missing" in err


def test_columns_are_found_by_name_and_unknown_levels_refused(run, capsys):
    columns = runs.open_run(run).about.columns
    text = "colour,smoker,visits,income,height,change,rating,rain\nred,no,3,2.5,171,-7,2,0\n"
    (run.parent / "new.csv").write_text(text)
    values = read_rows(run.parent / "new.csv", columns).values
    assert values.tolist() == [[171.0, 2.5, 3.0, 0.0, columns[4].levels.index("red"), 0.0, 2.0, -7.0]]
    (run.parent / "odd.csv").write_text(text.replace("red", "mauve"))
    code, _, err = called(capsys, "embed", run, run.parent / "odd.csv")
    assert code == 2
    assert "mauve" in err
    assert "colour" in err


def test_a_bad_row_refuses_no_other_and_a_score_does_not_depend_on_them(run, capsys, tmp_path):
    """-inf with the reason for what a column cannot hold, 0 for a row without a value; as from Python for the rest."""
    lines = ["height,income,visits,smoker,colour", "171,2.5,3,no,red", "171,0,3,no,red", ",,,,", "171,,3,,red"]
    more = ["rain,rating,change", "0,2,-7", "0,2,-7", ",,", "0,2,-7", "0,2,-7"]
    text = "\n".join(map(",".join, zip([*lines, "x,2.5,-1,no,mauve"], more, strict=True)))
    (tmp_path / "new.csv").write_text(text + "\n")
    code, out, err = called(capsys, "score", run, tmp_path / "new.csv", "--k", 50, "--typical")
    assert code == 0, err
    found = list(csv.DictReader(io.StringIO(out)))
    assert [row["row"] for row in found] == ["1", "2", "3", "4", "5"]
    assert [row["missing"] for row in found] == ["0", "0", "8", "2", "0"]
    log_p, scores, typical = (
        np.array([float(row[name]) for row in found]) for name in ("log_evidence", "score", "typicality")
    )
    for values in (log_p, scores, typical):
        np.testing.assert_array_equal(np.isneginf(values), [False, True, False, False, True])
    assert f"{tmp_path / 'new.csv'}:3:2: column 'income' needs numbers 1.2e-38" in found[1]["reason"]
    assert found[2]["reason"].startswith("no value in this row")
    assert [word in found[4]["reason"] for word in (":6:1:", ":6:3:", ":6:5:", "mauve")] == [True] * 4
    assert found[0]["reason"] == found[3]["reason"] == ""
    assert (log_p[2], found[2]["error"]) == (0, "0")
    assert "2 of 5 rows have a cell that its column cannot hold" in err
    assert "10 of 40 cells are missing" in err
    model, columns, key = runs.load(run), runs.open_run(run).about.columns, jax.random.key(0)
    x = read_rows(tmp_path / "new.csv", columns, each=True).values[[0, 3]]
    evidence = inference.score(model, x, k=50, key=key, rows=np.array([0, 3]), missing=True)
    np.testing.assert_allclose(log_p[[0, 3]], evidence.log_evidence, rtol=1e-6)
    np.testing.assert_allclose(
        scores[[0, 3]], inference.comparable_scores(model, x, evidence.log_evidence, key=key)[0], rtol=1e-5
    )
    assert scores[0] == log_p[0]


def test_what_training_left_out_comes_along_with_the_scores(tmp_path):
    (tmp_path / "a.csv").write_text('id,score,a\n"x, 1",7,1.5\n,8,zero\n')
    columns, left_out = (data.Column("a", "continuous"),), ("id", "score", "date")
    read = read_rows(tmp_path / "a.csv", columns, dropped=left_out, each=True)
    assert read.values[0] == 1.5
    assert read.refused.keys() == {(1, 0)}
    numbers = {"log_evidence": np.array([-1.0, -np.inf]), "score": np.array([-1.0, -np.inf])}
    found = columns_of(read, numbers, ["", "because"])
    assert as_csv(found) == (
        'row,id,score (file),log_evidence,score,reason\n1,"x, 1",7,-1,-1,\n2,,8,-inf,-inf,because\n'
    )
    with pytest.raises(ValueError, match="it also has 'score'"):
        read_rows(tmp_path / "a.csv", columns, dropped=("id",), each=True)


def test_an_empty_row_is_filled_from_the_model(run, capsys, tmp_path):
    (tmp_path / "new.csv").write_text(
        "height,income,visits,smoker,colour,rain,rating,change\n171,2.5,3,no,red,0,2,-7\n,,,,,,,\n,,,,,,,\n"
    )
    code, out, err = called(capsys, "impute", run, tmp_path / "new.csv", "--k", 9)
    assert code == 0, err
    whole, *empty = [line.split(",") for line in out.strip().splitlines()[1:]]
    assert whole == ["171", "2.5", "3", "no", "red", "0", "2", "-7"]
    assert all(120 < float(row[0]) < 220 and float(row[1]) > 0 and row[2].isdigit() for row in empty)
    assert {row[4] for row in empty} <= {"red", "green", "blue"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--kind", "colour"], "COLUMN=KIND"),
        (["--kind", "colur=drop"], "colour"),
        (["--kind", "colour=count"], "colour"),
        (["--set", "model.likelihood=gaussian"], "needs rows of one kind of numbers"),
        (["--set", "model.prior=vamp"], "model.likelihood=columns needs"),
    ],
)
def test_what_a_table_cannot_be_is_refused(run, capsys, tmp_path, words, says):
    code, _, err = called(
        capsys, "train", run.parent / "mine.csv", "--missing", "n.b.", *words, "--output", tmp_path / "out"
    )
    assert code == 2, err
    assert says in err


def test_a_constant_column_is_refused_by_name(capsys, tmp_path):
    lines = table(40, 1).replace("height", "same").splitlines()
    text = "\n".join([lines[0], *("1;" + line.partition(";")[2] for line in lines[1:])])
    (tmp_path / "c.csv").write_text(text)
    code, _, err = called(capsys, "train", tmp_path / "c.csv", "--missing", "n.b.", "--output", tmp_path / "out")
    assert code == 2
    assert "column 'same'" in err
    assert "--kind same=drop" in err


@pytest.mark.slow
def test_nan_in_an_array_are_missing_values(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 4)).astype(np.float32)
    x[rng.random(x.shape) < 0.2] = np.nan
    x[:, 0] = 1.0 + rng.normal(size=60)
    np.save(tmp_path / "x.npy", x)
    assert data.load(tmp_path / "x.npy").missing == np.isnan(x).sum()
    run = runs.train(
        runs.from_sources(data=str(tmp_path / "x.npy"), sets=[*SETS, "training.batch=20"]),
        tmp_path / "run",
        reporter=Silent(),
    )
    assert runs.open_run(run).config.model.mask is True
    assert np.isfinite(runs.evaluate(run, reporter=Silent())["log_evidence"])
    with pytest.raises(ValueError, match="needs whole rows"):
        runs.evaluate(run, method="jackknife", reporter=Silent())


def test_what_was_read_is_said_and_stored(tmp_path, monkeypatch, capsys):
    """From the flags to the run folder, and to the rows of later files, without a step of training."""
    lines = [f"w{i}|{i % 7 + 1},500|{('NA', 'Köln', 'köln')[i % 3]}" for i in range(30)]
    (tmp_path / "t.csv").write_bytes("\n".join(["who|paid|town", *lines]).encode("latin-1"))
    asked = []

    def captured(config, output, *, reporter):
        asked.append(config)
        raise ValueError("no training here")

    monkeypatch.setattr("iwax.runs.training.train", captured)
    flags = ["--encoding", "latin-1", "--delimiter", "|", "--thousands", ",", "--header", "first", "--level", "town=NA"]
    code, _, err = called(capsys, "train", tmp_path / "t.csv", *flags, "--set", "model.hidden=[6]")
    assert (code, "no training here" in err) == (2, True)
    monkeypatch.undo()
    monkeypatch.setattr("iwax.runs.training._go", lambda *_, **__: None)
    reporter = Recorder()
    folder = Run(runs.train(asked[0], tmp_path / "run", reporter=reporter))
    assert [line.split() for line in reporter.notes[2:5]] == [
        ["column", "kind", "missing", "values"],
        ["paid", "count", "0", "1500", "..", "7500,", "mean", "4333"],
        ["town", "categorical", "0", "3", "levels:", "Köln,", "NA,", "köln"],
    ]
    assert reporter.notes[5] == (
        "  left out: who: an identifier, 30 distinct texts in 30 cells; to keep it, train with --kind who=categorical"
    )
    assert reporter.warnings[0].startswith("column 'town' has levels that differ by case alone, 'Köln', 'köln'")
    about, settings = folder.about, folder.config.data
    assert (about.left_out, settings.dialect) == (
        ("who",),
        data.Dialect("first", "|", "latin-1", ",", (), {"town": ("NA",)}),
    )
    assert settings.load(columns=about.columns, left_out=about.left_out).digest() == about.sha256
    (tmp_path / "u.csv").write_bytes("town|paid\nNA|1,500\nKöln|?\n".encode("latin-1"))
    rows = read_rows(tmp_path / "u.csv", about.columns, dropped=about.left_out, dialect=settings.dialect)
    np.testing.assert_array_equal(rows.values, [[1500, 1], [np.nan, 0]])
