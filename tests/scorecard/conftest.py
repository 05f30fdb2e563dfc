"""The reliability scorecard: 46 checks in six families, each a test that says its figure.

    pytest -m scorecard tests/scorecard                                  every check, and a table at the end
    pytest -m scorecard tests/scorecard/test_faults.py                   one family
    IWAX_SCORECARD=docs/reference/reliability.md pytest -m scorecard tests/scorecard    the table written into the page

A check is marked ``scorecard(id, what, line)`` and tells what it measured by the fixture ``figure``. Several tests may
share an id: the check passes where all of them do. A skipped test is a check that is not there, with its reason. Rows
of checks that were not run stay in the page as they were.
"""

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from oracles import run_folders
from oracles.forked_program import Program

ORDER = "FIUSTPL"  # faults, input, numerics, security, statistics, reproducibility, long runs
CHECKS = 46
BEGIN, END = "<!-- scorecard: begin -->", "<!-- scorecard: end -->"
HEAD = ("| id | check | pass line | verdict | figure |", "|---|---|---|---|---|")


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Say what was measured, in one short phrase: it stands in the table, whether the check passes or not."""
    return lambda text: request.node.user_properties.append(("figure", text))


@pytest.fixture(scope="session")
def program() -> Iterator[Program]:
    """Processes that have imported iwax."""
    with Program() as begun:
        yield begun


@pytest.fixture(scope="session")
def whole(program: Program, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of binary rows that nothing happened to, to be copied and not to be touched."""
    folder = tmp_path_factory.mktemp("whole")
    return run_folders.trained(program, run_folders.binary_rows(folder), folder / "run")


@pytest.fixture(scope="session")
def whole_table(program: Program, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same of a table with missing cells."""
    folder = tmp_path_factory.mktemp("table")
    return run_folders.trained(program, run_folders.table(folder), folder / "run", epochs=2)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Have the mark travel with the result, from whichever process ran it."""
    mark = item.get_closest_marker("scorecard")
    if mark is not None:
        item.user_properties.append(("check", mark.args))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table, and write it into the page that IWAX_SCORECARD names."""
    rows = _rows(terminalreporter)
    if not rows:
        return
    terminalreporter.section("scorecard")
    for name in sorted(rows, key=_place):
        terminalreporter.write_line(rows[name])
    passed = sum("| PASS |" in row for row in rows.values())
    terminalreporter.write_line(f"{passed} of {len(rows)} checks pass")
    if page := os.environ.get("IWAX_SCORECARD"):
        write(Path(page), rows)


def _rows(reporter: pytest.TerminalReporter) -> dict[str, str]:
    """A line of the table for each check that was run."""
    verdicts, figures, words = defaultdict(list), defaultdict(list), {}
    for kind, word in (("passed", "PASS"), ("failed", "FAIL"), ("error", "FAIL"), ("skipped", "NOT THERE")):
        for report in reporter.getreports(kind):
            properties = dict(report.user_properties)
            if "check" not in properties or (kind == "passed" and report.when != "call"):
                continue
            name, what, line = properties["check"]
            words[name] = (what, line)
            verdicts[name].append(word)
            figures[name] += [text for key, text in report.user_properties if key == "figure"]
            if kind == "skipped":
                figures[name].append(str(report.longrepr[2]).removeprefix("Skipped: "))
    return {
        name: f"| {name} | {what} | {line} | {_worst(verdicts[name])} | {'; '.join(figures[name])} |"
        for name, (what, line) in words.items()
    }


def _worst(verdicts: list[str]) -> str:
    return next(word for word in ("FAIL", "NOT THERE", "PASS") if word in verdicts)


def _place(name: str) -> tuple[int, int]:
    return ORDER.index(name[0]), int(name[1:])


def write(page: Path, rows: dict[str, str]) -> None:
    """Put rows into the page's table, between its two marks, beside those that it has of other checks."""
    text = page.read_text(encoding="utf-8")
    before, inside, after = re.split(f"{BEGIN}|{END}", text)
    kept = {line.split("|")[1].strip(): line for line in inside.splitlines() if re.match(r"\| [A-Z][0-9]+ \|", line)}
    table = {**kept, **rows}
    passed = sum("| PASS |" in row for row in table.values())
    lines = [*HEAD, *(table[name] for name in sorted(table, key=_place))]
    body = f"\n**{passed} of {CHECKS} checks pass.**\n\n" + "\n".join(lines) + "\n"
    page.write_text(f"{before}{BEGIN}\n{body}\n{END}{after}", encoding="utf-8")
