"""What a file of scores has of every row: log p(x), what is made of it, and why a row has none."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

from iwax.data.rows import Rows
from iwax.evaluation import trust
from iwax.inference.anomaly import likelihood_ratio, typicality
from iwax.inference.comparable import comparable_scores
from iwax.inference.score import score

__all__ = ["Scores"]

_OWN = (
    "row", "log_evidence", "error", "ess", "khat", "missing", "score", "typicality", "ratio", "ratio_error", "reason",
)  # fmt: skip


@dataclass
class Scores:
    """Scores of n rows of a file, with warnings; ``unsure`` says of which rows the error is unknown, if of any."""

    read: Rows
    missing: np.ndarray
    reasons: list[str]
    numbers: dict[str, np.ndarray]
    warnings: list[str] = field(default_factory=list)
    unsure: str = ""

    @classmethod
    def of(
        cls,
        model: Any,
        x: np.ndarray,
        read: Rows,
        *,
        background: Any,
        known: np.ndarray | None,
        k: int,
        key: jax.Array,
        progress: Callable[[int, int], None],
    ) -> "Scores":
        """The scores of rows x [n, D], with the typicality beside ``known`` rows and the ratio to a ``background``.

        A row with a cell that its column cannot hold has log p(x) = -inf, and one without a value has 0: of both the
        reason is said, and neither keeps the others from being scored.
        """
        holes, reasons = _holes(x), _reasons(read, len(x))
        refused = np.array([bool(reason) for reason in reasons])
        missing = holes.sum(axis=1) - np.bincount([row for row, _ in read.refused], minlength=len(x))
        empty = ~refused & holes.all(axis=1)
        how: dict[str, Any] = {"k": k, "key": key, "progress": progress}
        found = cls(read, missing, reasons, {"log_evidence": np.where(refused, -np.inf, 0.0)})
        found._weigh(model, background, x, np.flatnonzero(~refused & ~empty), how)
        found._compare(model, x, ~refused, known, how)
        found.numbers["error"][empty] = 0
        for row in np.flatnonzero(empty):
            reasons[row] = "no value in this row: it says nothing, and log p(x) is 0"
        for row in np.flatnonzero(~refused & ~np.isfinite(found.numbers["log_evidence"])):
            reasons[row] = "log p(x) is not finite: its values lie beyond what the model's numbers can hold"
        found._warn(refused, k)
        return found

    def columns(self) -> dict[str, np.ndarray]:
        """Every column [n] by its name: row number, columns left out in training, numbers, reasons (of a table)."""
        n = len(self.missing)
        names = {name: f"{name} (file)" if name in _OWN else name for name in self.read.unread}
        unread = {
            names[name]: np.array(["" if c is None else c for c in cells]) for name, cells in self.read.unread.items()
        }
        reason = {"reason": np.array(self.reasons)} if self.read.kind == "table" else {}
        numbers = {name: self.numbers[name] for name in _OWN if name in self.numbers}
        return {"row": np.arange(1, n + 1), **unread, **numbers, **reason}

    @property
    def unknown(self) -> np.ndarray:
        """Whether the error of each row's log p(x) is unknown, [n]."""
        return trust.unknown(self.numbers["ess"], self.numbers["khat"])

    def _weigh(self, model: Any, background: Any, x: np.ndarray, at: np.ndarray, how: dict[str, Any]) -> None:
        """log p(x) of the rows ``at``, and its ratio to that of the background."""
        n, given = len(x), bool(_holes(x[at]).any())
        for name in ("error", "ess", "khat"):
            self.numbers[name] = np.full(n, np.nan)
        self.numbers["missing"] = self.missing
        if background is not None:
            self.numbers |= {"ratio": np.full(n, np.nan), "ratio_error": np.full(n, np.nan)}
        if not len(at):
            return
        how = how | {"rows": at, "missing": given}
        ratio = None if background is None else likelihood_ratio(model, background, x[at], **how)
        scores = score(model, x[at], **how) if ratio is None else ratio.evidence
        found = {"log_evidence": scores.log_evidence, "error": scores.known_error, "ess": scores.ess}
        found["khat"] = scores.pareto_k
        if ratio is not None:
            error = np.hypot(scores.known_error, ratio.background.known_error)
            found |= {"ratio": ratio.ratio, "ratio_error": error}
        for name, values in found.items():
            self.numbers[name][at] = values
        self.warnings += (ratio or scores).warnings()

    def _compare(
        self, model: Any, x: np.ndarray, there: np.ndarray, known: np.ndarray | None, how: dict[str, Any]
    ) -> None:
        """log p(x) made comparable where cells are missing, and how typical that is of the known rows."""
        self.numbers["score"] = self.numbers["log_evidence"].copy()
        if there.any():
            given, key = self.numbers["log_evidence"][there], how["key"]
            comparable, warnings = comparable_scores(model, x[there], given, key=key)
            self.numbers["score"][there] = comparable
            self.warnings += warnings
        if known is not None:
            reference = score(model, known, missing=bool(_holes(known).any()), **how).log_evidence
            alike, _ = comparable_scores(model, known, reference, key=how["key"])
            self.numbers["typicality"] = typicality(self.numbers["score"], alike)

    def _warn(self, refused: np.ndarray, k: int) -> None:
        """Say how many rows have no number or no known error."""
        unknown = self.unknown & ~refused
        if unknown.any():
            words = trust.unknown_words("log p(x)", unknown, k)
            self.warnings = [each for each in self.warnings if not each.startswith(words[:35])]  # of some rows, unnamed
            named = trust.named(unknown, first=1)
            self.unsure = f"{words}, which is a lower bound ({named}); a larger k helps, slowly"
        if refused.any():
            self.warnings.append(
                f"{refused.sum():,} of {len(refused):,} rows have a cell that its column cannot hold, and log p(x) = "
                f"-inf; the first: {self.reasons[int(np.argmax(refused))]}"
            )


def _holes(x: np.ndarray) -> np.ndarray:
    return np.isnan(x) if x.dtype.kind == "f" else np.zeros(x.shape, bool)


def _reasons(read: Rows, n: int) -> list[str]:
    """Why a row cannot have a density, cell by cell; empty where it can."""
    reasons: list[list[str]] = [[] for _ in range(n)]
    for (row, _), reason in sorted(read.refused.items()):
        reasons[row].append(reason)
    return ["; ".join(each) for each in reasons]
