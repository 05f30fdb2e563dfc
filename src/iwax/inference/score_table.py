"""The columns of a file of scores: log p(x) of every row, what is made of it, and why a row has none."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from iwax._typing import PRNGKey
from iwax.data.rows import Rows
from iwax.evaluation import MarginalMoments, trust
from iwax.evaluation.evidence import BATCH
from iwax.inference.anomaly import likelihood_ratio, score, typicality
from iwax.inference.comparable import comparable, comparable_scores
from iwax.inference.place import Place, placed
from iwax.model import LatentVariableModel
from iwax.printed import printed

__all__ = ["ScoreTable", "WholeTable", "columns", "kinds_of_rows", "reference_scores", "score_table"]

_NUMBERS = ("log_evidence", "error", "ess", "khat", "missing", "score", "typicality", "ratio", "ratio_error")


@printed()
@dataclass(frozen=True)
class WholeTable:
    """What the rows of a part need of the whole table: their place in it, and what is estimated once for all.

    ``moments`` are those of the sets of cells that are not missing in a row (None: no cell is missing), ``known`` the
    scores of rows that are known to be normal, for the typicality.
    """

    place: Place
    moments: MarginalMoments | None
    known: np.ndarray | None


@printed()
@dataclass(frozen=True)
class ScoreTable:
    """Scores of n rows: columns [n] by name, and whether the error of log p(x) is ``unknown`` [n].

    ``unsure`` names the rows for which it is unknown, if any; ``warnings`` say all else.
    """

    columns: dict[str, np.ndarray]
    unknown: np.ndarray
    unsure: str
    warnings: list[str]


def score_table(
    model: LatentVariableModel,
    x: np.ndarray,
    read: Rows,
    *,
    k: int,
    key: PRNGKey,
    background: LatentVariableModel | None = None,
    known: np.ndarray | None = None,
    whole: WholeTable | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ScoreTable:
    """Score rows x [n, D], as they were ``read`` from a file, by log p(x) with k draws per row.

    With ``known`` rows comes the typicality next to them, with a ``background`` model the likelihood ratio. A row with
    a cell that its column cannot hold has log p(x) = -inf, and one without a value has 0: both come with the reason,
    and the others are scored all the same. Of a ``whole`` table x may be a part, whose rows have the same values then.
    """
    missing, refused, empty = kinds_of_rows(x, read)
    how: dict[str, Any] = {"k": k, "key": key, "progress": progress}
    at = np.flatnonzero(~refused & ~empty)
    place = Place(0, 0, len(at), bool(missing[at].any())) if whole is None else whole.place
    numbers, warnings = _evidence(model, background, x, at, place, how)
    numbers["log_evidence"] = np.where(refused, -np.inf, np.where(empty, 0.0, numbers["log_evidence"]))
    numbers["error"][empty] = 0
    numbers["missing"] = missing.sum(axis=1) - np.bincount([row for row, _ in read.refused], minlength=len(x))
    numbers["score"] = numbers["log_evidence"].copy()
    if whole is not None and whole.moments is not None:
        numbers["score"][~refused] = comparable(numbers["score"][~refused], ~missing[~refused], whole.moments)
    elif whole is None and not refused.all():
        numbers["score"][~refused], more = comparable_scores(model, x[~refused], numbers["score"][~refused], key=key)
        warnings += more
    reference = reference_scores(model, known, **how) if known is not None else None if whole is None else whole.known
    if reference is not None:
        numbers["typicality"] = typicality(numbers["score"], reference)
    unknown, unsure = trust.unknown(numbers["ess"], numbers["khat"]), ""
    if (unknown & ~refused).any():
        words = trust.unknown_words("log p(x)", unknown & ~refused, k)
        warnings = [each for each in warnings if not each.startswith(words[:35])]  # which say it of some rows, unnamed
        named = trust.named(unknown & ~refused, first=1)
        unsure = f"{words}, which is a lower bound ({named}); a larger k helps, slowly"
    reasons = _reasons(read, empty, np.isfinite(numbers["log_evidence"]))
    if refused.any():
        words = f"{refused.sum():,} of {len(x):,} rows have a cell that its column cannot hold, and log p(x) = -inf"
        warnings.append(f"{words}; the first: {reasons[int(np.argmax(refused))]}")
    return ScoreTable(columns(read, numbers, reasons, first=place.first), unknown, unsure, warnings)


def kinds_of_rows(x: np.ndarray, read: Rows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which cells [n, D] are missing, which rows [n] have one that its column cannot hold, and which have no value."""
    missing, refused = _missing(x), np.isin(np.arange(len(x)), [row for row, _ in read.refused])
    return missing, refused, ~refused & missing.all(axis=1)


def reference_scores(
    model: LatentVariableModel,
    known: np.ndarray,
    *,
    k: int,
    key: PRNGKey,
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Compute the scores [m] of rows that are known to be normal, next to which others are typical."""
    missing = bool(_missing(known).any())
    found = score(model, known, k=k, key=key, missing=missing, progress=progress).log_evidence
    return comparable_scores(model, known, found, key=key)[0]


def columns(
    read: Rows, numbers: Mapping[str, np.ndarray], reasons: list[str], *, first: int = 0
) -> dict[str, np.ndarray]:
    """Every column [n] by its name: row number, columns left out in training, ``numbers``, reasons (of a table)."""
    own = ("row", *_NUMBERS, "reason")
    unread = {
        f"{name} (file)" if name in own else name: np.array(["" if cell is None else cell for cell in cells])
        for name, cells in read.unread.items()
    }
    reason = {"reason": np.array(reasons)} if read.kind == "table" else {}
    ordered = {name: numbers[name] for name in _NUMBERS if name in numbers}
    return {"row": first + np.arange(1, len(reasons) + 1), **unread, **ordered, **reason}


def _reasons(read: Rows, empty: np.ndarray, finite: np.ndarray) -> list[str]:
    """Why each row has no log p(x), or one of 0; empty where it has."""
    reasons: dict[int, str] = {}
    for (row, _), reason in sorted(read.refused.items()):
        reasons[row] = f"{reasons[row]}; {reason}" if row in reasons else reason
    no_value = "no value in this row: it says nothing, and log p(x) is 0"
    beyond = "log p(x) is not finite: its values lie beyond what the model's numbers can hold"
    return [reasons.get(i, no_value if empty[i] else "" if finite[i] else beyond) for i in range(len(empty))]


def _missing(x: np.ndarray) -> np.ndarray:
    return np.isnan(x) if x.dtype.kind == "f" else np.zeros(x.shape, bool)


def _evidence(
    model: LatentVariableModel,
    background: LatentVariableModel | None,
    x: np.ndarray,
    at: np.ndarray,
    place: Place,
    how: dict[str, Any],
) -> tuple[dict[str, np.ndarray], list[str]]:
    """log p(x) [n] of the rows ``at``, NaN elsewhere, and its ratio to that of the background; and their warnings."""
    names = ("log_evidence", "error", "ess", "khat") + ("ratio", "ratio_error") * (background is not None)
    numbers = {name: np.full(len(x), np.nan) for name in names}
    if not len(at):
        return numbers, []
    datum, own = placed(x, at, place, BATCH)
    ratio = None if background is None else likelihood_ratio(model, background, datum, **how).of(own)
    found = score(model, datum, **how).of(own) if ratio is None else ratio.evidence
    values = (found.log_evidence, found.known_error, found.ess, found.pareto_k)
    if ratio is not None:
        values += (ratio.ratio, np.hypot(found.known_error, ratio.background.known_error))
    for name, part in zip(names, values, strict=True):
        numbers[name][at] = part
    return numbers, (ratio or found).warnings()
