"""The README does what it says: its commands are one line each, and its Python runs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")


def sections() -> dict[str, str]:
    """The text of each section, by its title."""
    parts = re.split(r"^## (.+)$", README, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


@pytest.mark.parametrize("title", ["Run it", "Test it"])
def test_a_section_opens_with_one_command(title):
    """Continuous integration extracts the second of them, and a newcomer copies them."""
    opening = re.match(r"\n+```sh\n([^\n]+)\n```\n", sections()[title])
    assert opening, "the section must open with a fenced sh block of one line"
    assert opening[1].startswith("python3 -m venv ")


def test_the_python_runs():
    """The longer block of Python as printed, but for its epochs and draws; test_guides.py runs both."""
    first, block = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(first.splitlines()) <= 6
    assert len(block.splitlines()) <= 20
    small = re.sub(r"epochs=\d+", "epochs=1", re.sub(r"\bk=\d+", "k=20", block))
    done = subprocess.run([sys.executable, "-c", small], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert re.match(r"log p\(x\) = -\d+\.\d\d \+/- \d\.\d\d nats", done.stdout)
