"""A user's own arrays and pictures: kinds, splits, labels and binarisation."""

import sys
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from iwax import data

RANDOM = np.random.default_rng(4)
GREY = RANDOM.integers(0, 256, (20, 4, 5), dtype=np.uint8)


def saved(tmp_path, values, name="own.npy"):
    np.save(tmp_path / name, values)
    return str(tmp_path / name)


@pytest.mark.parametrize(
    ("values", "kind", "shape"),
    [
        (GREY, "grey", (4, 5)),
        (GREY[..., None].repeat(3, axis=-1), "grey", (4, 5, 3)),
        (GREY.reshape(20, 20).astype(np.int64), "grey", (20,)),
        (GREY > 99, "binary", (4, 5)),
        ((GREY > 99).astype(np.uint8), "binary", (4, 5)),
        ((GREY > 99).astype(np.float64), "binary", (4, 5)),
        (GREY / 255, "real", (4, 5)),
        (RANDOM.normal(size=(20, 3)).astype(np.float16), "real", (3,)),
    ],
)
def test_kind_and_shape(tmp_path, values, kind, shape):
    loaded = data.load(saved(tmp_path, values))
    assert (loaded.kind, loaded.shape, loaded.binarize_training) == (kind, shape, False)
    assert loaded.train.values.dtype == (np.float32 if kind == "real" else np.uint8)
    assert [len(split) for split in loaded.splits().values()] == [16, 2, 2]
    rows = np.concatenate([split.values for split in loaded.splits().values()])
    assert sorted(rows.tolist()) == sorted(values.reshape(20, -1).astype(rows.dtype).tolist())


def test_the_split_is_fixed_and_written_down(tmp_path):
    path = saved(tmp_path, GREY)
    first = data.load(path)
    assert first.digest() == data.load(path).digest()
    assert "seed 0, the first 16 training, the next 2 validation, the last 2 test" in first.protocol
    assert first.name == "own"
    assert str(tmp_path) not in first.protocol


def test_three_rows_are_the_fewest(tmp_path):
    assert len(data.load(saved(tmp_path, GREY[:3])).train) == 1
    for few in (1, 2):
        with pytest.raises(ValueError, match=f"at least 3 rows.*got {few}"):
            data.load(saved(tmp_path, GREY[:few]))


def test_npz_with_labels_and_parts(tmp_path):
    np.savez(tmp_path / "x.npz", x=GREY, y=np.arange(20))
    whole = data.load(str(tmp_path / "x.npz"))
    rows = {tuple(row): label for row, label in zip(GREY.reshape(20, -1).tolist(), range(20), strict=True)}
    assert [rows[tuple(row)] for row in whole.train.values.tolist()] == whole.train.labels.tolist()
    np.savez(tmp_path / "p.npz", x_train=GREY[:5], y_train=np.arange(5), x_test=GREY[5:6])
    parts = data.load(tmp_path / "p.npz")
    assert np.array_equal(parts.train.values, GREY[:5].reshape(5, -1))
    assert (parts.valid, len(parts.test), parts.test.labels) == (None, 1, None)
    np.savez(tmp_path / "one.npz", GREY)
    assert data.load(tmp_path / "one.npz").shape == (4, 5)


def test_a_part_of_zeros_and_ones_takes_the_kind_of_the_others(tmp_path):
    np.savez(tmp_path / "x.npz", x_train=GREY, x_test=GREY * 0)
    assert data.load(tmp_path / "x.npz").kind == "grey"
    np.savez(tmp_path / "r.npz", x_train=GREY / 255, x_test=GREY * 0.0)
    loaded = data.load(tmp_path / "r.npz")
    assert (loaded.kind, loaded.test.values.dtype) == ("real", np.float32)


def test_csv_and_folders(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n" + "1.5,2\n" * 10)
    table = data.load(tmp_path / "t.csv")
    assert (table.kind, table.shape, table.train.values.tolist()) == ("table", (2,), [[1.5, 2]] * 8)
    for i, picture in enumerate(GREY):
        folder = tmp_path / "pictures" / "ab"[i % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(folder / f"{i}.png")
    loaded = data.load(str(tmp_path / "pictures"))
    assert (loaded.name, loaded.kind, loaded.shape) == ("pictures", "grey", (4, 5))
    assert set(loaded.train.labels.tolist()) == {0, 1}


def test_binarize_threshold(tmp_path):
    loaded = data.load(saved(tmp_path, GREY), binarize="threshold")
    grey = data.load(saved(tmp_path, GREY))
    assert (loaded.kind, loaded.binarize_training) == ("binary", False)
    assert np.array_equal(loaded.train.values, grey.train.values > 127)
    real = data.load(saved(tmp_path, GREY / 255, "real.npy"), binarize="threshold")
    assert np.array_equal(real.test.values, loaded.test.values)


def test_binarize_sample(tmp_path):
    loaded = data.load(saved(tmp_path, GREY), binarize="sample")
    grey = data.load(saved(tmp_path, GREY))
    assert (loaded.kind, loaded.binarize_training) == ("binary", True)
    assert np.array_equal(loaded.train.values, grey.train.values)
    assert set(np.unique(loaded.test.values)) == {0, 1}
    assert "Bernoulli" in loaded.protocol
    real = data.load(saved(tmp_path, GREY / 255, "real.npy"), binarize="sample")
    assert np.array_equal(real.train.values, grey.train.values)
    binary = saved(tmp_path, GREY > 99, "binary.npy")
    assert data.load(binary, binarize="sample").digest() == data.load(binary).digest()


def test_read_rows_gives_all_rows_in_order(tmp_path):
    rows = data.read_rows(tmp_path / saved(tmp_path, GREY))
    assert np.array_equal(rows.values, GREY.reshape(20, -1))
    assert (rows.shape, rows.kind) == ((4, 5), "grey")


def test_datasets_check_themselves():
    rows = data.Split(np.full((2, 4), 2, np.uint8))
    with pytest.raises(ValueError, match=r"values in \{0, 1\}; got 2"):
        data.Dataset("x", "", (2, 2), "binary", False, rows, None, rows)
    with pytest.raises(ValueError, match="rows of 3 values"):
        data.Dataset("x", "", (3,), "grey", False, rows, None, rows)
    with pytest.raises(ValueError, match="float32 values; got uint8"):
        data.Dataset("x", "", (4,), "real", False, rows, None, rows)
    with pytest.raises(ValueError, match="train, test; got 'valid'"):
        data.Dataset("x", "", (4,), "grey", False, rows, None, rows).split("valid")
    with pytest.raises(ValueError, match=r"one label per row, shape \(2,\); got \(3,\)"):
        data.Split(rows.values, np.zeros(3))
    with pytest.raises(ValueError, match="n, D >= 1"):
        data.Split(np.zeros((0, 4), np.uint8))
    with pytest.raises(ValueError, match="uint8 or float32"):
        data.Split(np.zeros((1, 4)))


def test_each_file_is_opened_once(tmp_path):
    """However much is seen of a table before it is read, and of a picture before it is decoded."""
    table, pictures, arrays = tmp_path / "t.csv", tmp_path / "pictures", tmp_path / "x.npy"
    table.write_text("a;b\n" + "".join(f"{i}.5;{'pq'[i % 2]}\n" for i in range(30)))
    np.save(arrays, np.arange(40.0).reshape(10, 4))
    pictures.mkdir()
    for i in range(5):
        Image.new("L", (4, 3), 40 * i).save(pictures / f"{i}.png")
    opened = Counter[str]()
    watching = True

    def note(event, arguments):
        if watching and event == "open" and str(arguments[0]).startswith(str(tmp_path)):
            opened[str(arguments[0])] += 1

    sys.addaudithook(note)  # a hook cannot be removed
    try:
        for path in (table, pictures, arrays):
            data.load(path)
    finally:
        watching = False
    files = [table, arrays, *pictures.iterdir()]
    assert {path: opened[str(path)] for path in files} == dict.fromkeys(files, 1)
