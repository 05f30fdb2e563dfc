"""A run measured by annealed importance sampling: on its data, or in both directions on data simulated from it."""

from collections.abc import Mapping
from typing import Any

from iwax import evaluation
from iwax.experiments.task import Found, Method, Task, counted_rows, or_unknown
from iwax.streams import Run

__all__ = ["ANNEALED", "BIDIRECTIONAL"]

WARM_UP = 0.1  # of the temperatures, before the run that counts
SIMULATED_ROWS = 100  # where no limit says how many
PLAN = {"chains": 16, "temperatures": 1000, "leapfrog": 10, "start": "prior"}
UNKNOWN = ("k", "elbo", "elbo_standard_error", "pareto_k_over_0_7", "active_units", "active_units_threshold")
COLUMNS = ("log_evidence", "monte_carlo_error", "ess", "acceptance")


def measure_annealed(task: Task) -> Found:
    """Chains from the prior or q(z|x) to the posterior, for every row of a split."""
    plan, x = {name: task.options[name] for name in PLAN}, task.rows()
    task.announce(f"{len(x)} rows by {_in_words(plan)}", _passes(plan, len(x), directions=1))
    found = evaluation.annealed_evidence(
        task.trained.model, x, key=task.key(Run.ANNEALING), progress=task.reporter.evaluation, **plan
    )
    summary = dict.fromkeys(UNKNOWN) | {
        **plan,
        "n": int(found.rows.size),
        "log_evidence": found.mean,
        "standard_error": found.standard_error,
        "monte_carlo_error": evaluation.error_of_mean(found.monte_carlo_error),
        "ess_median": found.ess_median,
        "acceptance": found.acceptance_mean,
        "warnings": found.warnings(),
    }
    columns = {"rows": found.rows, **{name: getattr(found, name) for name in COLUMNS}}
    return Found(summary, {}, columns, f"annealed-{task.options['split']}-{_in_short(plan)}")


def measure_bidirectional(task: Task) -> Found:
    """Chains in both directions on rows simulated from the model: bounds of their log p(x) from both sides."""
    plan, n = {name: task.options[name] for name in PLAN}, task.limit or SIMULATED_ROWS
    task.announce(f"{n} simulated rows by {_in_words(plan)}, both ways", _passes(plan, n, directions=2))
    both = evaluation.bidirectional_evidence(
        task.trained.model, n, key=task.key(Run.BIDIRECTIONAL), progress=task.reporter.evaluation, **plan
    )
    lower, upper = both.lower, both.upper
    summary = dict.fromkeys(UNKNOWN) | {
        **plan,
        "split": "simulated",
        "n": n,
        "log_evidence": lower.mean,
        "standard_error": lower.standard_error,
        "monte_carlo_error": evaluation.error_of_mean(lower.monte_carlo_error),
        "log_evidence_upper": upper.mean,
        "standard_error_upper": upper.standard_error,
        "gap": both.gap_mean,
        "gap_standard_error": both.gap_error,
        "ess_median": lower.ess_median,
        "ess_median_upper": upper.ess_median,
        "acceptance": lower.acceptance_mean,
        "acceptance_upper": upper.acceptance_mean,
        "warnings": both.warnings(),
    }
    columns = {"rows": lower.rows, "x": both.x, **{name: getattr(lower, name) for name in COLUMNS}}
    columns |= {f"{name}_upper": getattr(upper, name) for name in COLUMNS}
    return Found(summary, {}, columns, f"bidirectional-simulated-{_in_short(plan)}")


def annealed_line(summary: Mapping[str, Any]) -> str:
    """The result in one line."""
    return (
        f"{summary['split']} log p(x) = {summary['log_evidence']:.2f} "
        f"+/- {or_unknown(summary['standard_error'], '.2f')} nats "
        f"(annealed: {_in_words(summary)}, {summary['dataset']}, {counted_rows(summary)}; "
        f"acceptance {summary['acceptance']:.2f}; ESS median {summary['ess_median']:.1f}; "
        f"Monte-Carlo error {or_unknown(summary['monte_carlo_error'], '.2f')}; {summary['seconds']:.0f} s)"
    )


def bidirectional_line(summary: Mapping[str, Any]) -> str:
    """The result in one line."""
    return (
        f"simulated log p(x) between {summary['log_evidence']:.2f} +/- {or_unknown(summary['standard_error'], '.2f')} "
        f"and {summary['log_evidence_upper']:.2f} +/- {or_unknown(summary['standard_error_upper'], '.2f')} nats "
        f"(bidirectional: {_in_words(summary)}, {summary['dataset']}, {counted_rows(summary)}; "
        f"gap {summary['gap']:.2f} +/- {or_unknown(summary['gap_standard_error'], '.2f')}; "
        f"acceptance {summary['acceptance']:.2f} and {summary['acceptance_upper']:.2f}; {summary['seconds']:.0f} s)"
    )


def _passes(plan: Mapping[str, Any], rows: int, *, directions: int) -> int:
    """Passes through the decoder: one forward and one back a leapfrog step, and the warm-up."""
    moves = rows * plan["chains"] * plan["temperatures"] * plan["leapfrog"]
    return round(2 * (directions + WARM_UP) * moves)


def _in_words(plan: Mapping[str, Any]) -> str:
    chains, temperatures, leapfrog, start = (plan[name] for name in PLAN)
    return f"{chains} chains x {temperatures} temperatures x {leapfrog} leapfrog steps from the {start}"


def _in_short(plan: Mapping[str, Any]) -> str:
    return f"{plan['start']}-{plan['chains']}x{plan['temperatures']}x{plan['leapfrog']}"


ANNEALED = Method({"split": None, **PLAN}, measure_annealed, annealed_line)
BIDIRECTIONAL = Method(PLAN, measure_bidirectional, bidirectional_line)
