"""What damaged files are answered by: which file, which line, what was needed; never the bare words of a library."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from iwax import data
from iwax.cli import failure
from iwax.formats import images, npy
from iwax.report.view import measurements as measured
from iwax.runs import diagnosis, measurements
from iwax.runs.measurements import Measurement as Measured
from iwax.storage import record, strict_json
from iwax.storage.checkpoint import CorruptCheckpointError

SUMMARY = json.loads("""
{"active_units": [2], "bits_per_dim": 0.3, "checkpoint": "step-4", "data_sha256": "1212", "dataset": "mine",
"elbo": -4.5, "elbo_standard_error": 0.2, "ess_median": 3.0, "evaluation_seed": 0, "k": 5, "log_evidence": -4.2,
"method": "importance", "monte_carlo_error": 0.1, "n": 30, "name": null, "pareto_k_over_0_7": null,
"preset": "iwae-1-k5", "seed": 0, "seconds": 1.5, "shape": [8, 8], "split": "test",
"standard_error": 0.1, "start": null,
"units": [2], "warnings": ["few"]}
""")

# -- summaries and rows of a training, of a wrong type -------------------------------------------------------------


def test_a_summary_as_it_is_written_is_read(tmp_path):
    file = tmp_path / "a.json"
    file.write_bytes(strict_json.canonical(SUMMARY))
    assert measurements.parse(file.read_bytes(), path=file) == SUMMARY


WRONG = {"log_evidence": "x", "n": 30.0, "k": [5], "split": 3, "warnings": "few", "units": [2.5], "elbo": True}


@pytest.mark.parametrize("name", SUMMARY)
def test_a_value_of_a_wrong_type_is_named_with_its_line(tmp_path, name):
    file = tmp_path / "a.json"
    wrong = WRONG.get(name, {"an": "object"})
    file.write_bytes(strict_json.canonical(SUMMARY | {name: wrong}))
    line = next(i for i, text in enumerate(file.read_text().splitlines(), start=1) if f'"{name}"' in text)
    with pytest.raises(CorruptCheckpointError, match=rf"a\.json:{line}: needed .* under '{name}', got "):
        measurements.parse(file.read_bytes(), path=file)


@given(st.sampled_from(sorted(SUMMARY)), st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2), max_leaves=3,
))  # fmt: skip
def test_whatever_passes_can_be_printed(name, value):
    """As a report and a comparison print it: numbers by .2f, counts by commas, texts as such."""
    found, message = SUMMARY, ""
    try:
        found = measurements.parse(strict_json.canonical(SUMMARY | {name: value}), path=Path("a.json"))
    except CorruptCheckpointError as error:
        message = str(error)
    assert not message or f"under '{name}'" in message
    for each in ("log_evidence", "standard_error", "elbo", "monte_carlo_error", "ess_median"):
        assert found[each] is None or f"{found[each]:.2f}"
    assert f"{found['n']:,} {found['k'] or 0:,}"
    assert all(f"{each:d}" for each in found["active_units"])
    assert all(each.rstrip(".") is not None for each in found["warnings"])


@pytest.mark.parametrize("value", ["x", True, [1], {"a": 1}])
@pytest.mark.parametrize("name", record.NUMBERS)
def test_a_row_of_a_training_of_a_wrong_type_is_named_with_its_line(tmp_path, name, value):
    rows = [{"step": i, "epoch": i, "bound": -1.0, "validation": None} for i in range(1, 4)]
    rows[1][name] = value
    file = tmp_path / "metrics.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(CorruptCheckpointError, match=rf"metrics\.jsonl:2: needed a number or null under '{name}', got"):
        record.numeric(file.read_bytes(), path=file)


# -- rows that were measured, and data that are others -------------------------------------------------------------


def values(rows, **changed):
    columns = {name: np.zeros(len(rows)) for name in measured.COLUMNS} | {"rows": np.asarray(rows), **changed}
    return Measured(Path("test-k5.npz"), SUMMARY | {"n": len(rows)}, columns)


@pytest.fixture(scope="module")
def ring() -> data.Dataset:
    return data.load("ring")


@pytest.mark.parametrize("rows", [[0, 1, 10**6], [-1, 0], [3, 3], [0.0, 1.0], ["a", "b"]])
def test_rows_that_the_data_do_not_have_are_never_looked_up(ring, rows):
    size = len(ring.test.values)
    with pytest.raises(CorruptCheckpointError, match=rf"test-k5\.npz: needed numbers of test rows.* 0 to {size - 1}"):
        measured.check_rows(values(rows), ring)


def test_rows_of_a_split_that_there_is_not_are_named(ring):
    found = values([0, 1])
    found.summary["split"] = "exam"
    with pytest.raises(CorruptCheckpointError, match=r"test-k5\.json: needed rows of one of the splits train.*'exam'"):
        measured.check_rows(found, ring)


def test_rows_in_any_order_are_taken(ring):
    measured.check_rows(values([5, 0, len(ring.test.values) - 1]), ring)


def test_a_measurement_of_other_data_is_left_out_and_said_to_be():
    ours, theirs, old = {"data_sha256": "ab" * 32}, {"data_sha256": "cd" * 32}, {}
    found = [(Path("a.json"), ours), (Path("b.json"), theirs), (Path("c.json"), old)]
    saved, message = measured.of_these_data(found, sha256="ab" * 32)
    assert saved == [found[0], found[2]]
    assert message == ["b.json was left out: it was measured on other data (SHA-256 cdcdcdcdcdcd..., those of the run are abababababab...)"]  # fmt: skip  # noqa: E501


# -- archives and arrays -------------------------------------------------------------------------------------------


def refusal(read) -> str:
    """The words of a refusal, empty where there is none; any other kind of error fails the test by itself."""
    try:
        read()
    except ValueError as error:
        return str(error)
    return ""


def pictures(path: Path) -> bytes:
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(2):
            stream = io.BytesIO()
            Image.fromarray(np.full((2, 2), 50 * i, np.uint8)).save(stream, "PNG")
            archive.writestr(f"{i}.png", stream.getvalue())
    return path.read_bytes()


@pytest.mark.parametrize("kind", ["pictures", "npz"])
def test_every_flip_of_an_archive_is_answered_with_its_name(tmp_path, kind):
    path = tmp_path / "a.zip"
    if kind == "npz":
        np.savez(tmp_path / "a.npz", x=np.arange(4))
        whole = (tmp_path / "a.npz").read_bytes()
    else:
        whole = pictures(path)
    directory = 8 * whole.index(b"PK\x01\x02")
    for bit in [*range(0, directory, 7), *range(directory, 8 * len(whole))]:
        spoilt = bytearray(whole)
        spoilt[bit // 8] ^= 1 << bit % 8
        path.write_bytes(spoilt)
        message = refusal(lambda: npy.read_npz(path, name=str(path)) if kind == "npz" else images.read_images(path))
        assert message.startswith(str(path)) or not message, bit


def test_a_damaged_header_is_not_quoted(tmp_path):
    file = tmp_path / "x.npy"
    np.save(file, np.zeros((3, 2)))
    whole = file.read_bytes()
    for place in range(6, 128):
        for value in (0, 0x26, 0xFF):
            file.write_bytes(whole[:place] + bytes([value]) + whole[place + 1 :])
            message = refusal(lambda: npy.read_npy(file))
            assert message.startswith(f"{file}: ") or not message
            assert "descr" not in message
            assert len(message) < len(str(file)) + 200


# -- long names, and cells that are missing ------------------------------------------------------------------------


@given(st.integers(121, 600), st.sampled_from(["abc", "/x/", "ä"]))
def test_a_long_path_does_not_hide_the_reason(length, letters):
    path = (letters * length)[:length] + "/end.npy"
    text = failure.one_line(FileNotFoundError(2, "No such file or directory", path))
    assert text.endswith("/end.npy: No such file or directory")
    assert text.startswith(path[:40])
    assert len(text) < 160
    assert failure.one_line(ValueError(f"run {path}: is in use")).endswith("/end.npy: is in use")


@given(st.integers(1, 119))
def test_usual_paths_are_said_in_full(length):
    assert failure.one_line(ValueError(f"{'a' * length}: x")) == f"{'a' * length}: x"


def test_missing_cells_are_said_in_words_of_the_table(ring):
    x = np.zeros((5, 2), np.float32)
    diagnosis._check_whole(x, ring, "test")
    x[3, 1] = np.nan
    with pytest.raises(
        ValueError, match=r"of ring, 1 of 5 test rows have some, the first in test row 4, column 2 \(counted from 1\)"
    ):
        diagnosis._check_whole(x, ring, "test")
