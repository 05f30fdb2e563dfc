"""A run measured by importance sampling: log p(x), the ELBO, and what the latent units are used for."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from iwax import evaluation
from iwax.experiments.task import Found, Method, Task, counted_rows, or_unknown
from iwax.streams import Run

__all__ = ["ACTIVE", "IMPORTANCE"]

ACTIVE = 0.01  # Var_x E_q[u] above which a unit counts as active (Burda, Grosse, Salakhutdinov 2016)


def measure(task: Task) -> Found:
    """k importance samples a row."""
    x, k, model = task.rows(), task.options["k"], task.trained.model
    task.announce(f"{len(x)} rows with k={k}", len(x) * k)
    holes, progress = float(np.isnan(x).mean()), task.reporter.evaluation
    found = evaluation.log_evidence(model, x, k=k, key=task.key(Run.EVIDENCE), missing=holes > 0, progress=progress)
    activity = evaluation.unit_activity(model, x, key=task.key(Run.ACTIVITY), missing=holes > 0)
    divergence = evaluation.kl_per_unit(model, x, key=task.key(Run.DIVERGENCE), missing=holes > 0)
    summary = {
        "n": int(found.rows.size),
        "k": found.k,
        "log_evidence": found.mean,
        "standard_error": found.standard_error,
        "monte_carlo_error": evaluation.error_of_mean(found.monte_carlo_error),
        "elbo": found.elbo_mean,
        "elbo_standard_error": found.elbo_standard_error,
        "ess_median": found.ess_median,
        "pareto_k_over_0_7": found.pareto_k_over(0.7),
        "active_units": evaluation.active_units(activity, threshold=ACTIVE),
        "active_units_threshold": ACTIVE,
        "units": [len(layer) for layer in activity],
        **({"missing": holes} if holes else {}),
        "warnings": found.warnings(),
    }
    stored = {
        "unit_activity": [layer.tolist() for layer in activity],
        "kl_per_unit": [layer.tolist() for layer in divergence],
    }
    names = ("rows", "log_evidence", "monte_carlo_error", "elbo", "elbo_error", "ess", "pareto_k")
    columns = {name: getattr(found, name) for name in names}
    return Found(summary, stored, columns, f"{task.options['split']}-k{k}")


def line(summary: Mapping[str, Any]) -> str:
    """The result in one line."""
    units, active = summary["units"], summary["active_units"]
    counted = f"{active[0]}/{units[0]}" if len(units) == 1 else "+".join(map(str, active))
    share = or_unknown(summary["pareto_k_over_0_7"], ".0%").replace("%", " %")
    rows = f"{counted_rows(summary)}{_holes(summary)}"
    return (
        f"{summary['split']} log p(x) = {summary['log_evidence']:.2f} "
        f"+/- {or_unknown(summary['standard_error'], '.2f')} nats "
        f"(k={summary['k']}, {summary['dataset']}, {rows}; ELBO {summary['elbo']:.1f}; "
        f"ESS median {summary['ess_median']:.0f}; Pareto k > 0.7: {share}; "
        f"active units {counted}; {summary['seconds']:.0f} s)"
    )


def _holes(summary: Mapping[str, Any]) -> str:
    """What share of the cells was missing, of whose density nothing is said."""
    return f", {100 * summary['missing']:.1f} % of cells missing" if summary.get("missing") else ""


IMPORTANCE = Method({"split": None, "k": None}, measure, line)
