"""The closing numbers of a run in plain words: what the number is, and whether to believe it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from iwax.report.figures.canvas import number, several

__all__ = ["Verdict", "key_numbers", "range_of", "verdict"]

TRUSTED, DOUBTED = 0.05, 0.25  # shares of rows with a Pareto k above 0.7
WIDE = 10.0  # nats between log p(x) and the ELBO
FEWEST_DRAWS, FEWEST_THAT_COUNT = 100, 10
RULE = (
    "Pareto k̂ says how heavy the tail of a row's importance weights is (Vehtari et al. 2024, arXiv:1507.02646). Above "
    "0.7 the weights have no reliable mean, and log p(x) of that row is likely to be underestimated."
)


class Verdict(NamedTuple):
    """How far to trust a number: a ``level`` (good, care, bound or none), an answer, and the reasons for it."""

    level: str
    answer: str
    reasons: list[str]


def range_of(values: np.ndarray) -> str:
    """The range and the median of some numbers; small ones to three figures.

    >>> range_of(np.array([1.0, 2.0, 4.0]))
    'from 1.00 to 4.00, median 2.00'
    """
    known = values[np.isfinite(values)]
    if not len(known):
        return "not known"
    low, high, middle = known.min(), known.max(), float(np.median(known))
    digits = 2 if high - low >= 0.1 else 2 - int(np.floor(np.log10(max(abs(low), abs(high), 1e-12))))
    return f"from {number(low, digits)} to {number(high, digits)}, median {number(middle, digits)}"


def verdict(summary: Mapping[str, Any], *, rows: str) -> Verdict:
    """What to think of log p(x) as a measurement gives it; ``rows`` says what a row is.

    >>> found = {"log_evidence": -1.0, "k": 500, "ess_median": 90.0, "pareto_k_over_0_7": 0.01, "n": 300}
    >>> found |= {"standard_error": 0.2, "monte_carlo_error": 0.01, "elbo": -1.5}
    >>> verdict(found, rows="image").answer
    'Yes'
    """
    if summary["log_evidence"] is None:
        words = "log p(x) is not finite for at least one row: the model gives data of this kind no density somewhere."
        return Verdict("none", "No", [words])
    share, k, ess = summary["pareto_k_over_0_7"], summary["k"], summary["ess_median"]
    level, answer, reason = _judged(share, k, ess, rows)
    reasons = [
        reason,
        f"It is a lower bound on average: with more samples than k = {k:,} for each {rows} it can rise, and will not "
        "fall beyond its noise.",
    ]
    if summary["standard_error"] is not None:
        reasons.append(
            f"± {summary['standard_error']:.2f} is the standard error over the {several(summary['n'], rows)}: it says "
            f"how much another test set of this size would change the number. "
            f"{_noise(summary['monte_carlo_error'])}"
        )
    if summary["elbo"] is not None:
        gap = summary["log_evidence"] - summary["elbo"]
        reasons.append(
            f"The ELBO, the same bound with one sample, is {number(summary['elbo'])}: {gap:.2f} nats lower. That is "
            "what q(z|x) loses against the true posterior, as far as k samples can tell."
        )
        if gap > WIDE:
            reasons.append("So wide a gap comes of samples that land where p(x, z) is almost 0; others carry log p(x).")
    return Verdict(level, answer, reasons)


def _judged(share: float | None, k: int, ess: float, rows: str) -> tuple[str, str, str]:
    if k < FEWEST_DRAWS or share is None:
        words = f"k = {k} importance samples are too few to judge it; measure with 100 or more: iwax evaluate RUN"
        return "bound", "As a lower bound", f"{words} --k 1000."
    weights = f"Pareto k̂ is above 0.7 for {100 * share:.0f} % of the {rows}s, and of {k:,} samples "
    weights += f"{ess:,.0f} count in the median {rows}."
    if ess < FEWEST_THAT_COUNT or share > DOUBTED:
        return "bound", "As a lower bound", f"{weights} Too few samples carry the sum: the number is still rising in k."
    if share > TRUSTED:
        return "care", "With care", f"{weights} For most {rows}s it is well estimated, for these it is likely too low."
    return "good", "Yes", f"{weights} The importance weights are well behaved."


def _noise(error: float | None) -> str:
    return "" if error is None else f"The noise of the importance samples themselves adds ± {error:.3f}."


def key_numbers(
    summary: Mapping[str, Any], *, rows: str, independent: float | None = None
) -> list[tuple[str, str, str]]:
    """Name, value and meaning of the numbers next to log p(x); ``independent`` is that of a model without latents."""
    active, units = summary["active_units"], summary["units"]
    counted = f"{active[0]} of {units[0]}" if len(units) == 1 else " + ".join(
        f"{a} of {u}" for a, u in zip(active, units, strict=True)
    )  # fmt: skip
    share = summary["pareto_k_over_0_7"]
    found = [
        (
            "ELBO",
            _with_error(summary["elbo"], summary["elbo_standard_error"]),
            "nats; what training with k = 1 ascends",
        ),
        (
            "samples that count",
            f"{summary['ess_median']:,.0f} of {summary['k']:,}",
            f"effective sample size, median {rows}",
        ),
        (
            "Pareto k̂ > 0.7",
            "unknown" if share is None else f"{100 * share:.0f} %",
            f"of the {rows}s; below 5 % is good",
        ),
        ("active units", counted, "latent units that follow the data"),
    ]
    if independent is not None:
        gain = summary["log_evidence"] - independent
        found.append(("without latents", number(independent), f"independent values; the latents gain {gain:.2f} nats"))
    if summary.get("bits_per_dim") is not None:
        found.append(
            (
                "bits per value",
                f"{summary['bits_per_dim']:.3f}",
                f"\N{MINUS SIGN}log₂ p(x) over the observed values of {'an' if rows == 'image' else 'a'} {rows}",
            )
        )
    return found


def _with_error(value: float | None, error: float | None) -> str:
    if value is None:
        return "unknown"
    return number(value) + ("" if error is None else f" ± {error:.2f}")
