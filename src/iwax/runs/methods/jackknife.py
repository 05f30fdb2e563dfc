"""The jackknife: estimates of log p(x) from few draws per set, averaged over many sets."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from iwax import evaluation
from iwax.runs.methods.method import Method, Outcome, Task, whole
from iwax.settings.fields import LARGEST_K
from iwax.streams import Run

__all__ = ["Jackknife"]


@dataclass(frozen=True)
class Jackknife(Method):
    """The jackknife of an order, its mean over ``repeats`` sets of k draws per row: of order 0 a bound, else none.

    >>> Jackknife(order=2).formatted(Jackknife.stem, split="test")
    'jackknife2-test-k32x20'
    """

    k: int = whole(32, 1, LARGEST_K)
    order: int = whole(1, 0, 8)
    repeats: int = whole(20, 1, 10**6)

    name = "jackknife"
    stem = "jackknife{order}-{split}-k{k}x{repeats}"
    plan = "k = {k}, means of the same {repeats} sets of draws"
    work = "{n} rows with {repeats} sets of k={k}"
    details = (
        "jackknife of order {order}, {meant}",
        "{repeats} sets of k={k}, {dataset}, {rows}",
        "IWAE of the same sets {orders[0][log_evidence]:.2f}",
        "Monte-Carlo error {monte_carlo_error:.3f?}",
    )

    @property
    def draws(self) -> int:
        """Each draw is one pass."""
        return self.k * self.repeats

    def measure(self, task: Task) -> Outcome:
        """The jackknife of the order, of every lower one for comparison, and the ELBO, of the same sets of draws."""
        settings = {"k": self.k, "orders": range(self.order + 1), "repeats": self.repeats}
        found = evaluation.jackknife_evidence(
            task.run.model, task.x, key=task.key(Run.JACKKNIFE), progress=task.reporter.evaluation, **settings
        )
        columns = {"rows": found.rows, "log_evidence": found.estimate[-1], "monte_carlo_error": found.error[-1]}
        columns |= {"elbo": found.elbo, "elbo_error": found.elbo_error}
        for order in found.orders:
            columns |= {f"order_{order}": found.estimate[order], f"order_{order}_error": found.error[order]}
        means = zip(found.orders, found.kind, found.mean.tolist(), strict=True)
        orders = [{"order": order, "kind": kind, "log_evidence": mean} for order, kind, mean in means]
        return Outcome(columns, [], {"kind": found.kind[-1], "orders": orders})

    @classmethod
    def words(cls, summary: Mapping[str, Any]) -> dict[str, Any]:
        """Of an order above 0, that no bound is meant."""
        return {"meant": "a lower bound" if summary["kind"] == "lower" else "an estimate and no bound"}
