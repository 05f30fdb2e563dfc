"""Data that stay on disk: the same rows, kinds, splits and refusals as in memory, read a few at a time."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from iwax import data
from iwax.data.block_order import BlockOrder
from iwax.data.on_disk import RowsOnDisk
from iwax.data.survey import moments

RANDOM = np.random.default_rng(0)
ROWS = {
    "binary": RANDOM.integers(0, 2, (53, 6)).astype(bool),
    "grey": RANDOM.integers(0, 256, (53, 2, 3), np.uint8),
    "real": RANDOM.normal(size=(53, 6)),
    "missing": np.where(RANDOM.random((53, 6)) < 0.2, np.nan, RANDOM.normal(size=(53, 6))).astype(np.float32),
    "binary, missing": np.where(RANDOM.random((53, 6)) < 0.2, np.nan, 1.0),
}


@pytest.fixture(params=ROWS)
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    np.save(tmp_path / "x.npy", ROWS[request.param])
    return tmp_path / "x.npy"


def rows(dataset: data.Dataset, part: str) -> RowsOnDisk:
    found = dataset.split(part).values
    assert isinstance(found, RowsOnDisk)
    return found


def assert_the_same(found: data.Dataset, wanted: data.Dataset) -> None:
    assert (found.kind, found.shape, found.missing, found.name) == (
        wanted.kind,
        wanted.shape,
        wanted.missing,
        wanted.name,
    )
    for part, split in wanted.splits().items():
        assert found.split(part).values.dtype == split.values.dtype
        np.testing.assert_array_equal(np.asarray(found.split(part).values), split.values)


def test_splits_are_those_of_rows_in_memory(file: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("iwax.data.on_disk.CHUNK", 7 * 48)  # seven rows of six float64
    monkeypatch.setattr("iwax.data.survey.CHUNK", 7 * 48)
    found, wanted = data.load(file, on_disk=True), data.load(file)
    assert found.on_disk
    assert not wanted.on_disk
    assert_the_same(found, wanted)
    train = wanted.train.values.astype(np.float64)
    for got, expected in zip(moments(rows(found, "train")), (np.nanmean(train, 0), np.nanstd(train, 0)), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-13)


@pytest.mark.parametrize("how", ["threshold", "sample"])
@pytest.mark.parametrize("kind", ["grey", "real"])
def test_grey_values_become_the_bits_of_rows_in_memory(tmp_path: Path, kind: str, how):
    values = ROWS["grey"] if kind == "grey" else ROWS["grey"] / 255
    np.save(tmp_path / "x.npy", values)
    assert_the_same(
        data.load(tmp_path / "x.npy", binarize=how, on_disk=True), data.load(tmp_path / "x.npy", binarize=how)
    )


def pictures(folder: Path, mode: str, rows: int = 21) -> Path:
    """Pictures of a mode in two sub-folders; with "P, then L" palettes of grey before one that says that it is grey."""
    random = np.random.default_rng(0)
    for i in range(rows):
        own = {"P, then L": "L" if i == rows - 1 else "P"}.get(mode, mode)
        values = random.integers(0, 256, (4, 5, 3) if own == "RGB" else (4, 5), np.uint8)
        picture = Image.fromarray(values).convert(own)
        (folder / "ab"[i >= rows // 2]).mkdir(parents=True, exist_ok=True)
        picture.save(folder / "ab"[i >= rows // 2] / f"{i:03d}.png")
    return folder


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "P, then L"])
def test_a_folder_of_pictures_has_the_rows_and_labels_that_it_has_in_memory(tmp_path: Path, mode: str):
    folder = pictures(tmp_path / "pictures", mode)
    (folder / "notes.txt").write_text("none")
    found, wanted = data.load(folder, on_disk=True), data.load(folder)
    assert found.on_disk
    assert not wanted.on_disk
    assert_the_same(found, wanted)
    for part, split in wanted.splits().items():
        np.testing.assert_array_equal(found.split(part).labels, split.labels)
    assert "1 file that is no picture (notes.txt) left out" in found.protocol
    assert found.kind == ("binary" if mode == "1" else "grey")


def test_pictures_that_change_or_differ_are_refused_by_their_name(tmp_path: Path):
    folder = pictures(tmp_path / "pictures", "L")
    found = data.load(folder, on_disk=True)
    Image.new("L", (5, 4), 7).save(folder / "a" / "000.png")
    with pytest.raises(ValueError, match=r"000.png: it has changed since it was opened"):
        np.asarray(found.train.values), np.asarray(found.valid.values), np.asarray(found.test.values)
    Image.new("L", (6, 4), 7).save(folder / "b" / "020.png")
    with pytest.raises(ValueError, match=r"020.png: needed pictures of one size and mode, 5 x 4 grey as the first"):
        data.load(folder, on_disk=True)


def test_pictures_stay_on_disk_where_they_would_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = pictures(tmp_path / "pictures", "L")
    assert not data.load(folder, on_disk=None).on_disk
    monkeypatch.setattr("iwax.data.from_disk.limit", lambda: 800)  # 21 pictures of 20 bytes are more than half of it
    assert data.load(folder, on_disk=None).on_disk


def test_shards_are_one_file_in_the_order_of_their_names(tmp_path: Path):
    np.save(tmp_path / "x.npy", ROWS["real"])
    (tmp_path / "shards").mkdir()
    for name, part in zip(("part-0", "part-1", "part-10"), np.split(ROWS["real"], [5, 30]), strict=True):
        np.save(tmp_path / "shards" / f"{name}.npy", part)
    whole, wanted = data.load(tmp_path / "x.npy", on_disk=True), data.load(tmp_path / "x.npy")
    found = data.load(tmp_path / "shards", on_disk=True)
    for part in ("train", "valid", "test"):
        np.testing.assert_array_equal(np.asarray(found.split(part).values), wanted.split(part).values)
    assert found.digest() == whole.digest()
    read = data.load(tmp_path / "shards")
    assert not read.on_disk
    assert read.digest() == wanted.digest()


def test_a_view_slices_like_an_array_and_reads_what_is_asked_for(tmp_path: Path):
    np.save(tmp_path / "x.npy", ROWS["real"])
    found, wanted = (
        rows(data.load(tmp_path / "x.npy", on_disk=True), "train"),
        data.load(tmp_path / "x.npy").train.values,
    )
    for cut in (slice(5), slice(7, 30, 3), slice(-4, None), slice(40, 400)):
        np.testing.assert_array_equal(np.asarray(found[cut]), wanted[cut])
        np.testing.assert_array_equal(np.asarray(found[cut][1:]), wanted[cut][1:])
    for index in ([3, 1, 1], np.arange(43) % 2 == 0, 4, -1):
        np.testing.assert_array_equal(found[index], np.asarray(wanted)[index])
    np.testing.assert_array_equal(found[:, 2], wanted[:, 2])
    with pytest.raises(IndexError, match=r"rows 0\.\.42 were needed; got 3\.\.43"):
        found.take([3, 43])


def test_no_more_than_half_a_gigabyte_is_read_at_once(tmp_path: Path):
    np.save(tmp_path / "x.npy", ROWS["real"])
    found = rows(data.load(tmp_path / "x.npy", on_disk=True), "train")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("iwax.data.on_disk.AT_ONCE", 100)
        with pytest.raises(ValueError, match=r"43 rows, 1\.03 kB; take fewer, as by --limit N"):
            np.asarray(found)
        assert np.asarray(found[:4]).shape == (4, 6)


BAD = {
    "infinity": ({"a": np.array([[1.5], [np.inf], [2.0]])}, r"a\.npy:2:1: needed finite float32 numbers; got inf"),
    "another width": ({"a": np.zeros((5, 2)), "b": np.zeros((5, 3))}, r"b\.npy: needed rows of shape \(2,\).*\(3,\)"),
    "another type": ({"a": np.zeros((5, 2)), "b": np.zeros((5, 2), int)}, r"b\.npy: needed rows.*float64.*got.*int64"),
    "an empty shard": ({"a": np.zeros((5, 2)), "b": np.zeros((0, 2))}, r"b\.npy: needed at least one row; got none"),
    "an empty row": (
        {"a": np.ones((9, 2)), "b": np.array([[1, 1], [np.nan] * 2])},
        r"b\.npy:2: needed a value in every",
    ),
    "beyond grey": (
        {"a": np.zeros((9, 2), int), "b": np.full((2, 2), 256)},
        r"b\.npy:1:1: needed whole numbers 0\.\.255",
    ),
    "Fortran order": ({"a": np.asfortranarray(np.zeros((5, 2)))}, r"a\.npy: needed rows that lie one after another"),
    "too few": ({"a": np.zeros((2, 2))}, "needed at least 3 rows"),
    "texts": ({"a": np.array([["x"] * 2] * 4)}, r"a\.npy: needed bool, whole or real numbers"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_used_is_refused_with_its_file_and_place(tmp_path: Path, case: str):
    files, words = BAD[case]
    for name, values in files.items():
        np.save(tmp_path / f"{name}.npy", values)
    with pytest.raises(ValueError, match=words):
        data.load(tmp_path, on_disk=True)


def test_a_file_that_is_cut_short_is_refused_at_once_and_while_it_is_read(tmp_path: Path):
    file = tmp_path / "x.npy"
    np.save(file, ROWS["real"])
    found = rows(data.load(file, on_disk=True), "train")
    with file.open("r+b") as stream:
        stream.truncate(1000)
    with pytest.raises(ValueError, match=r"x\.npy: it has changed since it was opened"):
        found.take([0])
    with pytest.raises(ValueError, match=r"x\.npy: shape \(53, 6\) of float64 needs 2672 bytes; the file has 1000"):
        data.load(file, on_disk=True)


def test_what_is_no_array_is_not_left_on_disk(tmp_path: Path):
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match=r"t\.csv: rows that stay on disk need to be .*; got \.csv"):
        data.load(tmp_path / "t.csv", on_disk=True)
    with pytest.raises(ValueError, match="a registered data set is read into memory"):
        data.load("digits", on_disk=True)
    np.save(tmp_path / "x.npy", ROWS["real"])
    with pytest.raises(ValueError, match="needed shards of one format"):
        data.load(tmp_path, on_disk=True)


def test_what_would_take_a_quarter_of_the_memory_stays_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    np.save(tmp_path / "x.npy", ROWS["real"])
    assert not data.load(tmp_path / "x.npy", on_disk=None).on_disk
    monkeypatch.setenv("IWAX_MEMORY_LIMIT", "5kB")
    assert data.load(tmp_path / "x.npy", on_disk=None).on_disk


def test_blocks_are_shuffled_and_rows_among_those_of_a_buffer():
    bounds = np.array([0, 10, 10, 14, 30, 37, 50])
    orders = [BlockOrder(seed, epoch, bounds, row_bytes=1, buffer=20) for seed in (0, 1) for epoch in (0, 1)]
    for order in orders:
        found = order[np.arange(50)]
        assert sorted(found.tolist()) == list(range(50))
        assert [order[np.array([place])][0] for place in range(50)] == found.tolist()
        block_of = np.searchsorted(bounds, found, side="right")
        for first, stop in zip(order.starts[:-1], order.starts[1:], strict=True):
            assert not set(block_of[first:stop]) & set(block_of[stop:])  # no block in two buffers
    assert len({tuple(order[np.arange(50)]) for order in orders}) == 4


def test_within_a_buffer_every_order_is_as_likely():
    places = [BlockOrder(0, epoch, np.array([0, 3, 6]), row_bytes=1)[np.array([0])][0] for epoch in range(2000)]
    counts = np.bincount(places, minlength=6)
    assert (np.abs(counts - 2000 / 6) < 5 * np.sqrt(2000 * 5 / 36)).all()
