"""Rows of several files, of patterns, or of one by an engine: results block by block in a folder, for three verbs."""

import glob
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from iwax.cli.arguments import argument, option
from iwax.cli.later import later
from iwax.cli.terminal import Terminal

with later():
    from iwax import blocks
    from iwax.cli import reporter as progress
    from iwax.cli import trained

__all__ = ["Address", "BlockRows", "Engine", "Files", "Several", "Workers"]

ENGINES = ("process", "ray")

Files = Annotated[
    list[Path],
    argument(
        "FILE...",
        "Rows to work on: .npy, .npz, .csv, .tsv, .parquet, a folder or zip of pictures; several, or 'part-*.parquet'.",
    ),
]
Engine = Annotated[
    str | None,
    option("--engine", "process|ray", "Who computes: this process, or workers of Ray (pip install 'iwax[ray]')."),
]
Address = Annotated[
    str | None, option("--address", "HOST:PORT", "A Ray to join, or auto. Default: one of our own, on this machine.")
]
Workers = Annotated[int | None, option("--workers", "N", "Workers of Ray (2).")]
BlockRows = Annotated[int, option("--block-rows", "N", "Rows of a .parquet that go to one file of results.")]


@dataclass(frozen=True)
class Several:
    """The run and the files of a verb, how they are worked on, and how the run is opened (``state``)."""

    run: Path
    files: list[Path]
    output: Path | None
    engine: str | None
    address: str | None
    workers: int | None
    rows: int
    force: bool
    devices: str | None
    state: dict[str, Any]

    @classmethod
    def of(cls, context: typer.Context) -> "Several":
        """What was given to a verb with these options."""
        given = context.params
        state = {name: given[name] for name in ("checkpoint", "fallback", "data_path") if name in given}
        engine = (given["engine"], given["address"], given["workers"], given["block_rows"])
        return cls(
            given["run"], list(given["files"] or ()), given["output"], *engine, given["force"], given["devices"], state
        )

    @property
    def asked(self) -> bool:
        """Whether results go to a folder: of several files, of a pattern, or by an engine."""
        patterns = any(glob.has_magic(str(file)) and not os.path.lexists(file) for file in self.files)
        return patterns or len(self.files) > 1 or (self.engine, self.address, self.workers) != (None, None, None)

    def apply(self, terminal: Terminal, task: "Callable[[], blocks.Task]") -> None:
        """Compute a task of all rows, and say what was done."""
        into = self._checked()
        files = blocks.matched(self.files)
        engine = blocks.OnRay(self.workers or 2, self.address) if self.engine == "ray" else blocks.Process()
        opening = trained.opened(self.run, devices=self.devices, **self.state)
        with opening as opened, progress.Reporter(terminal) as reporter:
            terminal.say(f"reading {len(files):,} files, to count their rows")
            how: dict[str, Any] = {"rows": self.rows, "engine": engine, "force": self.force, **self.state}
            found = blocks.apply(task(), opened, files, into, progress=reporter.evaluation, **how)
        if found.cells:
            terminal.say(f"{found.cells:,} of {found.rows * found.features:,} cells are missing")
        if found.refused:
            reason = f"; the first: {found.reason}" if found.reason else ""
            terminal.warn(f"{found.refused:,} rows have a cell that its column cannot hold, log p(x) = -inf{reason}")
        if found.unknown:
            of = f"{found.unknown:,} of {found.rows:,} rows"
            terminal.warn(f"the Monte-Carlo error of {of} is unknown; a larger --k helps, slowly")
        kept = f", {found.kept:,} of them before" if found.kept else ""
        terminal.say(f"wrote the results of {found.rows:,} rows to {found.blocks:,} files{kept}, in {into}")
        counts = {"blocks": found.blocks, "kept": found.kept, "unknown": found.unknown, "refused": found.refused}
        terminal.document({"n": found.rows, "files": [*map(str, files)], "folder": str(into), **counts})

    def _checked(self) -> Path:
        """The folder of the results. ValueError for what does not go together, before anything is opened."""
        if self.output is None:
            raise ValueError("-o FOLDER was needed, for a file of results of each block of rows")
        if self.engine not in (None, *ENGINES):
            raise ValueError(f"--engine must be one of {', '.join(ENGINES)}, got {self.engine!r}")
        if self.engine != "ray" and (self.address, self.workers) != (None, None):
            raise ValueError("--address and --workers are those of Ray: needed --engine ray")
        if self.engine == "ray" and self.devices is not None:
            raise ValueError(f"--devices are those of one process, and not with --engine ray; got {self.devices}")
        if self.rows < 1:
            raise ValueError(f"--block-rows must be 1 or more, got {self.rows}")
        return self.output
