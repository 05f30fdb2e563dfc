"""Annealed importance sampling: chains from the prior or q(z|x) to the posterior."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

from iwax import evaluation
from iwax.runs.methods.method import Method, Outcome, Task, whole
from iwax.streams import Run

__all__ = ["COLUMNS", "Annealed", "Chains"]

COLUMNS = ("log_evidence", "monte_carlo_error", "ess", "acceptance")


@dataclass(frozen=True)
class Chains(Method):
    """How many chains go over how many temperatures, with how many leapfrog steps at each, from where."""

    chains: int = whole(16, 1, 10**6)
    temperatures: int = whole(1000, 1, 10**7)
    leapfrog: int = whole(10, 1, 10**5)
    start: Literal["prior", "posterior"] = "prior"

    plainly: ClassVar[str] = (
        "{chains} chains x {temperatures} temperatures x {leapfrog} leapfrog steps from the {origin}"
    )
    directions: ClassVar[int] = 1

    @property
    def draws(self) -> int:
        """One pass forward and back per leapfrog step, and those of the warm-up over a tenth of the temperatures."""
        warm_up = max(50, self.temperatures // 10)
        return 2 * self.chains * (self.directions * self.temperatures + warm_up) * self.leapfrog

    def formatted(self, text: str, *, n: int = 0, split: str = "") -> str:
        """As of every method, with f_0 in the words of a table."""
        begun = "q(z|x)" if self.start == "posterior" else "the prior"
        return super().formatted(text.replace("{begun}", begun), n=n, split=split)

    def settings(self) -> dict[str, Any]:
        """Those of the chains; a summary's start is the run whose weights its run began with."""
        found = asdict(self)
        return found | {"origin": found.pop("start")}

    @classmethod
    def words(cls, summary: Mapping[str, Any]) -> dict[str, Any]:
        """Where chains started, which early summaries do not say."""
        return {} if "origin" in summary else {"origin": "prior or the posterior"}


@dataclass(frozen=True)
class Annealed(Chains):
    """``log (1/n) sum_i prod_t f_{beta_t}(z_{t-1}) / f_{beta_{t-1}}(z_{t-1})`` of n chains per row.

    >>> Annealed(chains=4, start="posterior").formatted(Annealed.stem, split="test")
    'annealed-test-posterior-4x1000x10'
    """

    name = "annealed"
    stem = "annealed-{split}-{origin}-{chains}x{temperatures}x{leapfrog}"
    plan = (
        "annealed importance sampling, {chains} chains from {begun}, {temperatures} temperatures, {leapfrog} leapfrog "
        "steps at each"
    )
    work = "{n} rows by " + Chains.plainly
    details = (
        f"annealed: {Chains.plainly}, {{dataset}}, {{rows}}",
        "acceptance {acceptance:.2f}",
        "ESS median {ess_median:.1f}",
        "Monte-Carlo error {monte_carlo_error:.2f?}",
    )

    def measure(self, task: Task) -> Outcome:
        """Chains for every row of a split."""
        model, progress = task.run.model, task.reporter.evaluation
        found = evaluation.annealed_evidence(
            model, task.x, key=task.key(Run.ANNEALING), progress=progress, **asdict(self)
        )
        return Outcome({name: vars(found)[name] for name in ("rows", *COLUMNS)}, found.warnings())
