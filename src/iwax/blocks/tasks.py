"""What is computed of the rows of a block: their scores, their latents, or their missing cells."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import jax
import numpy as np

from iwax import inference
from iwax.blocks.shared import Shared
from iwax.data.rows import Rows
from iwax.data.tables import TEXTS, Span
from iwax.evaluation.evidence import BATCH as SCORED
from iwax.inference.comparable import moments_of
from iwax.inference.embed import BATCH as EMBEDDED
from iwax.inference.impute import BATCH as IMPUTED
from iwax.inference.impute import proposed_for
from iwax.inference.place import Place, placed
from iwax.inference.score_table import WholeTable, kinds_of_rows, reference_scores
from iwax.model import LatentVariableModel
from iwax.runs import export
from iwax.runs.run import Run

__all__ = ["Embed", "Impute", "Read", "Score", "Task", "task_of"]

_REFERENCE = 1000  # validation rows, whose log p(x) is typical


@dataclass(frozen=True)
class Read:
    """The rows of one block as they were read: x [n, D], and what else is known of them (`Rows`, of scores alone)."""

    file: Path
    span: Span | None
    x: np.ndarray
    read: Rows | None = None

    @property
    def missing(self) -> np.ndarray:
        """Which cells are missing, [n, D]."""
        return np.isnan(self.x) if self.x.dtype.kind == "f" else np.zeros(self.x.shape, bool)


@dataclass(frozen=True)
class Task(ABC):
    """A verb and its settings. Rows are computed in groups, at most ``batches[group]`` of each at once."""

    seed: int
    verb: ClassVar[str]
    batches: ClassVar[Mapping[str, int]]

    @property
    def key(self) -> jax.Array:
        """The key of the noise."""
        return jax.random.key(self.seed)

    @property
    def settings(self) -> dict[str, Any]:
        """The settings by name, with the verb."""
        return {"verb": self.verb, **asdict(self)}

    @property
    def other_run(self) -> str | None:
        """A second run that is needed."""
        return None

    @abstractmethod
    def read(self, run: Run, file: Path, span: Span | None) -> Read:
        """Read the rows of a block. Raises ValueError for those that the run cannot take."""

    @abstractmethod
    def groups(self, model: LatentVariableModel, part: Read) -> dict[str, np.ndarray]:
        """Which rows are computed, [n], group by group."""

    @abstractmethod
    def ending(self, run: Run, file: Path) -> str:
        """The ending of what is written of the rows of a file."""

    @abstractmethod
    def compute(self, run: Run, part: Read, places: Mapping[str, Place], shared: Shared, path: Path) -> dict[str, Any]:
        """Compute the rows of a block, write them to a file, and return what is to be said of them."""

    def observed_sets(self, part: Read) -> np.ndarray | None:
        """The sets of cells that are not missing in a row [P, D], where the task compares rows of different sets."""
        return None

    def shared(self, run: Run, sets: np.ndarray | None) -> Shared:
        """What is estimated once for all blocks."""
        return Shared(None, None)


@dataclass(frozen=True)
class Score(Task):
    """log p(x) of each row with k draws, what is made of it next to a ``background`` run, or of ``typical`` rows."""

    k: int
    binarize: str | None = None
    background: str | None = None
    typical: bool = False
    verb = "score"
    batches: ClassVar[Mapping[str, int]] = {"rows": SCORED}

    @property
    def other_run(self) -> str | None:
        """That of the background."""
        return self.background

    def read(self, run: Run, file: Path, span: Span | None) -> Read:
        """Read the rows, each for itself."""
        x, read = run.read_each(file, binarize=self.binarize, span=span)
        return Read(file, span, x, read)

    def groups(self, model: LatentVariableModel, part: Read) -> dict[str, np.ndarray]:
        """The rows that have a value, and none that their columns cannot hold."""
        _, refused, empty = kinds_of_rows(part.x, _rows(part))
        return {"rows": ~refused & ~empty}

    def ending(self, run: Run, file: Path) -> str:
        """That of the file where a table has it, else .csv; .npz of arrays."""
        return _ending(file)

    def observed_sets(self, part: Read) -> np.ndarray | None:
        """The sets of the rows without a cell that its column cannot hold."""
        missing, refused, _ = kinds_of_rows(part.x, _rows(part))
        return np.unique(~missing[~refused], axis=0)

    def shared(self, run: Run, sets: np.ndarray | None) -> Shared:
        """The moments of the sets of cells, where any is missing, and the scores of typical rows."""
        known, moments = None, None
        if sets is not None and not sets.all():
            moments = moments_of(run.model, sets, key=self.key)
        if self.typical:
            rows = run.typical_rows(_REFERENCE)
            known = reference_scores(run.model, rows, k=self.k, key=self.key)
        return Shared(moments, known)

    def compute(self, run: Run, part: Read, places: Mapping[str, Place], shared: Shared, path: Path) -> dict[str, Any]:
        """Write the columns of `inference.score_table`."""
        whole = WholeTable(places["rows"], shared.moments, shared.known)
        how: dict[str, Any] = {"k": self.k, "key": self.key, "background": shared.background, "whole": whole}
        found = inference.score_table(run.model, part.x, _rows(part), **how)
        export.write(path, found.columns, main="log_evidence")
        refused = np.isneginf(found.columns["log_evidence"])
        reasons = found.columns.get("reason")
        first = str(reasons[np.argmax(refused)]) if reasons is not None and refused.any() else ""
        return {"unknown": int((found.unknown & ~refused).sum()), "refused": int(refused.sum()), "reason": first}


@dataclass(frozen=True)
class Embed(Task):
    """The posterior mean of each row."""

    binarize: str | None = None
    verb = "embed"
    batches: ClassVar[Mapping[str, int]] = {"rows": EMBEDDED}

    def read(self, run: Run, file: Path, span: Span | None) -> Read:
        """Read the rows, each of which must have a value."""
        return Read(file, span, run.read(file, binarize=self.binarize, span=span))

    def groups(self, model: LatentVariableModel, part: Read) -> dict[str, np.ndarray]:
        """All rows."""
        return {"rows": np.ones(len(part.x), bool)}

    def ending(self, run: Run, file: Path) -> str:
        """That of the file where a table has it, else .csv; .npz of arrays."""
        return _ending(file)

    def compute(self, run: Run, part: Read, places: Mapping[str, Place], shared: Shared, path: Path) -> dict[str, Any]:
        """Write a line for each row, and its number."""
        place = places["rows"]
        datum, own = placed(part.x, np.arange(len(part.x)), place, EMBEDDED)
        z = inference.embed(run.model, datum, key=self.key)[own]
        export.write(path, {"row": place.first + np.arange(1, len(z) + 1), "z": z}, main="z")
        return {}


@dataclass(frozen=True)
class Impute(Task):
    """Missing cells filled by the mean, or the most probable class, of k weighted draws; the table as it came in."""

    k: int
    verb = "impute"
    batches: ClassVar[Mapping[str, int]] = {"posterior": IMPUTED, "prior": IMPUTED}

    def read(self, run: Run, file: Path, span: Span | None) -> Read:
        """Read the rows, which may be without a value."""
        return Read(file, span, run.read(file, empty=True, span=span))

    def groups(self, model: LatentVariableModel, part: Read) -> dict[str, np.ndarray]:
        """The rows with missing cells that the posterior proposes for, and those that the prior does."""
        return dict(zip(self.batches, proposed_for(model, part.missing), strict=True))

    def ending(self, run: Run, file: Path) -> str:
        """That of the file, where it is a table or an array; .npz of pictures."""
        table = file.suffix.lower() in TEXTS or (file.suffix.lower() == ".parquet" and run.about.columns is not None)
        return file.suffix if table or file.suffix.lower() == ".npy" else ".npz"

    def compute(self, run: Run, part: Read, places: Mapping[str, Place], shared: Shared, path: Path) -> dict[str, Any]:
        """Write the table, its missing cells filled."""
        values, unknown = np.array(part.x, np.result_type(part.x.dtype, np.float32)), 0
        for name, marks in self.groups(run.model, part).items():
            at = np.flatnonzero(marks)
            if len(at):
                datum, own = placed(part.x, at, places[name], IMPUTED)
                found = inference.impute(run.model, datum, k=self.k, key=self.key)
                values[at] = found.values[own]
                unknown += int(found.unknown[own].sum())
        table = export.Table(part.file, run.about.columns, run.config.data.dialect, part.span)
        table.write(path, values, part.missing)
        return {"unknown": unknown, "filled": int(part.missing.sum())}


def task_of(settings: Mapping[str, Any]) -> Task:
    """The task that has these settings."""
    kinds = {kind.verb: kind for kind in (Score, Embed, Impute)}
    return kinds[settings["verb"]](**{name: value for name, value in settings.items() if name != "verb"})


def _rows(part: Read) -> Rows:
    if part.read is None:
        raise TypeError("scores need the rows as they were read, each for itself")
    return part.read


def _ending(file: Path) -> str:
    return {".parquet": ".parquet", ".npy": ".npz", ".npz": ".npz"}.get(file.suffix.lower(), ".csv")
