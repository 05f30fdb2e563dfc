"""What checks of the scorecard share: tests of the project run from another, and words of what is wrong."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]


def ran(*names: str) -> tuple[Counter[str], str]:
    """Run tests of the project in a process of their own: how many passed, failed, were skipped, and what was said."""
    command = [sys.executable, "-m", "pytest", "-q", "-rs", "-m", "slow or not slow", *names]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)
    counts = Counter({word: int(n) for n, word in re.findall(r"(\d+) (passed|failed|skipped|error)", done.stdout)})
    return counts, done.stdout[-2000:]


def named(wrong: list) -> str:
    """The first words of what is wrong, for the figure."""
    return f"; not so: {', '.join(' '.join(map(str, each[:2])) for each in wrong[:8])}" if wrong else ""
