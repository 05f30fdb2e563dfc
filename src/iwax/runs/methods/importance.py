"""Importance sampling: log p(x), the ELBO, and what the latent units are used for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from iwax import evaluation
from iwax.runs.methods.method import Method, Outcome, Task, or_unknown, whole
from iwax.settings.fields import LARGEST_K
from iwax.streams import Run

__all__ = ["ACTIVE", "COLUMNS", "Importance"]

ACTIVE = 0.01  # Var_x E_q[u] above which a unit counts as active (Burda, Grosse, Salakhutdinov 2016)
COLUMNS = ("rows", "log_evidence", "monte_carlo_error", "elbo", "elbo_error", "ess", "pareto_k")


@dataclass(frozen=True)
class Importance(Method):
    """``log (1/k) sum_i w_i``, the IWAE bound, of k importance samples per row.

    >>> Importance(k=50).formatted(Importance.stem, split="test")
    'test-k50'
    """

    k: int = whole(5000, 1, LARGEST_K)

    name = "importance"
    stem = "{split}-k{k}"
    plan = "the IWAE bound at k = {k}"
    work = "{n} rows with k={k}"
    details = (
        "k={k}, {dataset}, {rows}{absent}",
        "ELBO {elbo:.1f}",
        "ESS median {ess_median:.0f}",
        "Pareto k > 0.7: {share}",
        "active units {counted}",
    )
    takes_missing = True

    @property
    def draws(self) -> int:
        """Each draw is one pass."""
        return self.k

    def measure(self, task: Task) -> Outcome:
        """log p(x), and activity and KL of every unit."""
        x, model = task.x, task.run.model
        missing, progress = float(np.isnan(x).mean()), task.reporter.evaluation
        given: dict[str, Any] = {"missing": missing > 0}
        found = evaluation.log_evidence(model, x, k=self.k, key=task.key(Run.EVIDENCE), progress=progress, **given)
        activity = evaluation.unit_activity(model, x, key=task.key(Run.ACTIVITY), **given)
        divergence = evaluation.kl_per_unit(model, x, key=task.key(Run.DIVERGENCE), **given)
        about = {
            "pareto_k_over_0_7": found.pareto_k_over(0.7),
            "active_units": evaluation.active_units(activity, threshold=ACTIVE),
            "active_units_threshold": ACTIVE,
            "units": [len(layer) for layer in activity],
            **({"missing": missing} if missing else {}),
        }
        layers = {"unit_activity": activity, "kl_per_unit": divergence}
        stored = {name: [layer.tolist() for layer in each] for name, each in layers.items()}
        return Outcome({name: vars(found)[name] for name in COLUMNS}, found.warnings(), about, stored)

    @classmethod
    def words(cls, summary: Mapping[str, Any]) -> dict[str, Any]:
        """Active units of the one layer and its size, or of each layer; and what share of the cells was missing."""
        units, active = summary["units"], summary["active_units"]
        return {
            "counted": f"{active[0]}/{units[0]}" if len(units) == 1 else "+".join(map(str, active)),
            "share": or_unknown(summary["pareto_k_over_0_7"], ".0%").replace("%", " %"),
            "absent": f", {100 * summary['missing']:.1f} % of cells missing" if summary.get("missing") else "",
        }
