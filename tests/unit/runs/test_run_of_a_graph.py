"""A graph from a list of links to a run, its ranking of held-out links, likely links and nodes."""

import csv
import io
import json

import numpy as np
import pytest

from iwax import data, runs
from iwax.cli import main
from iwax.runs import measurements
from iwax.runs.reporter import Silent

TINY = ["model.latent=2", "model.hidden=[4]", "training.epochs=20", "training.record=5"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two groups of twelve, who mostly know their own."""
    rng = np.random.default_rng(0)
    group = np.repeat([0, 1], 12)
    chance = np.where(group[:, None] == group, 0.6, 0.05)
    pairs = np.argwhere(np.triu(rng.random((24, 24)) < chance, 1))
    path = tmp_path_factory.mktemp("graph")
    lines = ["one,other", *(f"p{i:02d},p{j:02d}" for i, j in pairs)]
    (path / "friends.csv").write_text("\n".join(lines), encoding="utf-8")
    features = np.eye(2, dtype=np.float32)[group]
    np.savez(path / "friends.npz", edges=pairs, nodes=24, features=features, labels=group)
    return path


@pytest.fixture(scope="module")
def run(folder):
    config = runs.from_sources(preset="graph", data=str(folder / "friends.csv"), sets=[*TINY, "training.epochs=150"])
    return runs.train(config, folder / "run", reporter=Silent())


def test_the_data_set_knows_more_from_split_to_split(folder):
    found = data.load_graph(folder / "friends.csv", seed=0)
    graph = found.graph
    assert found.kind == "graph"
    assert np.isnan(found.train.values[0][graph.part > 0]).all()
    assert (found.train.values[0][graph.part == 0] == 1).all()
    assert not np.isnan(found.test.values).any()
    assert np.isnan(found.valid.values[0]).sum() == (graph.part == 2).sum()
    linked = {tuple(pair) for pair in graph.graph.links.tolist()}
    for pair, truth in zip(graph.pairs.tolist(), found.test.values[0], strict=True):
        assert (tuple(pair) in linked) == bool(truth)
    absent = data.load_graph(folder / "friends.csv", seed=0, held_out="absent")
    assert (absent.train.values[0][graph.part > 0] == 0).all()
    assert absent.digest() != found.digest()
    assert data.load_graph(folder / "friends.csv", seed=1).digest() != found.digest()


def test_a_run_ranks_the_links_held_out_of_it(run):
    summary = run.evaluate(reporter=Silent())
    assert summary["method"] == "links"
    assert summary["auc"] > 0.6
    assert 0 < summary["average_precision"] <= 1
    assert summary["links"] == summary["absent"]
    line = runs.closing_line(summary)
    assert line.startswith("test links: AUC = 0.")
    assert "log p(A) of the training graph >= -" in line
    ((_, stored),) = measurements.summaries(run.folder, ("auc", "log_evidence"), prefix="links-test")
    assert runs.closing_line(stored) == line


def test_an_opened_run_has_the_model_that_was_trained(run):
    opened = runs.open(run.path)
    assert opened.about.graph.nodes == 24
    for one, other in zip(
        *(np.asarray(each.model.posterior.network.weights[0]) for each in (run, opened)), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(opened.model.likelihood.pairs, run.dataset().graph.pairs)


@pytest.mark.parametrize("preset", ["gae", "vgae"])
def test_the_printed_models_train_on_features(folder, preset):
    config = runs.from_sources(preset=preset, data=str(folder / "friends.npz"), sets=TINY)
    run = runs.train(config, folder / preset, reporter=Silent())
    assert run.model.posterior.network.features.value.shape == (24, 2)
    assert run.model.likelihood.loops
    assert not run.dataset().missing  # what is held out is taken for pairs without a link
    line = runs.closing_line(run.evaluate(reporter=Silent()))
    assert "no likelihood" in line


def test_a_prior_of_features(folder):
    sets = [*TINY, "model.prior=of_features", "model.prior.hidden=[4]"]
    config = runs.from_sources(preset="graph", data=str(folder / "friends.npz"), sets=sets)
    run = runs.train(config, folder / "features", reporter=Silent())
    assert run.model.prior.features.value.shape == (24, 2)
    config = runs.from_sources(preset="graph", data=str(folder / "friends.csv"), sets=sets)
    with pytest.raises(ValueError, match=r"model.prior=of_features needs a graph whose nodes have features"):
        runs.train(config, folder / "none", reporter=Silent())


def test_rows_and_graphs_are_told_apart(folder, run):
    with pytest.raises(ValueError, match="of one graph, friends, and takes no rows of a file"):
        run.read(folder / "friends.csv")
    config = runs.from_sources(preset="graph", data="digits", sets=["data.graph=null"])
    with pytest.raises(ValueError, match=r"model.likelihood=graph needs a graph"):
        runs.train(config, folder / "rows", reporter=Silent())
    with pytest.raises(ValueError, match=r"data.held_out needs data.graph=true"):
        runs.from_sources(data="digits", sets=["data.held_out=absent"])
    with pytest.raises(ValueError, match=r"model.network=graph needs model.posterior=gaussian or point, got planar"):
        runs.from_sources(preset="graph", data="x.csv", sets=["model.posterior=planar"])


def typed(capsys, *words: str) -> str:
    with pytest.raises(SystemExit) as left:
        main([*words])
    assert left.value.code == 0
    return capsys.readouterr().out


def test_links_and_nodes_by_name(run, capsys):
    printed = typed(capsys, "links", str(run.path), "--top", "5", "--k", "20")
    rows = list(csv.DictReader(io.StringIO(printed)))
    assert len(rows) == 5
    known = {tuple(pair) for pair in run.dataset().graph.graph.links.tolist()}
    names = {name: i for i, name in enumerate(run.dataset().graph.graph.nodes)}
    for row in rows:
        assert tuple(sorted((names[row["one"]], names[row["other"]]))) not in known
    chances = [float(row["probability"]) for row in rows]
    assert chances == sorted(chances, reverse=True)
    nodes = json.loads(typed(capsys, "--json", "embed", str(run.path)))
    assert np.shape(nodes["z"]) == (24, 2)
