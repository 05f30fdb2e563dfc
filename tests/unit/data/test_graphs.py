"""Graphs read from lists of links, and links held out of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iwax import data


def write(folder, name: str, text: str):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_list_of_names_is_a_graph(tmp_path):
    found = data.read_graph(write(tmp_path, "friends.csv", "from,to\nAnna,Béla\nBéla,Cid\n"))
    assert (found.name, found.nodes, found.links.tolist()) == ("friends", ("Anna", "Béla", "Cid"), [[0, 1], [1, 2]])
    assert found.degree.tolist() == [1, 2, 1]
    assert found.density == pytest.approx(2 / 3)


def test_both_directions_duplicates_and_loops_are_one_link_and_are_told(tmp_path):
    text = "a;b\n1;2\n2;1\n2;3\n3;2\n2;3\n3;3\n"
    found = data.read_graph(write(tmp_path, "links.csv", text))
    assert found.links.tolist() == [[0, 1], [1, 2]]
    assert found.notes == ("1 link of a node to itself was left out", "1 row listed before was left out")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\nx,y\ny,x\ny,z\n", "without directions; 1 links are listed in both directions and 1 in one"),
        ("a,b,w\nx,y,1\ny,z,0.5\n", r"links.csv:3:3: needed no weight, or 1.*got '0.5'"),
        ("a,b\nx,y\n,z\n", r"links.csv:3:1: needed the name of a node; got an empty cell"),
        ("a,b,c,d\nx,y,1,2\n", "two columns of node names .* got 4: a, b, c, d"),
    ],
)
def test_what_is_no_simple_graph_is_refused_with_its_place(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        data.read_graph(write(tmp_path, "links.csv", text))


def test_directions_can_be_left_out(tmp_path):
    path = write(tmp_path, "links.csv", "a,b\nx,y\ny,x\ny,z\n")
    assert data.read_graph(path, directed=True).links.tolist() == [[0, 1], [1, 2]]


def test_weights_of_1_are_none(tmp_path):
    path = write(tmp_path, "links.csv", "a,b,weight\nx,y,1\ny,z,1.0\n")
    assert len(data.read_graph(path).links) == 2


def test_arrays_with_sparse_features(tmp_path):
    path = tmp_path / "graph.npz"
    np.savez(
        path,
        edges=np.array([[0, 1], [2, 0]]),
        nodes=4,
        features=5,
        feature_indptr=np.array([0, 2, 2, 3, 3]),
        feature_indices=np.array([1, 4, 0]),
        labels=np.array([0, 1, -1, 0]),
    )
    found = data.read_graph(path)
    assert found.links.tolist() == [[0, 1], [0, 2]]
    expected = np.zeros((4, 5))
    expected[[0, 0, 2], [1, 4, 0]] = 1
    np.testing.assert_array_equal(found.features, expected)
    assert found.labels.tolist() == [0, 1, -1, 0]
    assert len(found.nodes) == 4  # the last has no links


def test_other_files_are_refused_by_what_they_lack(tmp_path):
    np.savez(tmp_path / "x.npz", x=np.zeros(3))
    with pytest.raises(ValueError, match=r"x.npz: needed an array 'edges' \[edges, 2\]; got x"):
        data.read_graph(tmp_path / "x.npz")
    with pytest.raises(ValueError, match=r"a graph is read from .csv, .tsv, .txt, .parquet, .npz; got .png"):
        data.read_graph(write(tmp_path, "x.png", ""))


def random_graph(nodes: int, seed: int, share: float) -> data.Graph:
    pairs = np.argwhere(np.triu(np.ones((nodes, nodes)), 1))
    kept = np.random.default_rng(seed).random(len(pairs)) < share
    return data.Graph("random", tuple(map(str, range(nodes))), pairs[kept].astype(np.int32))


@given(nodes=st.integers(12, 40), seed=st.integers(0, 2**32), share=st.floats(0.2, 0.5))
def test_a_split_parts_the_links_and_leaks_nothing(nodes, seed, share):
    graph = random_graph(nodes, seed, share)
    split = data.split_links(graph, seed=seed)
    parts = [split.train.links, split.valid.links, split.test.links]
    assert [len(part) for part in parts[1:]] == [len(graph.links) // 20, len(graph.links) // 10]
    together = {tuple(pair) for part in parts for pair in part.tolist()}
    assert together == {tuple(pair) for pair in graph.links.tolist()}
    assert sum(map(len, parts)) == len(graph.links)
    absent = [tuple(pair) for part in (split.valid, split.test) for pair in part.absent.tolist()]
    assert len(set(absent)) == len(absent) == len(split.held_out) - len(parts[1]) - len(parts[2])
    assert not set(absent) & together
    assert all(i < j < nodes for i, j in absent)
    again = data.split_links(graph, seed=seed)
    np.testing.assert_array_equal(split.held_out, again.held_out)


def test_absent_pairs_are_drawn_uniformly():
    """Every pair that is not linked is as likely: a chi-squared test over 400 seeds."""
    graph = random_graph(12, 0, 0.3)
    size = len(graph.links) // 10 + len(graph.links) // 20
    pairs = {(i, j) for i in range(12) for j in range(i)} - {(j, i) for i, j in graph.links.tolist()}
    counts = dict.fromkeys(((j, i) for i, j in pairs), 0)
    for seed in range(400):
        split = data.split_links(graph, seed=seed)
        for pair in (*split.valid.absent.tolist(), *split.test.absent.tolist()):
            counts[tuple(pair)] += 1
    found, expected = np.array(list(counts.values())), 400 * size / len(counts)
    chi2 = np.sum((found - expected) ** 2) / (expected * (1 - size / len(counts)))
    assert abs(chi2 - (len(counts) - 1)) < 5 * np.sqrt(2 * len(counts))


def test_shares_that_cannot_be_held_out_are_refused():
    graph = random_graph(12, 0, 0.3)
    with pytest.raises(ValueError, match="which leave some for training"):
        data.split_links(graph, seed=0, valid=0.5, test=0.5)
    complete = random_graph(12, 0, 1.1)
    with pytest.raises(ValueError, match="the graph has 0, too few"):
        data.split_links(complete, seed=0)


def test_a_graph_of_another_form_is_refused():
    names = ("a", "b", "c")
    for links, message in (
        (np.array([[1, 0]]), r"lower of two different nodes first, got \[1, 0\] in row 0"),
        (np.array([[0, 3]]), "nodes from 0 to 2, got 0 to 3"),
        (np.array([[0, 1], [0, 1]]), "listed once each"),
        (np.array([0, 1]), r"links \[links, 2\] of whole numbers"),
    ):
        with pytest.raises(ValueError, match=message):
            data.Graph("x", names, links)
    with pytest.raises(ValueError, match="features need a row for each of 3 nodes, got 2"):
        data.Graph("x", names, np.array([[0, 1]]), features=np.zeros((2, 1)))
