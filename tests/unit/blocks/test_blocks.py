"""Tables of many files, block by block: the values of one file of all rows bit for bit, restarts, and refusals."""

import itertools
import json
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import jax
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from iwax import blocks, inference, runs
from iwax.blocks import on_ray
from iwax.blocks.worker import Worker
from iwax.cli.app import main
from iwax.data.tables import filled_table
from iwax.formats.parquet_parts import cut_parquet
from iwax.runs.reporter import Silent

ROWS = 61  # three batches of scores, and a row
CUTS = (0, 8, 33, 34, ROWS)  # of the files
K = 5
SETS = ["model.hidden=[4]", "model.latent=2", "training.epochs=1", "evaluation.k=2", "objective.k=1"]


def table(*, rows: int = ROWS, seed: int = 0) -> pa.Table:
    """Two real columns, of whose cells a fifth are missing, a text, and an identifier that training leaves out."""
    rng = np.random.default_rng(seed)
    height, width = np.round(rng.normal(size=(2, rows)), 2)
    missing = rng.random((2, rows)) < 0.2
    missing[:, [3, 40]] = True
    columns = {name: pa.array(each, mask=m) for name, each, m in zip("ab", (height, width), missing, strict=True)}
    columns["kind"] = pa.array([None if i == 40 else ("red", "blue")[i % 2] for i in range(rows)])
    return pa.table({**columns, "id": pa.array([f"no {i}" for i in range(rows)])})


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> runs.Run:
    folder = tmp_path_factory.mktemp("blocks")
    pq.write_table(table(seed=1).filter(pa.compute.is_valid(table(seed=1)["kind"])), folder / "train.parquet")
    config = runs.from_sources(data=str(folder / "train.parquet"), sets=SETS, flags={"data.kinds": {"id": "drop"}})
    runs.train(config, folder / "run", reporter=Silent())
    return runs.open_run(folder / "run")


def written(folder: Path, rows: pa.Table) -> tuple[Path, list[Path]]:
    """The rows as one file, and as several, the last but one as text."""
    pq.write_table(rows, folder / "whole.parquet")
    parts = []
    for i, (start, stop) in enumerate(itertools.pairwise(CUTS)):
        part = rows.slice(start, stop - start)
        parts.append(folder / f"part-{i}.{'csv' if i == 2 else 'parquet'}")
        if i == 2:
            pa.csv.write_csv(part, parts[-1])
        else:
            pq.write_table(part, parts[-1], row_group_size=7)
    return folder / "whole.parquet", parts


def applied(task: blocks.Task, run: runs.Run, files: list[Path], into: Path, **how) -> blocks.Applied:
    how = {"rows": 10, "engine": blocks.Process(), "progress": lambda done, total: None, **how}
    return blocks.apply(task, run, files, into, **how)


def read_back(folder: Path) -> dict[str, list[object]]:
    """The results of all blocks by column, in the order of the rows."""
    names = [each["file"] for each in json.loads((folder / "manifest.json").read_text())["outputs"]]
    tables = []
    for name in names:
        kind = {"row": pa.int64(), "reason": pa.string()}
        options = pa.csv.ConvertOptions(column_types=kind, strings_can_be_null=False)
        parquet = name.endswith("parquet")
        tables.append(
            pq.read_table(folder / name) if parquet else pa.csv.read_csv(folder / name, convert_options=options)
        )
    return {name: [cell for each in tables for cell in each[name].to_pylist()] for name in tables[0].column_names}


@pytest.mark.parametrize("rows", [1000, 10])
def test_scores_are_those_of_one_file_bit_for_bit(run, tmp_path, rows):
    """Log p(x), its error, and what compares rows of which different cells are missing; refused cells among them."""
    bad = table().to_pydict()
    bad["kind"][20] = "mauve"
    whole, parts = written(tmp_path, pa.table(bad))
    x, read = run.read_each(whole)
    known = run.typical_rows(1000)
    expected = inference.score_table(run.model, x, read, k=K, key=jax.random.key(3), known=known).columns
    found = applied(blocks.Score(3, k=K, typical=True), run, parts, tmp_path / "out", rows=rows)
    assert (found.rows, found.refused, found.blocks) == (ROWS, 1, 4 if rows == 1000 else 8)
    assert "part-1.parquet:13:" in found.reason
    got = read_back(tmp_path / "out")
    assert list(got) == list(expected)
    text = {"reason", "id"}
    for name in set(expected) - text:
        values = np.array(got[name], expected[name].dtype)
        of_text = np.arange(ROWS) == CUTS[2]  # nine digits, in a .csv
        np.testing.assert_array_equal(values[~of_text], expected[name][~of_text], err_msg=name)
        np.testing.assert_allclose(values[of_text], expected[name][of_text], rtol=1e-8)
    assert got["id"] == expected["id"].tolist()
    assert [bool(reason) for reason in got["reason"]] == [bool(reason) for reason in expected["reason"]]


@pytest.mark.parametrize("rows", [1000, 10])
def test_latents_and_imputations_are_those_of_one_file(run, tmp_path, rows):
    whole, parts = written(tmp_path, table())
    filled = inference.impute(run.model, run.read(whole, empty=True), k=K, key=jax.random.key(3))
    applied(blocks.Impute(3, k=K), run, parts, tmp_path / "filled", rows=rows)
    expected = filled_table(whole, run.about.columns, filled.values, filled.missing)
    assert read_back(tmp_path / "filled") == pq.read_table(pa.BufferReader(expected)).to_pydict()
    full = table().filter(pa.compute.is_valid(table()["kind"]))
    pq.write_table(full, tmp_path / "full.parquet")
    z = inference.embed(run.model, run.read(tmp_path / "full.parquet"), key=jax.random.key(3), missing=True)
    applied(blocks.Embed(3), run, [tmp_path / "full.parquet"], tmp_path / "z", rows=rows)
    got = read_back(tmp_path / "z")
    np.testing.assert_array_equal(np.array([got["z0"], got["z1"]], np.float32).T, z)
    assert got["row"] == list(range(1, len(full) + 1))


class Stopped:
    """An engine that is stopped after three blocks."""

    def running(self):
        return nullcontext()

    def map(self, setup, items) -> Iterator[dict]:
        for i, each in enumerate(blocks.Process().map(setup, items)):
            if "part" in items[0] and i == 3:
                raise KeyboardInterrupt
            yield each


def test_what_was_stopped_goes_on_where_it_was(run, tmp_path, monkeypatch):
    """Blocks that are whole are passed over; damaged ones, and those of a file that has changed, are made again."""
    _, parts = written(tmp_path, table())
    task, out = blocks.Score(0, k=2), tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        applied(task, run, parts, out, engine=Stopped())
    there = {path.name: path.stat().st_mtime_ns for path in out.glob("part-*")}
    (out / f".{32 * 'a'}.partial").write_bytes(b"cut off")
    assert len(there) == 4  # the fourth was written, and not heard of
    computed = []
    compute = blocks.Score.compute

    def counted(self, run, part, places, shared, path):
        computed.append(path.name)
        return compute(self, run, part, places, shared, path)

    monkeypatch.setattr(blocks.Score, "compute", counted)
    assert applied(task, run, parts, out).kept == 4
    assert len(computed) == 4
    assert not list(out.glob(".*.partial"))
    assert {name: (out / name).stat().st_mtime_ns for name in there} == there
    first = read_back(out)
    (out / "part-1-00001.parquet").write_bytes(b"other")
    (out / ".blocks" / "part-3-00000.parquet.json").write_bytes(b"{")
    computed.clear()
    assert applied(task, run, parts, out).kept == 6
    assert sorted(computed) == ["part-1-00001.parquet", "part-3-00000.parquet"]
    np.testing.assert_equal(read_back(out), first)
    pq.write_table(pq.read_table(parts[3]).slice(0, 20), parts[3])  # now of one block less, which another call wrote
    with pytest.raises(FileExistsError, match=r"holds results of files that are not among those given, part-3-00002"):
        applied(task, run, parts, out)
    assert applied(task, run, parts, out, force=True).kept == 0


def test_a_worker_computes_nothing_that_is_whole(run, tmp_path, monkeypatch):
    """A block that is asked for twice, as of a worker that died after it had written, is written once."""
    _, parts = written(tmp_path, table())
    applied(blocks.Embed(0), run, parts[:1], tmp_path / "out")
    record = json.loads((tmp_path / "out" / ".blocks" / "part-0.parquet.json").read_text())
    setup = {"run": str(run.path), "data": None, "into": str(tmp_path / "out"), "rows": 10, "fallback": False}
    worker = Worker({**setup, "checkpoint": "best", "task": blocks.Embed(0).settings})
    monkeypatch.setattr(blocks.Embed, "compute", None)
    assert worker({"part": record["part"]}) == {"output": "part-0.parquet", "rows": 8}
    changed = {**record["part"], "rows": 7, "output": "other.parquet"}
    for _ in range(3):  # as if the worker had died each time
        with pytest.raises(ValueError, match="has changed while it was read"):
            worker({"part": changed})
    with pytest.raises(ValueError, match=r"3 workers have died at its block other\.parquet.* fewer --workers"):
        worker({"part": changed})


def test_a_folder_of_other_results_is_refused(run, tmp_path):
    _, parts = written(tmp_path, table())
    applied(blocks.Embed(0), run, parts[:2], tmp_path / "out")
    with pytest.raises(FileExistsError, match="seed 0 there and 1 now; name another folder"):
        applied(blocks.Embed(1), run, parts[:2], tmp_path / "out")
    with pytest.raises(FileExistsError, match="block_rows 10 there and 9 now"):
        applied(blocks.Embed(0), run, parts[:2], tmp_path / "out", rows=9)
    other = runs.open_run(run.path)
    other.__dict__["checkpoint"] = tmp_path / "seal"
    (tmp_path / "seal").mkdir()
    (tmp_path / "seal" / "manifest.json").write_bytes(b"another")
    with pytest.raises(FileExistsError, match=r"other results, run \w{16} there and \w{16} now"):
        applied(blocks.Embed(0), other, parts[:2], tmp_path / "out")
    with pytest.raises(FileExistsError, match="this one holds other files"):
        applied(blocks.Embed(0), run, parts[:1], tmp_path)
    with pytest.raises(NotADirectoryError, match="a folder was needed"):
        applied(blocks.Embed(0), run, parts[:1], parts[0])


def test_files_are_named_or_refused(run, tmp_path):
    _, parts = written(tmp_path, table())
    assert blocks.matched([tmp_path / "part-*"]) == parts
    with pytest.raises(FileNotFoundError, match=r"prat-\*\.parquet: no file .* holds part-\d\.parquet, part"):
        blocks.matched([tmp_path / "prat-*.parquet"])
    with pytest.raises(FileNotFoundError, match=r"the folder .*/none does not exist"):
        blocks.matched([tmp_path / "none" / "*.csv"])
    with pytest.raises(ValueError, match=r"part-0\.parquet twice"):
        blocks.matched([parts[0], tmp_path / "part-*.parquet"])
    pq.write_table(table().rename_columns(["a", "b", "colour", "id"]), tmp_path / "other.parquet")
    with pytest.raises(ValueError, match=r"other\.parquet.* lacks 'kind'.* it also has 'colour'"):
        applied(blocks.Embed(0), run, [*parts[:1], tmp_path / "other.parquet"], tmp_path / "out")
    assert not list((tmp_path / "out").glob("*.parquet"))
    pq.write_table(table().slice(0, 0), tmp_path / "empty.parquet")
    with pytest.raises(ValueError, match="needed at least one row, got none in 1 files"):
        applied(blocks.Embed(0), run, [tmp_path / "empty.parquet"], tmp_path / "none")
    assert applied(blocks.Embed(0), run, [parts[0], tmp_path / "empty.parquet"], tmp_path / "some").blocks == 1


def test_rows_of_a_parquet_are_a_parquet(run, tmp_path):
    rows = table().set_column(2, "kind", table()["kind"].dictionary_encode())
    pq.write_table(rows, tmp_path / "x.parquet", row_group_size=9)
    got = pq.read_table(pa.BufferReader(cut_parquet(tmp_path / "x.parquet", 7, 30)))
    assert got.equals(rows.slice(7, 23))
    with pytest.raises(ValueError, match=r"x\.parquet.*rows 61 to 70; got 61"):
        cut_parquet(tmp_path / "x.parquet", 60, 70)
    part = run.read(tmp_path / "x.parquet", empty=True, span=(7, 30))
    np.testing.assert_array_equal(part, run.read(tmp_path / "x.parquet", empty=True)[7:30])


def called(capsys, *words: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    printed = capsys.readouterr()
    return int(str(end.value.code or 0)), printed.out, printed.err


def test_verbs_take_patterns(run, tmp_path, capsys):
    _, parts = written(tmp_path, table())
    out = tmp_path / "out"
    code, printed, err = called(capsys, "--json", "score", run.path, tmp_path / "part-*", "-o", out, "--k", 2)
    assert code == 0, err
    assert json.loads(printed)["n"] == ROWS
    assert json.loads(printed)["files"] == [*map(str, parts)]
    assert f"wrote the results of {ROWS} rows to 4 files, in {out}" in err
    code, _, err = called(capsys, "score", run.path, *parts, "-o", out, "--k", 2)
    assert (code, f"to 4 files, 4 of them before, in {out}" in err) == (0, True)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["score", "a.csv", "b.csv"], "-o FOLDER was needed"),
        (["score", "a.csv", "--engine", "spark", "-o", "out"], "--engine must be one of process, ray, got 'spark'"),
        (["embed", "a.csv", "--workers", "2", "-o", "out"], "needed --engine ray"),
        (["embed", "*.csv", "--block-rows", "0", "-o", "out"], "--block-rows must be 1 or more"),
        (["embed", "none-*.csv", "-o", "out"], "none-*.csv: no file of that name was found"),
        (["impute", "a.csv", "b.csv", "--draws", "2", "-o", "out"], "--draws 2: serves one file"),
    ],
)
def test_what_does_not_go_together_is_refused(run, capsys, words, says):
    code, _, err = called(capsys, words[0], run.path, *words[1:])
    assert code == 2
    assert says in err


def test_a_ray_that_is_not_there_is_named(monkeypatch):
    def missing(name: str):
        raise ImportError(name)

    monkeypatch.setattr(on_ray.importlib, "import_module", missing)
    with pytest.raises(ValueError, match=r"not installed: pip install 'iwax\[ray\]'"):
        blocks.OnRay(2)
