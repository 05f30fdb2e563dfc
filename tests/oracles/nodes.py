"""Tests of the suite run by a check of the scorecard, in a process of their own: what they measure is the check."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def passed(*nodes: str, seconds: float = 1200) -> str:
    """Run these nodes, the slow ones too; says how many passed, and fails with pytest's last words unless all did."""
    command = [sys.executable, "-m", "pytest", "-q", "-m", "slow or not slow", "-p", "no:cacheprovider", *nodes]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    found = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=seconds, check=False
    )
    last = found.stdout.strip().splitlines()[-1] if found.stdout.strip() else found.stderr[-500:]
    assert found.returncode == 0, found.stdout[-3000:] + found.stderr[-1000:]
    files = sorted({Path(node.split("::")[0]).name for node in nodes})
    return f"{re.search(r'[0-9]+', last)[0]} tests of {', '.join(files)}"
