"""A run measured by the jackknife: estimates of log p(x) from few draws a set, averaged over many sets."""

from collections.abc import Mapping
from typing import Any

from iwax import evaluation
from iwax.experiments.task import Found, Method, Task, counted_rows, or_unknown
from iwax.streams import Run

__all__ = ["JACKKNIFE"]

PLAN = {"k": 32, "order": 1, "repeats": 20}
UNKNOWN = ("elbo", "elbo_standard_error", "ess_median", "pareto_k_over_0_7", "active_units", "active_units_threshold")


def measure(task: Task) -> Found:
    """The jackknife of one order, and of every lower one for comparison, of the same sets of k draws."""
    plan, x = {name: task.options[name] for name in PLAN}, task.rows()
    k, order, repeats = plan["k"], plan["order"], plan["repeats"]
    task.announce(f"{len(x)} rows with {repeats} sets of k={k}", len(x) * k * repeats)
    found = evaluation.jackknife_evidence(
        task.trained.model,
        x,
        k=k,
        orders=range(order + 1),
        repeats=repeats,
        key=task.key(Run.JACKKNIFE),
        progress=task.reporter.evaluation,
    )
    summary = dict.fromkeys(UNKNOWN) | {
        **plan,
        "n": int(found.rows.size),
        "log_evidence": float(found.mean[order]),
        "standard_error": float(found.standard_error[order]),
        "monte_carlo_error": float(found.monte_carlo_error[order]),
        "kind": found.kind[order],
        "orders": [{"order": i, "kind": found.kind[i], "log_evidence": float(found.mean[i])} for i in range(order + 1)],
        "warnings": [],
    }
    columns = {"rows": found.rows, "log_evidence": found.estimate[order], "monte_carlo_error": found.error[order]}
    columns |= {f"order_{i}": found.estimate[i] for i in range(order + 1)}
    return Found(summary, {}, columns, f"jackknife{order}-{task.options['split']}-k{k}x{repeats}")


def line(summary: Mapping[str, Any]) -> str:
    """The result in one line; of an order above 0 it says that no bound is meant."""
    lower = summary["kind"] == "lower"
    return (
        f"{summary['split']} log p(x) = {summary['log_evidence']:.2f} "
        f"+/- {or_unknown(summary['standard_error'], '.2f')} nats "
        f"(jackknife of order {summary['order']}, {'a lower bound' if lower else 'an estimate and no bound'}; "
        f"{summary['repeats']} sets of k={summary['k']}, {summary['dataset']}, {counted_rows(summary)}; "
        f"IWAE of the same sets {summary['orders'][0]['log_evidence']:.2f}; "
        f"Monte-Carlo error {or_unknown(summary['monte_carlo_error'], '.3f')}; {summary['seconds']:.0f} s)"
    )


JACKKNIFE = Method({"split": None, **PLAN}, measure, line)
