"""Records: rows come back exactly, and a resumed run starts from the rows its checkpoint knew."""

import errno
import hashlib
import itertools
import json
import math
import resource

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iwax.storage import record, strict_json
from iwax.storage.checkpoint import CorruptCheckpointError


def write(path, steps):
    with record.Record(path) as rows:
        for step in steps:
            rows.write({"step": step, "bound": -100.0 + step})


def test_a_curve_of_a_long_record_takes_few_of_its_rows(tmp_path):
    """First and last rows, evenly spaced ones between them, and of the validations as many, wherever they stand."""
    path = tmp_path / "metrics.jsonl"
    rows = [{"step": i, "bound": float(i)} | ({"validation": 0.5 * i} if i % 7 == 3 else {}) for i in range(5_000)]
    path.write_bytes(b"".join(map(strict_json.line, rows)) + b'{"torn')
    assert record.thinned(path.read_bytes(), path=path) == record.read(path)
    found = record.thinned(path.read_bytes(), path=path, most=100)
    of_validation = [row for row in found if "validation" in row]
    plain = [row for row in found if "validation" not in row]
    assert 50 <= len(plain) <= 101
    assert 50 <= len(of_validation) <= 101
    assert [plain[0], plain[-1], of_validation[-1]] == [rows[0], rows[4_999], rows[4_994]]
    assert {b["step"] - a["step"] for a, b in itertools.pairwise(of_validation[:-1])} == {56}
    assert all(row == rows[row["step"]] for row in found)
    path.write_bytes(path.read_bytes().replace(b'{"step": 0,', b'{"step"; 0,'))
    with pytest.raises(CorruptCheckpointError, match=r"metrics\.jsonl:1"):
        record.thinned(path.read_bytes(), path=path, most=100)


@given(
    st.dictionaries(st.text(), st.none() | st.booleans() | st.floats() | st.text() | st.integers(-(2**63), 2**63 - 1))
)
def test_a_line_means_what_it_says(row):
    text = strict_json.line(row)
    assert text == strict_json.line(row)
    assert text.count(b"\n") == 1
    expected = {name: None if isinstance(v, float) and not math.isfinite(v) else v for name, v in row.items()}
    assert strict_json.parse(text) == expected


def test_rows_come_back_exactly_and_in_order(tmp_path):
    path = tmp_path / "metrics.jsonl"
    rows = [{"step": 1, "bound": -88.123456789012345, "x": np.float32(0.1)}, {"step": 2, "bound": float("nan")}]
    with record.Record(path) as file:
        for row in rows:
            file.write(row)
    expected = [{"step": 1, "bound": -88.123456789012345, "x": float(np.float32(0.1))}, {"step": 2, "bound": None}]
    assert record.read(path) == expected
    assert path.read_text().splitlines()[0].startswith('{"step": 1, "bound": -88.12345678901235, ')
    assert record.read(tmp_path / "none.jsonl") == []


def test_appending_goes_on_after_the_last_whole_row(tmp_path):
    path = tmp_path / "metrics.jsonl"
    write(path, [1, 2])
    with open(path, "ab") as file:
        file.write(b'{"step": 3, "bo')
    assert [row["step"] for row in record.read(path)] == [1, 2]
    write(path, [3])
    assert [row["step"] for row in record.read(path)] == [1, 2, 3]


def test_a_row_is_there_for_readers_at_once(tmp_path):
    with record.Record(tmp_path / "metrics.jsonl") as rows:
        rows.write({"step": 1})
        assert record.read(rows.path) == [{"step": 1}]


@pytest.mark.parametrize("row", [{}, {"step": 1.0}, {"step": True}, {"step": -1}, {"step": None}])
def test_every_row_has_a_step(tmp_path, row):
    with record.Record(tmp_path / "metrics.jsonl") as rows, pytest.raises(ValueError, match='"step"'):
        rows.write(row)


def test_values_that_are_not_plain_are_refused_by_name(tmp_path):
    with record.Record(tmp_path / "metrics.jsonl") as rows, pytest.raises(TypeError, match="bound must be"):
        rows.write({"step": 1, "bound": np.zeros(2)})
    assert record.read(tmp_path / "metrics.jsonl") == []


def test_truncating_drops_later_rows_and_a_torn_line(tmp_path):
    path = tmp_path / "metrics.jsonl"
    write(path, [1, 2, 3, 4])
    lines = path.read_bytes().splitlines(keepends=True)
    with open(path, "ab") as file:
        file.write(b'{"step"')
    assert record.truncate(path, 2) == 2
    assert path.read_bytes() == b"".join(lines[:2])
    before = path.stat().st_ino
    assert record.truncate(path, 2) == 0
    assert path.stat().st_ino == before
    assert record.truncate(path, 0) == 2
    assert path.read_bytes() == b""
    assert record.truncate(tmp_path / "none.jsonl", 3) == 0
    assert [file.name for file in tmp_path.iterdir()] == ["metrics.jsonl"]


def test_a_resumed_record_equals_an_uninterrupted_one(tmp_path):
    whole, cut = tmp_path / "whole.jsonl", tmp_path / "cut.jsonl"
    write(whole, range(10))
    write(cut, range(6))
    with open(cut, "ab") as file:
        file.write(b'{"st')
    assert record.truncate(cut, 4) == 1
    write(cut, range(5, 10))
    assert cut.read_bytes() == whole.read_bytes()


def test_the_state_of_a_record_is_that_of_its_bytes_and_does_not_depend_on_reopening(tmp_path):
    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    write(one, [1, 2])
    write(two, [1])
    write(two, [2])
    with record.Record(one) as first, record.Record(two) as second:
        assert first.sync() == second.sync() == (one.stat().st_size, hashlib.sha256(one.read_bytes()).hexdigest())


@pytest.mark.parametrize(
    "line",
    [
        "[1]",
        "{}",
        '{"step": 1',
        '{"step": NaN}',
        '{"step": 1, "step": 2}',
        '{"step": 1, "a": 1e999}',
        "[" * 100000,
        "\\xff",
    ],
)
def test_a_damaged_line_is_named(tmp_path, line):
    path = tmp_path / "metrics.jsonl"
    path.write_text(f'{{"step": 1}}\n{line}\n{{"step": 2}}\n')
    with pytest.raises(CorruptCheckpointError, match=r"metrics\.jsonl:2"):
        record.read(path)
    with pytest.raises(CorruptCheckpointError, match=r"metrics\.jsonl:2"):
        record.truncate(path, 1)


def test_a_full_disk_leaves_whole_rows(tmp_path):
    path = tmp_path / "metrics.jsonl"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with record.Record(path) as rows:
        rows.write({"step": 1})
        resource.setrlimit(resource.RLIMIT_FSIZE, (20, hard))
        try:
            with pytest.raises(OSError, match=r"metrics\.jsonl: needed 13 bytes, \d+ bytes free") as caught:
                rows.write({"step": 12})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert caught.value.errno == errno.ENOSPC
        rows.write({"step": 3})
    assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == [1, 3]
