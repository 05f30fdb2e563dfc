"""The report of a run as a file."""

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

from iwax import writable
from iwax.report.page import LARGEST, compose
from iwax.runs import Run
from iwax.runs.folder import LOCK
from iwax.storage import durable
from iwax.storage.sealed import Sealed

__all__ = ["NAME", "write"]

NAME = "report.html"
Say = Callable[[str], None]


def _silent(_: str) -> None:
    """Progress is not shown."""


def _warn(text: str) -> None:
    warnings.warn(text, UserWarning, stacklevel=3)


def write(
    run: Run | str | Path | Sequence[Run | str | Path],
    path: str | Path | None = None,
    *,
    data_path: str | Path | None = None,
    fallback: bool = False,
    overwrite: bool = False,
    note: Say = _silent,
    warn: Say = _warn,
) -> Path:
    """Write one HTML file that shows what a run has learned and whether to believe the number, and return its path.

    The file is report.html in the run folder unless ``path`` is given. Several runs on the same data stand side by
    side, with paired differences, in report.html of the current folder. Numbers are those of the run's evaluation/
    folder, pictures are drawn now. Of runs given by their paths, the data are looked for as `runs.open_run` does with
    ``data_path`` and ``fallback``. ``note`` gets what is being done, ``warn`` what a reader should know.

    Raises FileExistsError where there is a file already, unless ``overwrite``; ValueError for runs on different data,
    naming both protocols, and for data that have changed; CorruptCheckpointError for what is stored and damaged; and
    FileNotFoundError where there is no run, or its data are nowhere.
    """
    runs = [run] if isinstance(run, Run | str | Path) else list(run)
    first = Path(runs[0])
    target = Path(path) if path is not None else first / NAME if len(runs) == 1 else Path(NAME)
    writable.check(target, what="report")
    if target.exists() and not overwrite:
        raise FileExistsError(f"{target} exists already; name another file, or overwrite it: overwrite=True")
    for each in runs:
        opened = each if isinstance(each, Run) else Run(each)
        if opened.about.graph is not None:
            raise ValueError(
                f"run {each} is of a graph, of which there is no page yet: its pictures are in "
                f"{Path(each) / 'samples'}, and iwax links and iwax embed give links and nodes"
            )
        if Sealed(Path(each)).files.kind(LOCK):
            warn(f"{each} is at work, or was stopped: write the report again when it is done")
    document = compose(runs, data_path=data_path, fallback=fallback, note=note, warn=warn).encode()
    if len(document) > LARGEST:
        warn(f"{target} has {len(document):,} bytes, more than the {LARGEST:,} that a mail can take")
    if target == first / NAME:  # in the run folder itself, which says what its files are
        Sealed(first).write({NAME: document})
    else:
        durable.replace(target, document)
    return target
