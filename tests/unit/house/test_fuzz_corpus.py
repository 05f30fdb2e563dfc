"""The corpus of fuzzing, replayed: whatever once broke a reader of files, or took it to new code (tests/fuzz)."""

from pathlib import Path

import pytest
from fuzz_targets import TARGETS, enter

from iwax import data

CORPUS = Path(__file__).parents[2] / "fuzz" / "corpus"
SMALL = 4096  # bytes


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_takes_or_refuses_every_input_of_its_corpus(target, tmp_path):
    taken = []
    for path in sorted((CORPUS / target).iterdir()):
        folder = tmp_path / path.name
        folder.mkdir()
        taken.append(enter(target, path.read_bytes(), folder))
        assert path.stat().st_size <= SMALL
    assert any(taken)  # at least one good one: what is refused at the door tests no more than the door


def test_what_is_no_refusal_of_ours_is_a_find(tmp_path, monkeypatch):
    """Errors of Python's, of libraries, and of our kind but not from a raise statement of ours."""
    for wrong in (lambda path: float("x"), lambda path: {}["x"], lambda path: int("1_", 10)):
        monkeypatch.setattr(data, "load", wrong)
        with pytest.raises((AssertionError, KeyError)):
            enter("csv", b"", tmp_path)
