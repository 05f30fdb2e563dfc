"""How good a model is: numbers with their errors."""

from iwax.evaluation.evidence import Evidence, log_evidence
from iwax.evaluation.latents import active_units, kl_per_unit, posterior_means, unit_activity
from iwax.evaluation.pareto import pareto_k, tail_size

__all__ = [
    "Evidence",
    "active_units",
    "kl_per_unit",
    "log_evidence",
    "pareto_k",
    "posterior_means",
    "tail_size",
    "unit_activity",
]
