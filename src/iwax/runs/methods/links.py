"""How well a model of a graph finds the links that were held out of it, and a bound on log p of what it was given."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from iwax import evaluation, inference
from iwax.runs.methods.importance import COLUMNS
from iwax.runs.methods.method import Method, Outcome, Task, whole
from iwax.settings.fields import LARGEST_K
from iwax.streams import Run

__all__ = ["Links"]

_PARTS = {"valid": 1, "test": 2}
_FEW = 5.0  # draws of k that count, below which probabilities are those of q


@dataclass(frozen=True)
class Links(Method):
    """Area under the ROC curve and average precision of held-out pairs; log p of the training graph from k draws.

    Pairs are ranked by their scores at the means of q(z|A) of the training links, as Kipf and Welling (2016,
    arXiv:1611.07308) rank them. Raises ValueError for a run that is not of a graph, and for the split of training.

    >>> Links(k=20).formatted(Links.stem, split="test")
    'links-test-k20'
    """

    k: int = whole(100, 1, LARGEST_K)

    name = "links"
    stem = "links-{split}-k{k}"
    plan = "held-out links, and the IWAE bound of the training graph at k = {k}"
    work = "a graph with k={k}"
    head = "{split} links: AUC = {auc:.4f} +/- {auc_error:.4f?}, AP = {average_precision:.4f}"
    details = (
        "{links} links and {absent} pairs without, {dataset}",
        "log p(A) of the training graph {above}= {log_evidence:.0f} nats",
        "ESS {ess_median:.1f} of {k}",
    )
    takes_missing = True

    @property
    def draws(self) -> int:
        """Each draw is one pass."""
        return self.k

    def rows(self, task: Task) -> int:
        """One: the graph."""
        return 1

    def measure(self, task: Task) -> Outcome:
        """The ranking of the held-out pairs of the split, from what training knew."""
        graph = task.run.dataset().graph
        if graph is None or task.split not in _PARTS:
            got = f"the split {task.split}" if graph is not None else "rows"
            raise ValueError(f"the method links needs the valid or test pairs of a graph, got {got}")
        model, known = task.run.model, task.run.rows("train")
        asked = graph.part == _PARTS[task.split]
        truth, pairs = task.run.rows("test")[0][asked] == 1, graph.pairs[asked]
        key = task.key(Run.EVIDENCE)
        z = inference.embed(model, known, key=key, missing=True)[0]
        scores = np.asarray(inference.graph_of(model).log_odds_of(jnp.asarray(z), jnp.asarray(pairs)))
        area = evaluation.auroc(scores[truth], scores[~truth])
        progress = task.reporter.evaluation
        found = evaluation.log_evidence(model, known, k=self.k, chunk=5, key=key, missing=True, progress=progress)
        about = {
            "auc": area.value,
            "auc_error": area.standard_error,
            "average_precision": evaluation.average_precision(scores[truth], scores[~truth]),
            "links": int(truth.sum()),
            "absent": int((~truth).sum()),
            "likelihood": inference.graph_of(model).edge_weight == 1,
        }
        warnings = [] if found.ess[0] >= _FEW else [_few(float(found.ess[0]), self.k)]
        return Outcome({name: vars(found)[name] for name in COLUMNS}, warnings, about)

    @classmethod
    def words(cls, summary: Mapping[str, Any]) -> dict[str, Any]:
        """Whether the number is a bound on a log-probability."""
        return {"above": ">" if summary["likelihood"] else "(weighted links: no likelihood) "}


def _few(ess: float, k: int) -> str:
    return (
        f"{ess:.1f} of {k} draws of all latents carry the weight, as is usual of a whole graph: read log p(A) as a "
        "lower bound"
    )
