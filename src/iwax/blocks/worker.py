"""What a worker does: opens the run once, reads blocks from their files, and writes what is computed of them."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from iwax.blocks.folder import Folder
from iwax.blocks.inputs import Block, blocks_of, digest
from iwax.blocks.plan import Part, Seen
from iwax.blocks.shared import Shared
from iwax.blocks.tasks import Read, Task, task_of
from iwax.runs.background import background_model
from iwax.runs.run import Run, open_run

__all__ = ["Setup", "Worker"]

_DEATHS = 3  # of workers at one block


class Setup(TypedDict):
    """All that a worker is told, plain values: paths are looked up where it runs."""

    run: str
    checkpoint: str
    fallback: bool
    data: str | None
    task: dict[str, Any]
    into: str
    rows: int


class Worker:
    """A worker, which may be one of many: a call is a file to be looked at, or a block to be computed."""

    def __init__(self, setup: Setup) -> None:
        self.setup, self.folder = setup, Folder(Path(setup["into"]))
        self.task: Task = task_of(setup["task"])

    def __call__(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """Do what an item asks for; results are plain values."""
        with self.run.placed():
            return self.compute(Part.of(item["part"])) if "part" in item else self.look(item["file"])

    @cached_property
    def run(self) -> Run:
        """The run."""
        data, state = self.setup["data"], {"fallback": self.setup["fallback"], "checkpoint": self.setup["checkpoint"]}
        return open_run(self.setup["run"], data_path=data, **state)

    @cached_property
    def shared(self) -> Shared:
        """What all blocks share."""
        found = Shared.load(self.folder.shared)
        if self.task.other_run is None:
            return found
        state = {"fallback": self.setup["fallback"], "checkpoint": self.setup["checkpoint"]}
        return replace(found, background=background_model(self.run, Path(self.task.other_run), **state))

    def share(self, sets: np.ndarray | None) -> None:
        """Estimate what all blocks share, unless that was done."""
        if self.folder.shared.is_file():
            moments = Shared.load(self.folder.shared).moments
            if sets is None or (moments is not None and np.array_equal(moments.sets[1:], sets)):
                return
        with self.run.placed():
            self.task.shared(self.run, sets).write(self.folder.shared)

    def look(self, file: str) -> dict[str, Any]:
        """Read every block of a file once: its rows, and of which kinds they are; known already where it is the same.

        Raises ValueError for rows that the run cannot take.
        """
        path = Path(file)
        size, sha256 = digest(path)
        known = self.folder.seen(path.name)
        if known is not None and (known.get("file"), known.get("sha256")) == (file, sha256):
            return known
        cut = self.setup["rows"] if self.run.about.columns is not None else None
        blocks = [self._seen(path, block) for block in blocks_of(path, cut)]
        found = {"file": file, "bytes": size, "sha256": sha256, "blocks": blocks}
        self.folder.add_seen(path.name, found)
        return found

    def _seen(self, path: Path, block: Block) -> dict[str, Any]:
        rows, output = self.task.read(self.run, path, block.span), block.name + self.task.ending(self.run, path)
        groups, sets = self.task.groups(self.run.model, rows), self.task.observed_sets(rows)
        digits = [] if sets is None else [marks.tobytes().hex() for marks in np.packbits(sets, axis=1)]
        missing = {name: bool(rows.missing[marks].any()) for name, marks in groups.items()}
        counts = {name: int(marks.sum()) for name, marks in groups.items()}
        cells = int(rows.missing.sum())
        return asdict(Seen(block.span, output, len(rows.x), counts, missing, cells, digits, rows.x.shape[1]))

    def compute(self, part: Part) -> dict[str, Any]:
        """Compute and write one block, unless that was done, and return what is to be said of it.

        Raises ValueError where its file has changed since it was looked at, or where workers keep dying at it.
        """
        said = self.folder.whole(part)
        if said is None:
            if (before := self.folder.begun(part)) >= _DEATHS:
                raise ValueError(
                    f"{part.file}: {before} workers have died at its block {part.output}, as where memory is not "
                    "enough; take fewer --workers or --block-rows, or give them more memory"
                )
            path = Path(part.file)
            rows: Read = self.task.read(self.run, path, part.span)
            size = path.stat().st_size if path.is_file() else part.bytes
            if (size, len(rows.x)) != (part.bytes, part.rows):
                raise ValueError(f"{path}: has changed while it was read; begin again with files that stay as they are")
            said = self.task.compute(self.run, rows, part.places, self.shared, self.folder.path / part.output)
            self.folder.add(part, said)
        return {"output": part.output, "rows": part.rows, **said}
