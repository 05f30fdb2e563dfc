"""The registered names: what each loads, against what its source states."""

import dataclasses
import io

import numpy as np
import pytest
from scipy.io import savemat
from sklearn.datasets import load_digits

from iwax import data
from iwax.data import histopathology, omniglot

EMBEDDED = ("digits", "digits-grey", "ring", "breast-cancer")
ON_DISK = (
    "mnist-dynamic-burda",
    "mnist-dynamic-50k",
    "mnist-dynamic-60k",
    "mnist-grey",
    "mnist-static",
    "fashion-mnist",
    "fashion-mnist-grey",
    "omniglot-rebuilt",
    "ocr-letters",
    "frey-faces",
    "caltech101-silhouettes",
    "wine-red",
    "wine-white",
    "concrete",
)
NOT_PUBLIC_HERE = ("omniglot", "histopathology")
DIGITS_SHA256 = "196debb26de807140df1e7c87931df6cbc351f31dc69ce796751aea0af229323"
MNIST_SHA256 = "c5ba2348ec3be9ca7268429cd32bad05373684b8e8b92b244c3c013a1daf4761"


@pytest.fixture
def empty_home(tmp_path, monkeypatch):
    """An empty data folder and an empty cache, so that nothing is found but what a test puts there."""
    monkeypatch.setenv("IWAX_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def test_every_name_is_known_once():
    assert {*EMBEDDED, *ON_DISK, *NOT_PUBLIC_HERE, "mnist"} == set(data.names())
    assert len(data.names()) == len(set(data.names()))
    assert data.info("mnist") is data.info("mnist-dynamic-burda")


@pytest.mark.parametrize("name", data.names())
def test_every_protocol_states_split_and_treatment(name):
    info = data.info(name)
    assert f"{info.train:,}" in info.protocol or name == "omniglot-rebuilt"
    assert ("redrawn at every access" in info.protocol) == info.binarize_training
    assert info.licence
    assert info.source
    if info.binarize_training:
        assert "seed" in info.protocol


def test_a_wrong_name_offers_the_nearest():
    with pytest.raises(ValueError, match=r"'mnist-statik'; did you mean mnist-static"):
        data.load("mnist-statik")
    with pytest.raises(ValueError, match="known names: digits, digits-grey, ring"):
        data.info("qqqq")


@pytest.mark.parametrize("name", EMBEDDED)
def test_embedded_sets_need_no_file(name, empty_home):
    loaded = data.load(name)
    assert (data.availability(name), data.get(name)) == ("embedded", [])
    _agrees_with_its_description(loaded)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name == "omniglot-rebuilt" else name for name in ON_DISK]
)
def test_sets_on_disk(name, iwax_data):
    if data.availability(name) != "here":
        pytest.skip(f"the files of {name} are not in IWAX_DATA")
    loaded = data.load(name)
    _agrees_with_its_description(loaded)
    assert all(place.is_file() for place in data.get(name))


def _agrees_with_its_description(loaded):
    info = data.info(loaded.name)
    assert (loaded.protocol, loaded.shape, loaded.kind) == (info.protocol, info.shape, info.kind)
    assert loaded.binarize_training == info.binarize_training
    for part, split in loaded.splits().items():
        assert split.values.shape == (getattr(info, part), loaded.features)
        assert split.values.flags.c_contiguous


def test_digits_are_scikit_learns_stratified():
    digits = data.load("digits")
    values, labels = load_digits(return_X_y=True)
    scaled = {tuple(row) for row in np.floor(values * 255 / 16 + 0.5).astype(int).tolist()}
    assert {tuple(row) for row in digits.train.values.tolist()} <= scaled
    assert np.bincount(digits.test.labels).tolist() == [30] * 10
    assert np.bincount(digits.valid.labels).tolist() == [20] * 10
    rest = np.bincount(labels) - 50
    assert np.bincount(digits.train.labels).tolist() == rest.tolist()
    assert digits.digest() == data.load("digits").digest() == DIGITS_SHA256


def test_the_ring_is_a_bent_normal():
    """|x| = 1 + r/10 with r Rayleigh: mean 1 + sqrt(pi/2)/10; directions balance."""
    x = data.load("ring").train.values.astype(np.float64)
    length = np.linalg.norm(x, axis=1)
    assert length.min() > 1
    error = 0.1 * np.sqrt((2 - np.pi / 2) / len(x))
    assert abs(length.mean() - (1 + np.sqrt(np.pi / 2) / 10)) < 4 * error
    assert np.all(np.abs((x / length[:, None]).mean(axis=0)) < 4 * np.sqrt(0.5 / len(x)))


def test_mnist_as_published(iwax_data):
    train = data.load("mnist-dynamic-60k").train
    assert round(train.values.mean(), 3) == 33.318
    assert train.labels[:5].tolist() == [5, 0, 4, 1, 9]
    burda, half = data.load("mnist"), data.load("mnist-dynamic-50k")
    assert np.array_equal(burda.train.values, train.values[:59_600])
    assert np.array_equal(half.train.values, train.values[:50_000])
    assert burda.test.labels[:5].tolist() == half.test.labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert not np.array_equal(burda.test.values, half.test.values)  # each name has a seed of its own
    assert burda.valid.values[train.values[59_600:] == 0].max() == 0
    assert burda.valid.values[train.values[59_600:] == 255].min() == 1
    assert burda.digest() == MNIST_SHA256


def test_static_mnist_as_published(iwax_data):
    static = data.load("mnist-static")
    means = [round(float(split.values.mean()), 6) for split in static.splits().values()]
    assert means == [0.130562, 0.131127, 0.132512]
    assert static.train.labels is None


def test_fashion_caltech_and_faces_as_published(iwax_data):
    fashion = data.load("fashion-mnist")
    assert fashion.train.labels[:5].tolist() == [9, 0, 0, 3, 0]
    caltech = data.load("caltech101-silhouettes")
    means = [round(1 - float(split.values.mean()), 3) for split in caltech.splits().values()]
    assert means == [0.551, 0.536, 0.539]
    faces = data.load("frey-faces")
    values = np.concatenate([split.values for split in faces.splits().values()]) * 256 - 0.5
    assert (values.min(), values.max()) == (8, 238)


def test_tables_are_standardised_by_their_training_rows(iwax_data):
    for name in ("wine-red", "wine-white", "concrete", "breast-cancer"):
        train = data.load(name).train.values.astype(np.float64)
        assert np.abs(train.mean(axis=0)).max() < 1e-5
        assert np.abs(train.std(axis=0) - 1).max() < 1e-5


@pytest.mark.slow
def test_rebuilt_omniglot_keeps_fifteen_drawings_of_each_character(iwax_data):
    rebuilt = data.load("omniglot-rebuilt")
    training = np.concatenate([rebuilt.train.labels, rebuilt.valid.labels])
    assert np.bincount(training).tolist() == [15] * 1623
    assert np.bincount(np.bincount(rebuilt.test.labels, minlength=1623)).tolist() == [9, 0, 0, 0, 0, 1614]
    assert "not" in rebuilt.protocol.lower()
    assert "REBUILT" in rebuilt.protocol


def chardata(rows: int, tests: int) -> tuple[bytes, np.ndarray]:
    """A file of Burda's format; pixel (r, c) of picture i is stored column by column."""
    pictures = np.random.default_rng(2).integers(0, 256, (rows + tests, 28, 28))
    columns = pictures.swapaxes(1, 2).reshape(-1, 784).T / 255
    targets = np.eye(50)[np.arange(rows + tests) % 50].T
    file = io.BytesIO()
    stored = {"data": columns[:, :rows], "target": targets[:, :rows]}
    savemat(file, stored | {"testdata": columns[:, rows:], "testtarget": targets[:, rows:]})
    return file.getvalue(), pictures


def test_burdas_omniglot_is_upright_and_in_his_order(empty_home):
    small = dataclasses.replace(omniglot.BURDA, train=16, valid=4, test=5)
    contents, pictures = chardata(20, 5)
    (empty_home / "omniglot").mkdir()
    (empty_home / "omniglot" / "chardata.mat").write_bytes(contents)
    loaded = omniglot.load_burda(small)
    order = np.random.RandomState(123).permutation(20)
    assert np.array_equal(loaded.train.values.reshape(-1, 28, 28), pictures[order[:16]])
    assert loaded.train.labels.tolist() == order[:16].tolist()
    assert loaded.test.labels.tolist() == [20, 21, 22, 23, 24]
    assert loaded.valid.values.max() == 1


def test_files_that_cannot_be_downloaded_say_where_to_put_them(empty_home):
    with pytest.raises(data.UnavailableError, match=r"omniglot/chardata.mat.*put it at .*yburda/iwae"):
        data.load("omniglot")
    with pytest.raises(data.UnavailableError, match=r"histopathology.npz.*pickle.*never opened.*numpy.savez"):
        data.load("histopathology")
    assert data.availability("omniglot") == "absent"


def test_converted_histopathology(empty_home):
    small = dataclasses.replace(histopathology.HISTOPATHOLOGY, train=3, valid=2, test=2)
    place = empty_home / "histopathology" / "histopathology.npz"
    place.parent.mkdir()
    grey = np.random.default_rng(3).random((7, 28, 28))
    np.savez(place, x_train=grey[:3], x_valid=grey[3:5], x_test=grey[5:])
    assert np.array_equal(histopathology.load(small).test.values, grey[5:].reshape(2, 784).astype(np.float32))
    np.savez(place, x_train=grey[:3] * 255, x_valid=grey[3:5], x_test=grey[5:])
    with pytest.raises(ValueError, match=r"x_train\]: needed values in \[0, 1\]"):
        histopathology.load(small)
    np.savez(place, x_train=grey[:3])
    with pytest.raises(ValueError, match="needed the arrays"):
        histopathology.load(small)


def test_another_binarisation_goes_by_another_name(iwax_data):
    faces = data.load("frey-faces", binarize="threshold")
    assert (faces.name, faces.kind) == ("frey-faces-threshold", "binary")
    with pytest.raises(ValueError, match="binary by its own protocol"):
        data.load("digits", binarize="sample")
    with pytest.raises(ValueError, match=r"needs real values in \[0, 1\]"):
        data.load("wine-red", binarize="sample")


def test_grey_digits_are_the_same_ones_undrawn():
    drawn, grey = data.load("digits"), data.load("digits-grey")
    for part in ("train", "valid", "test"):
        np.testing.assert_array_equal(drawn.split(part).labels, grey.split(part).labels)
    np.testing.assert_array_equal(drawn.train.values, grey.train.values)
    assert grey.test.values.max() == 255
    assert not (drawn.test.values[grey.test.values == 0]).any()
