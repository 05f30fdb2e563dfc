"""`iwax doctor --self-check`: what holds, what fails (reported, and the exit code), what is not here."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from iwax.cli import main
from iwax.cli.self_check import audit, checks
from iwax.cli.self_check.check import Check, Finding, NotHere, measured

QUICK = {"F1", "F4", "F5", "F8", "S3", "U1", "T9"}


@pytest.fixture
def doctor(capsys, monkeypatch, tmp_path):
    """Run the verb with these checks, in an empty folder: its exit code, the document, stderr."""

    def run(*chosen: Check) -> tuple[int, dict, str]:
        monkeypatch.setattr(checks, "CHECKS", chosen)
        monkeypatch.chdir(tmp_path)
        with pytest.raises(SystemExit) as left:
            main(["--json", "doctor", "--self-check"])
        captured = capsys.readouterr()
        assert list(tmp_path.iterdir()) == []  # nothing is left of what was tried
        return int(left.value.code or 0), json.loads(captured.out), captured.err

    return run


def test_checks_of_files_and_numbers_hold_here(doctor):
    chosen = [check for check in checks.CHECKS if check.id in QUICK]
    code, found, _ = doctor(*chosen)
    rows = found["self_check"]
    assert [row["id"] for row in rows] == [check.id for check in chosen]
    assert {row["verdict"] for row in rows} <= {"PASS", "not here"}, rows
    assert all(row["figure"] and row["seconds"] >= 0 for row in rows)
    assert code == 0


def test_every_check_has_an_id_of_the_scorecard_once():
    names = [check.id for check in checks.CHECKS]
    assert len(names) == len(set(names)) == 19
    assert all(name[0] in "FIUSTPL" and name[1:].isdigit() for name in names)


def test_what_fails_is_reported_and_is_the_exit_code(doctor):
    def broken(folder: Path) -> Finding:
        raise OSError(5, "Input/output error")

    def absent(folder: Path) -> Finding:
        raise NotHere("one device")

    code, found, message = doctor(
        Check("U1", "sums", lambda folder: Finding(False, "off by 3 nats")),
        Check("F1", "renames", broken),
        Check("P2", "devices", absent),
    )
    verdicts = {row["id"]: (row["verdict"], row["figure"]) for row in found["self_check"]}
    assert verdicts == {
        "U1": ("FAIL", "off by 3 nats"),
        "F1": ("FAIL", "OSError: [Errno 5] Input/output error"),
        "P2": ("not here", "one device"),
    }
    assert code == 1
    assert "2 of 3 checks fail on this machine: U1 (off by 3 nats); F1 (OSError" in message


def test_a_program_that_is_started_is_seen_and_only_while_watched():
    with audit.watched() as events:
        os.system("true")  # noqa: S605
    os.system("true")  # noqa: S605
    assert events == ["os.system"]


def test_a_change_that_is_not_noticed_is_a_failure(tmp_path, monkeypatch):
    """The check of damaged checkpoints, where reading one never fails."""
    (check,) = (check for check in checks.CHECKS if check.id == "F5")
    monkeypatch.setattr("iwax.cli.self_check.files._load", lambda path: np.ones(3))
    assert measured(check, tmp_path)["verdict"] == "FAIL"
