"""The initial weights of a run where they are those of another: found, recorded, and announced."""

import re
import shlex
from pathlib import Path

from iwax.data import Dataset
from iwax.runs import run_data
from iwax.runs.environment import Start
from iwax.runs.reporter import Reporter
from iwax.runs.run import Run
from iwax.settings.config import Config
from iwax.storage import manifest
from iwax.storage.sealed import Sealed

__all__ = ["announce", "longer", "recorded", "source"]

WEIGHTS = "model.safetensors"


def source(config: Config, *, as_in: Run | None = None) -> Path | None:
    """The checkpoint whose weights are the start, if there is one; the very same that a run began `as_in`."""
    if config.start is None:
        return None
    if as_in is None:
        return Run(config.start, checkpoint=config.evaluation.checkpoint).checkpoint
    start = as_in.environment.start
    if start is not None:
        for place in run_data.candidates(config.start, run=as_in.path, recorded=start.run):
            path = place / "checkpoints" / Path(start.checkpoint).name
            if re.fullmatch(r"step-[0-9]+", path.name) and _is(path, start.sha256):
                return path
    raise ValueError(
        f"run {as_in.path}: the weights that it starts at were needed, {start.checkpoint if start else 'none'} of "
        f"run {config.start}, which are not there any more; begin a new run"
    )


def recorded(source: Path) -> Start:
    """What the run folder says of the checkpoint whose weights are the start."""
    run = run_data.portable(str(source.parent.parent))
    return Start(checkpoint=source.name, sha256=_digest(source), run=run)


def announce(folder: Sealed, dataset: Dataset, source: Path, reporter: Reporter) -> None:
    """Say whose weights a run starts at, and whether those were trained on other data."""
    run = source.parent.parent
    text = f"starts at the weights of {run} ({source.name})"
    if Run(run).about.sha256 != dataset.digest():
        text += ", which were trained on other data"
    folder.log(text)
    reporter.note(text)


def longer(run: Path, epochs: int | None = None) -> str:
    """The command that begins a new run at the weights of one, with all of its settings but the epochs.

    >>> longer(Path("runs/a"), 50)
    'a new run that starts at its weights: iwax train --from runs/a -c runs/a/config.json --epochs 50'
    """
    words = shlex.join(["iwax", "train", "--from", str(run), "-c", str(run / "config.json"), "--epochs"])
    return f"a new run that starts at its weights: {words} {epochs or 'N'}"


def _digest(path: Path) -> str:
    sealed = manifest.read(path)
    manifest.check(path, sealed, WEIGHTS)
    return sealed["files"][WEIGHTS]["sha256"]


def _is(path: Path, sha256: str) -> bool:
    try:
        return _digest(path) == sha256
    except (FileNotFoundError, manifest.CorruptCheckpointError):
        return False
