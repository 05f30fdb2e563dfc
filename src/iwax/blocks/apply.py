"""A task applied to a table of many files, block by block: restartable, and the same bits whatever the blocks.

The value of a row depends on its number in the whole table and, in the last digits, on what else is computed with it.
So each file is read twice: once to count its rows and to see which cells are missing, then to compute. From the counts
every block gets its place in the table (`inference.place`), and its rows the values that they have in one file of all
rows, with any engine, number of workers, and size of blocks.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from iwax.blocks.folder import Folder
from iwax.blocks.plan import Part, SeenFile, observed_sets, parts_of
from iwax.blocks.process import Engine
from iwax.blocks.tasks import Task
from iwax.blocks.worker import Setup, Worker
from iwax.runs.run import Run
from iwax.storage import strict_json

__all__ = ["Applied", "apply"]

_FORMAT = "iwax blocks 1"
_VERSIONS = ("iwax", "jax", "jaxlib", "numpy")
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Applied:
    """What was done: numbers of rows and blocks, of ``kept`` ones that were whole already, and what is to be said.

    ``cells`` are missing of ``features`` in each row; of ``unknown`` rows the error is not known, and ``refused`` rows
    have a cell that its column cannot hold, the first for this ``reason``.
    """

    rows: int
    blocks: int
    kept: int
    cells: int
    features: int
    unknown: int
    refused: int
    reason: str


def apply(
    task: Task,
    run: Run,
    files: Sequence[Path],
    into: Path,
    *,
    rows: int,
    engine: Engine,
    force: bool = False,
    checkpoint: str = "best",
    fallback: bool = False,
    data_path: Path | None = None,
    progress: Progress,
) -> Applied:
    """Compute a task of all rows of ``files``, ``rows`` at once of a .parquet and else file by file.

    What is whole in the folder ``into`` is passed over. ``checkpoint``, ``fallback`` and ``data_path`` are those with
    which ``run`` was opened; ``progress(done, total)`` is called with rows. Raises ValueError for files that the run
    cannot take, FileExistsError for a folder with results of another run or other settings, and RuntimeError where a
    block is lacking in the end.
    """
    folder, state = Folder(into), {"checkpoint": checkpoint, "fallback": fallback}
    settings = _settings(task, run, rows, state)
    folder.check(settings, force=force)
    paths = [str(path.absolute()) for path in files]
    setup = Setup(
        run=str(run.path.absolute()),
        data=None if data_path is None else str(data_path.absolute()),
        task=task.settings,
        into=str(into.absolute()),
        rows=rows,
        checkpoint=checkpoint,
        fallback=fallback,
    )
    with folder.taken(settings, force=force), engine.running():
        seen = _looked_at(engine, setup, paths)
        parts = parts_of(seen, task.batches)
        folder.refuse_others(parts)
        Worker(setup).share(observed_sets(seen))
        said, kept = _computed(engine, setup, parts, folder, progress)
        folder.finish(settings, [{"file": f.file, "bytes": f.bytes, "sha256": f.sha256} for f in seen], parts)
    blocks = [block for file in seen for block in file.blocks]
    totals = {name: sum(each.get(name, 0) for each in said) for name in ("rows", "unknown", "refused")}
    reason = next((each["reason"] for each in said if each.get("reason")), "")
    cells = sum(block.cells for block in blocks)
    return Applied(blocks=len(parts), kept=kept, cells=cells, features=blocks[0].features, reason=reason, **totals)


def _settings(task: Task, run: Run, rows: int, state: Mapping[str, Any]) -> dict[str, Any]:
    """All that results depend on but the files, as plain values."""
    versions = {name: metadata.version(name) for name in _VERSIONS}
    found = {"format": _FORMAT, "run": _digest(run), "settings": task.settings | {"block_rows": rows}}
    if task.other_run is not None:
        found["background"] = _digest(Run(task.other_run, **state))
    return found | {"versions": versions}


def _digest(run: Run) -> str:
    """The SHA-256 of a trained model: of its configuration, and the seal of its checkpoint."""
    seal = hashlib.sha256((run.checkpoint / "manifest.json").read_bytes()).hexdigest()
    about = {"config": run.config.model_dump(mode="json"), "checkpoint": seal}
    return hashlib.sha256(strict_json.canonical(about)).hexdigest()


def _looked_at(engine: Engine, setup: Setup, paths: Sequence[str]) -> list[SeenFile]:
    found = {each["file"]: SeenFile.of(each) for each in engine.map(setup, [{"file": path} for path in paths])}
    return [found[path] for path in paths]


def _computed(
    engine: Engine, setup: Setup, parts: Sequence[Part], folder: Folder, progress: Progress
) -> tuple[list[dict[str, Any]], int]:
    """What is to be said of every block, in order, and how many were whole already. RuntimeError where one lacks."""
    total = sum(part.rows for part in parts)
    said = {part.output: {"rows": part.rows, **there} for part in parts if (there := folder.whole(part)) is not None}
    kept, done = len(said), sum(each["rows"] for each in said.values())
    progress(done, total)
    items = [{"part": part.record} for part in parts if part.output not in said]
    results: Iterator[dict[str, Any]] = engine.map(setup, items) if items else iter(())
    for each in results:
        said[each["output"]] = each
        done += each["rows"]
        progress(done, total)
    lacking = [part.output for part in parts if part.output not in said or said[part.output]["rows"] != part.rows]
    if lacking:
        raise RuntimeError(f"{len(lacking)} of {len(parts)} blocks are lacking, the first {lacking[0]}; begin again")
    return [said[part.output] for part in parts], kept
