"""Small run folders made by the program itself, what they hold, and processes that end at a chosen moment of them."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from oracles.forked_program import Program

TINY = (
    *("--set", "model.hidden=[4]", "--set", "model.latent=2", "--set", "objective.k=2", "--set", "training.batch=7"),
    *("--set", "training.validate_every=2", "--set", "training.checkpoint_seconds=0", "--set", "evaluation.k=20"),
    *("--set", "objective.beta_warmup=3", "--quiet"),
)

# Python that runs in a process before the program and ends it, as kill -9 does, at the nth event of Python's audit
# whose arguments hold a word; or makes each such event slow.
AT_AN_EVENT = """
import os, signal, sys, time
kind, word, count, pause = {moment!r}
seen = 0
def hook(event, arguments):
    global seen
    if event == kind and any(word in str(each) for each in arguments):
        seen += 1
        if pause:
            time.sleep(pause)
        elif seen == count:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(hook)
"""


def killed_at(event: str, word: str, count: int = 1) -> str:
    """Python that ends its process where this event would come for the nth time."""
    return AT_AN_EVENT.format(moment=(event, word, count, 0.0))


def slowed_at(event: str, word: str, seconds: float) -> str:
    """Python that makes each of these events wait."""
    return AT_AN_EVENT.format(moment=(event, word, 0, seconds))


def binary_rows(folder: Path, rows: int = 100, columns: int = 6) -> Path:
    """A file of zeros and ones."""
    path = folder / "rows.npy"
    np.save(path, np.random.default_rng(0).integers(0, 2, (rows, columns), np.uint8))
    return path


def table(folder: Path, rows: int = 80) -> Path:
    """A table of three kinds of columns, with missing cells."""
    chance = np.random.default_rng(1)
    lines = ["height,count,colour"]
    for _ in range(rows):
        cells = [f"{chance.normal():.3f}", str(chance.poisson(3)), str(chance.choice(["red", "green", "blue"]))]
        cells = ["" if chance.random() < 0.1 else cell for cell in cells]
        lines.append(",".join(cells) if any(cells) else "0.5,1,red")
    path = folder / "table.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def trained(program: Program, data: Path, output: Path, *more: object, epochs: int = 4) -> Path:
    """A run of the program on these data."""
    done = program.iwax("train", data, *TINY, "--epochs", epochs, "--output", output, *more, cwd=output.parent)
    if done.code != 0:
        raise RuntimeError(f"the run was not made: {done.err[-500:]}")
    return output


def copied(run: Path, to: Path) -> Path:
    """A copy of a run, to be spoilt, in place of one that may be there."""
    shutil.rmtree(to, ignore_errors=True)
    return Path(shutil.copytree(run, to, symlinks=True))


def content(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder, and where every link leads, by path."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            found[str(path.relative_to(folder))] = f"-> {path.readlink()}"
        elif path.is_file():
            found[str(path.relative_to(folder))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def learned(run: Path) -> dict[str, Any]:
    """What must not depend on what happened to a run: its metrics, the bytes of its checkpoints, log p(x) by row."""
    files = [run / "metrics.jsonl", *sorted((run / "checkpoints").rglob("*.*"))]
    found: dict[str, Any] = {str(file.relative_to(run)): file.read_bytes() for file in files if file.is_file()}
    for file in sorted((run / "evaluation").glob("*.npz")):
        with np.load(file) as columns:
            found[file.name] = {name: columns[name].tobytes() for name in columns.files if name != "seconds"}
    return found


def epochs_out_of_place(run: Path) -> list[int]:
    """Epochs that metrics.jsonl has twice or in another place than their own."""
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    epochs = [row["epoch"] for row in rows]
    return [epoch for place, epoch in enumerate(epochs, start=1) if epoch != place]
