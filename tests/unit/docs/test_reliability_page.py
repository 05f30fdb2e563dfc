"""The scorecard of docs/reference/reliability.md: a whole table, and a count that is that of its rows."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "reference" / "reliability.md"
VERDICTS = {"PASS", "FAIL", "NOT THERE"}


@pytest.fixture(scope="module")
def scorecard() -> ModuleType:
    """The file that writes the table."""
    spec = importlib.util.spec_from_file_location("scorecard", ROOT / "tests" / "scorecard" / "conftest.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def table(page: Path, scorecard: ModuleType) -> tuple[int, list[list[str]]]:
    """How many checks are said to pass, and the cells of every row."""
    before, inside, after = re.split(f"{scorecard.BEGIN}|{scorecard.END}", page.read_text(encoding="utf-8"))
    assert before.strip()
    assert after.strip()
    found = re.fullmatch(r"\n+\*\*(\d+) of (\d+) checks pass\.\*\*\n\n((?:\|.*\|\n)+)\n*", inside)
    assert found
    assert int(found[2]) == scorecard.CHECKS
    lines = found[3].splitlines()
    assert tuple(lines[:2]) == scorecard.HEAD
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]
    return int(found[1]), cells


def test_the_count_of_the_page_is_that_of_its_rows(scorecard):
    passed, rows = table(PAGE, scorecard)
    names = [row[0] for row in rows]
    assert [row for row in rows if len(row) != 5 or row[3] not in VERDICTS or (row[3] == "PASS" and not row[4])] == []
    assert names == sorted(set(names), key=scorecard._place)
    assert passed == sum(row[3] == "PASS" for row in rows)
    assert len(rows) <= scorecard.CHECKS


def test_rows_that_were_not_run_stay_as_they_were(scorecard, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"above\n{scorecard.BEGIN}\n{scorecard.END}\nbelow\n")
    scorecard.write(page, {"S1": "| S1 | a | b | PASS | 0 |", "F2": "| F2 | a | b | FAIL | 3 |"})
    scorecard.write(page, {"F2": "| F2 | a | b | PASS | 4 |", "F10": "| F10 | a | b | NOT THERE | no tmpfs |"})
    passed, rows = table(page, scorecard)
    assert passed == 2
    assert [" ".join(row[::4]) for row in rows] == ["F2 4", "F10 no tmpfs", "S1 0"]


def test_every_test_that_the_scorecard_names_exists():
    """Named in full, as ``test_file.py::test_name``: a renamed test would else be missed until the next release."""
    tests = {path.name: path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py")}
    named = [
        match
        for path in (ROOT / "tests" / "scorecard").glob("*.py")
        for match in re.findall(r"(test_\w+\.py)::(test_\w+)", path.read_text("utf-8"))
    ]
    assert len(named) > 10
    assert [f"{file}::{name}" for file, name in named if f"def {name}(" not in tests.get(file, "")] == []
