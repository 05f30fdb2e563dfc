"""Bidirectional Monte Carlo: log p(x) between two bounds, of rows that are simulated from the model."""

from dataclasses import asdict, dataclass

from iwax import evaluation
from iwax.runs.methods.annealed import COLUMNS, Chains
from iwax.runs.methods.method import Outcome, Task
from iwax.streams import Run

__all__ = ["Bidirectional"]

SIMULATED_ROWS = 100  # where no limit says how many


@dataclass(frozen=True)
class Bidirectional(Chains):
    """Annealed chains in both directions.

    >>> Bidirectional(temperatures=100).formatted(Bidirectional.stem, split="simulated")
    'bidirectional-simulated-prior-16x100x10'
    """

    name = "bidirectional"
    stem = "bidirectional-{split}-{origin}-{chains}x{temperatures}x{leapfrog}"
    work = f"{{n}} simulated rows by {Chains.plainly}, both ways"
    head = (
        "simulated log p(x) between {log_evidence:.2f} +/- {standard_error:.2f?} "
        "and {log_evidence_upper:.2f} +/- {standard_error_upper:.2f?} nats"
    )
    details = (
        f"bidirectional: {Chains.plainly}, {{dataset}}, {{rows}}",
        "gap {gap:.2f} +/- {gap_standard_error:.2f?}",
        "acceptance {acceptance:.2f} and {acceptance_upper:.2f}",
    )
    simulates = True
    directions = 2

    def rows(self, task: Task) -> int:
        """As many as the limit says."""
        return task.limit or SIMULATED_ROWS

    def measure(self, task: Task) -> Outcome:
        """Chains in both directions on rows simulated from the model: bounds of their log p(x) from both sides."""
        model, progress = task.run.model, task.reporter.evaluation
        both = evaluation.bidirectional_evidence(
            model, self.rows(task), key=task.key(Run.BIDIRECTIONAL), progress=progress, **asdict(self)
        )
        columns = {"rows": both.lower.rows, "x": both.x}
        for end, side in (("", both.lower), ("_upper", both.upper)):
            columns |= {f"{name}{end}": vars(side)[name] for name in COLUMNS}
        return Outcome(columns, both.warnings(), {"gap": both.gap_mean, "gap_standard_error": both.gap_error})
