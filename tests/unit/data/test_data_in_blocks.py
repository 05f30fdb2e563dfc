"""Shards that are read in blocks: Parquet tables and .npz files."""

import weakref
from pathlib import Path

import numpy as np
import pytest

from iwax import data
from iwax.data.block_shards import NpzShards
from iwax.data.on_disk import RowsOnDisk
from iwax.data.survey import moments
from iwax.formats.npy import read_npz

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

RANDOM = np.random.default_rng(0)
ROWS = 120
TABLE = {
    "size": [None if i % 11 == 0 else round(float(x), 3) for i, x in enumerate(RANDOM.normal(size=ROWS))],
    "visits": [*RANDOM.poisson(3.0, ROWS - 1).tolist(), 400],
    "town": [*RANDOM.choice(["Bern", "Chur"], ROWS - 1).tolist(), "Zug"],
    "smoker": RANDOM.choice([True, False], ROWS).tolist(),
}


def written(folder: Path, table: dict, *, shards: int, group: int = 9) -> Path:
    folder.mkdir()
    for i, places in enumerate(np.array_split(np.arange(len(table["size"])), shards)):
        part = pa.table({name: [cells[j] for j in places] for name, cells in table.items()})
        pq.write_table(part, folder / f"part-{i:02}.parquet", row_group_size=group)
    return folder


def in_file_order(dataset: data.Dataset) -> np.ndarray:
    """The rows of all splits as they follow each other in the files."""
    parts = [split.values for split in dataset.splits().values()]
    found = [each for part in parts for each in part.chunks()]
    order = np.argsort(np.concatenate([numbers for numbers, _ in found]))
    return np.concatenate([values for _, values in found])[order]


def test_a_folder_of_tables_is_the_table(tmp_path: Path):
    pq.write_table(pa.table(TABLE), tmp_path / "t.parquet")
    wanted = data.load(tmp_path / "t.parquet")
    found = data.load(written(tmp_path / "shards", TABLE, shards=4), on_disk=True)
    assert found.columns == wanted.columns  # a level and an extreme that stand in the last row alone
    assert (found.kind, found.missing) == (wanted.kind, wanted.missing)
    for part, split in wanted.splits().items():
        mine = np.asarray(found.split(part).values)
        assert sorted(map(repr, mine.tolist())) == sorted(map(repr, split.values.tolist()))
    one = data.load(tmp_path / "t.parquet", on_disk=True)
    np.testing.assert_array_equal(in_file_order(one), in_file_order(found))
    train = wanted.train.array.astype(np.float64)
    values = found.train.values
    assert isinstance(values, RowsOnDisk)
    np.testing.assert_allclose(moments(values)[0], np.nanmean(train, axis=0), rtol=1e-12)
    np.testing.assert_allclose(moments(values)[1], np.nanstd(train, axis=0), rtol=1e-12)
    again = data.load(tmp_path / "shards", columns=found.columns, on_disk=True)
    assert again.digest() == found.digest()
    assert "shuffled in blocks" in found.protocol


def test_kinds_that_are_given_hold_and_columns_are_left_out(tmp_path: Path):
    table = TABLE | {"name": [f"row {i}" for i in range(ROWS)]}
    kinds = {"visits": "nonnegative", "size": "drop"}
    found = data.load(written(tmp_path / "s", table, shards=2), kinds=kinds, on_disk=True)
    assert [each.name for each in found.columns] == ["visits", "town", "smoker"]
    assert found.columns[0].kind == "nonnegative"
    assert [each.name for each in found.left_out] == ["name"]


def test_an_epoch_reads_every_row_once_in_an_order_of_its_own(tmp_path: Path):
    values = data.load(written(tmp_path / "s", TABLE, shards=3), on_disk=True).train.values
    orders = [values.order(seed, epoch)[np.arange(96)].tolist() for seed in (0, 1) for epoch in (0, 1)]
    assert all(sorted(order) == list(range(96)) for order in orders)
    assert len(set(map(tuple, orders))) == 4
    assert orders[1] == values.order(0, 1)[np.arange(96)].tolist()


def test_the_first_test_rows_are_from_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("iwax.data.block_order.BUFFER", 16)
    values = data.load(written(tmp_path / "s", TABLE, shards=6), on_disk=True).test.values
    ascending = np.sort(values.numbers)
    assert sorted(values.numbers) == ascending.tolist()
    assert values.numbers.tolist() != ascending.tolist()


def test_a_group_is_decoded_once_a_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    source = data.load(written(tmp_path / "s", TABLE, shards=3), on_disk=True).train.values.source
    monkeypatch.setattr("iwax.data.block_shards.BUFFER", 9 * 16)
    source.latest.clear()
    read, real = [], type(source).read
    monkeypatch.setattr(type(source), "read", lambda self, *at: read.append(at) or real(self, *at))
    for first in range(0, ROWS, 5):
        source.take(np.arange(first, first + 5))
    assert read == sorted(set(read))
    assert len(source.latest) <= 3


def test_arrays_in_npz_files(tmp_path: Path):
    x = RANDOM.integers(0, 256, (30, 2, 2), np.uint8)
    for i, part in enumerate(np.split(x, [7, 20])):
        np.savez_compressed(tmp_path / f"{i}.npz", x=part)
    found = data.load(tmp_path, on_disk=True)
    assert (found.kind, found.shape) == ("grey", (2, 2))
    np.testing.assert_array_equal(in_file_order(found), x.reshape(30, 4))
    np.testing.assert_array_equal(data.load(tmp_path).test.values, np.asarray(found.test.values))


def test_labels_in_npz_files_go_with_their_rows(tmp_path: Path):
    x, y = RANDOM.integers(0, 256, (30, 4), np.uint8), np.arange(30)
    x[:, 0] = y
    for i, part in enumerate(np.split(np.arange(30), [7, 20])):
        np.savez(tmp_path / f"{i}.npz", x=x[part], y=y[part])
    for found in (data.load(tmp_path, on_disk=True), data.load(tmp_path)):
        for split in found.splits().values():
            np.testing.assert_array_equal(split.labels, np.asarray(split.values)[:, 0])
    np.savez(tmp_path / "1.npz", x=x[7:20])
    with pytest.raises(ValueError, match=r"1.npz: needed rows .* with labels y, as in 0.npz; got rows .* without"):
        data.load(tmp_path, on_disk=True)
    np.savez(tmp_path / "1.npz", x=x[7:20], y=y[:3])
    with pytest.raises(
        ValueError, match=r"1.npz\[y\]: needed one whole number per row, shape \(13,\); got int64 \(3,\)"
    ):
        data.load(tmp_path, on_disk=True)


def test_shards_are_opened_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What is kept of a file is its shape: the arrays of all of them may not fit in memory."""
    held: list[weakref.ref[np.ndarray]] = []
    for i in range(4):
        np.savez(tmp_path / f"{i}.npz", x=np.full((5, 3), i, np.uint8))

    def reading(path: Path, *, name: str) -> dict[str, np.ndarray]:
        assert sum(each() is not None for each in held) <= 1  # that of the file before
        found = read_npz(path, name=name)
        held.extend(map(weakref.ref, found.values()))
        return found

    monkeypatch.setattr("iwax.data.block_shards.read_npz", reading)
    NpzShards([tmp_path / f"{i}.npz" for i in range(4)], name="x")
    assert len(held) == 4


def test_bad_shards_are_refused_by_name(tmp_path: Path):
    folder = written(tmp_path / "s", TABLE, shards=3)
    last = folder / "part-02.parquet"
    good = pq.read_table(last)

    def refused(table, words: str) -> None:
        pq.write_table(table, last)
        with pytest.raises(ValueError, match=words):
            data.load(folder, on_disk=True)

    refused(good.drop_columns("town"), r"part-02\.parquet: needed the columns of part-00\.parquet.*got 'town' as none")
    refused(good.slice(0, 0), r"part-02\.parquet: needed at least one row")
    texts = pa.array(["x"] * len(good))
    refused(good.set_column(0, "size", texts), r"part-02\.parquet: needed the columns.*'size' as string, there double")
    halves = good.set_column(0, "size", pa.array([float("inf")] * len(good)))
    refused(halves, r"inf")
    last.write_bytes(b"PAR1 and no more")
    with pytest.raises(ValueError, match=r"part-02\.parquet: needed a whole Parquet file"):
        data.load(folder, on_disk=True)


def test_a_shard_that_changes_is_refused_when_it_is_read(tmp_path: Path):
    folder = written(tmp_path / "s", TABLE, shards=3)
    values = data.load(folder, on_disk=True).train.values
    values.source.latest.clear()
    pq.write_table(pq.read_table(folder / "part-01.parquet"), folder / "part-01.parquet", compression="none")
    with pytest.raises(ValueError, match=r"part-01\.parquet: it has changed since it was opened"):
        np.asarray(values)


def test_groups_that_are_too_large_are_refused_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("iwax.data.block_shards.LARGEST", 100)
    with pytest.raises(ValueError, match=r"at most 100 bytes; got 144 bytes; write it in groups of at most 6 rows"):
        data.load(written(tmp_path / "s", TABLE, shards=3), on_disk=True)
