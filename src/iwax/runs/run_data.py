"""The data of a run: what is recorded of them, and how they are found again wherever the run folder lies."""

import os
from collections.abc import Sequence
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, Field

from iwax import data
from iwax.data import Column
from iwax.data.binarization import binarized
from iwax.data.dataset import Kind
from iwax.data.rows import Rows
from iwax.settings.config import Data
from iwax.streams import Bits

__all__ = ["DataRecord", "candidates", "find", "is_data", "portable", "record", "values"]

SPARE, ENTRY = 1 << 26, 1 << 10  # bytes of any data, and of a picture apart from its values
CELL, TEXT = 64, 4096  # bytes of a value in any format, and of a text in a column that was left out
ABOVE = 2  # folders above a run folder that are searched: a run is made in runs/ of the folder one works in


class GraphRecord(BaseModel):
    """The sizes of a graph: its nodes, what is known of each, and the share of pairs that are linked in training."""

    nodes: int = Field(ge=1, lt=2**31)
    features: int = Field(ge=0, lt=2**31)
    density: float = Field(gt=0, lt=1)


class DataRecord(BaseModel):
    """The data that a run began with; ``path`` is where they lay, None for a registered data set."""

    name: str
    protocol: str
    kind: Kind
    shape: tuple[Annotated[int, Field(ge=1, lt=2**31)], ...] = Field(min_length=1)
    rows: dict[str, int]
    sha256: str
    columns: tuple[Column, ...] | None = None
    path: str | None = None
    left_out: tuple[str, ...] | None = None  # of the table's columns, though no setting says so
    delimiter: str | None = None  # of a text table, as it showed it
    encoding: str | None = None
    graph: GraphRecord | None = None

    def written(self, dialect: data.Dialect) -> data.Dialect:
        """The dialect with the delimiter and the encoding that the table showed."""
        known = {"delimiter": self.delimiter, "encoding": self.encoding}
        return replace(dialect, **{name: word for name, word in known.items() if word is not None})

    @property
    def form(self) -> dict[str, Any]:
        """What a model needs to know of the data before it is read back."""
        return {"shape": self.shape, "columns": self.columns, "graph": self.graph}

    def refuse_rows(self, run: Path, file: str | Path) -> None:
        """Raise ValueError for rows of a file, of a run on a graph."""
        if self.graph is not None:
            raise ValueError(
                f"run {run} is of one graph, {self.name}, and takes no rows of a file; got {file}: iwax links and iwax "
                "embed give its links and nodes"
            )

    @property
    def features(self) -> int:
        """Values per row."""
        return prod(self.shape)

    @property
    def images(self) -> bool:
        """Whether rows are images."""
        return 2 <= len(self.shape) <= 3

    @property
    def noun(self) -> str:
        """What a row is called: an image, a graph, or a row."""
        return "graph" if self.graph else "image" if self.images else "row"

    @property
    def names(self) -> list[str]:
        """The names of the columns; x1, x2 ... where they have none."""
        return [column.name for column in self.columns or ()] or [f"x{j + 1}" for j in range(self.features)]


def record(dataset: data.Dataset, settings: Data) -> DataRecord:
    """What a run keeps of the data that it begins with; of a text table also how it is written."""
    path, dialect = portable(settings.name), data.Dialect()
    if path is not None and dataset.columns is not None:
        dialect = data.written_as(Path(settings.name).expanduser(), settings.dialect)
    return DataRecord(
        name=dataset.name,
        protocol=dataset.protocol,
        kind=dataset.kind,
        shape=dataset.shape,
        rows={part: len(rows) for part, rows in dataset.splits().items()},
        sha256=dataset.digest(),
        columns=dataset.columns,
        path=path,
        left_out=tuple(each.name for each in dataset.left_out) or None,
        delimiter=dialect.delimiter,
        encoding=dialect.encoding,
        graph=None if dataset.graph is None else _of_graph(dataset.graph),
    )


def _of_graph(graph: data.ListedGraph) -> GraphRecord:
    links = int((graph.part == 0).sum())
    return GraphRecord(nodes=graph.nodes, features=graph.features, density=links / graph.graph.pair_count)


def portable(name: str) -> str | None:
    """The absolute path behind a data name, with the home folder as ~; None for a registered data set.

    >>> portable("digits") is None, portable("/srv/rows.npy")
    (True, '/srv/rows.npy')
    """
    if name in data.names():
        return None
    path, home = Path(name).expanduser().absolute(), Path.home()
    return f"~/{path.relative_to(home)}" if len(str(home)) > 1 and path.is_relative_to(home) else str(path)


def candidates(name: str, *, run: Path, recorded: str | None) -> list[Path]:
    """Where data that were named so may lie, the likeliest first.

    Where they lay when the run began, then the name as it was given, then that name or its last part in the run folder
    and the two folders above it.

    >>> [str(path) for path in candidates("a/x.csv", run=Path("/w/runs/one"), recorded=None)][:3]
    ['a/x.csv', '/w/runs/one/a/x.csv', '/w/runs/one/x.csv']
    """
    given, here = Path(name).expanduser(), run.expanduser().resolve()
    found = [Path(recorded).expanduser()] if recorded else []
    found.append(given)
    for folder in (here, *here.parents[:ABOVE]):
        found += [folder / given, folder / given.name] if given.name else []
    places: dict[Path, Path] = {}
    for path in found:
        places.setdefault(path.absolute(), path)
    return list(places.values())


def find(settings: Data, record: DataRecord, *, run: Path, given: Path | None = None) -> data.Dataset:
    """The data that a run began with, equal by their SHA-256: those of ``given``, or found by their name.

    A folder that somebody sent may name any file of whoever opens it, so what is found by its name is read only where
    it is a file or a folder and no larger than the recorded rows could need, and nothing is downloaded. Raises
    FileNotFoundError where they are nowhere, naming the places looked at, and ValueError where what is there differs
    from what the run began with; UnavailableError for a registered name whose files are not here.
    """
    if given is not None:
        return _checked([str(given)], settings, record, run=run)
    if settings.name in data.names():
        if data.availability(settings.name) in ("absent", "incomplete"):
            raise data.UnavailableError(
                f"run {run}: its data were needed, {settings.name}, whose files are not here; iwax data get "
                f"{settings.name} downloads them, or say where they are with --data PATH"
            )
        return _checked([settings.name], settings, record, run=run)
    places = candidates(settings.name, run=run, recorded=record.path)
    refused = {place: _not_opened(place, _largest(settings, record)) for place in places if os.path.lexists(place)}
    there = [str(place) for place, why in refused.items() if why is None]
    if not there:
        reasons = [f"{place} {why}" for place, why in refused.items()]
        reasons += [f"there is no {', no '.join(str(place) for place in places if place not in refused)}"]
        raise FileNotFoundError(
            f"run {run}: its data were needed, {settings.name} of SHA-256 {record.sha256[:12]}...; "
            f"{'; '.join(reasons)}; say where they are with --data PATH"
        )
    return _checked(there, settings, record, run=run)


def _not_opened(place: Path, largest: int) -> str | None:
    """Why what lies there is not opened because a folder names it; None where it may be."""
    if not is_data(place):
        return "is neither a file nor a folder, and was not opened"
    if _bytes_of(place, largest) > largest:
        return f"has more than the {largest:,} bytes that the recorded rows could take, and was not opened"
    return None


def is_data(path: Path) -> bool:
    """Whether a path leads to a file or a folder, which alone are read as data: not a pipe, nor a device.

    >>> is_data(Path("/dev/null"))
    False
    """
    return path.is_file() or path.is_dir()


def _largest(settings: Data, record: DataRecord) -> int:
    """Bytes that the recorded rows could take in any format, and the cells of columns that were left out."""
    left_out = {*(record.left_out or ()), *(settings.kinds or {})}
    return SPARE + sum(record.rows.values()) * (CELL * prod(record.shape) + TEXT * len(left_out))


def _bytes_of(path: Path, enough: int) -> int:
    """The bytes of a file, or of the files in a folder and below, counted until there are more than ``enough``."""
    if path.is_file():
        return path.stat().st_size
    found = 0
    for folder, _, names in os.walk(path):
        found += sum(os.lstat(os.path.join(folder, name)).st_size + ENTRY for name in names)
        if found > enough:
            break
    return found


def _checked(places: Sequence[str], settings: Data, record: DataRecord, *, run: Path) -> data.Dataset:
    """The first of the places whose rows are those of the run, under the name that they had."""
    others: dict[str, str] = {}
    failed: Exception | None = None
    for place in places:
        moved = settings.model_copy(update={"name": place, "on_disk": bool(settings.on_disk)})
        try:
            found = moved.load(columns=record.columns, left_out=record.left_out)
        except (ValueError, OSError) as error:
            failed = failed or error
            continue
        if (digest := found.digest()) == record.sha256:
            return replace(found, name=record.name)
        others.setdefault(place, digest)
    if not others and failed is not None:
        raise failed
    raise _refusal(others, settings, record, run)


def _refusal(others: dict[str, str], settings: Data, record: DataRecord, run: Path) -> ValueError:
    got = ", ".join(f"{place} of {digest[:12]}..." for place, digest in others.items())
    own = "say where they are with --data PATH; " if settings.name not in data.names() else ""
    return ValueError(
        f"run {run}: the data that it began with were needed ({settings.name} of SHA-256 {record.sha256[:12]}...), "
        f"got others: {got}; {own}rows of other data are measured by iwax score {run} FILE, and a run on other data is "
        "a new run"
    )


def values(file: Path, found: Rows, record: DataRecord, how: str | None) -> np.ndarray:
    """The values [n, D] of rows of a file, made binary if ``how`` says how. ValueError for rows of another width."""
    wanted = prod(record.shape)
    if found.values.shape[1] != wanted:
        raise ValueError(
            f"{file}: rows of {wanted} values were needed, as the run was trained on (shape {record.shape}); "
            f"got {found.values.shape[1]}"
        )
    if found.kind == "table" and record.columns is None and any(c.levels for c in found.columns or ()):
        raise ValueError(f"{file}: needed numbers, as the run was trained on; got columns of text")
    if how is None or found.kind == "binary":
        return found.values
    return binarized(found.values, how, stream=Bits.SAMPLE, where=str(file))
