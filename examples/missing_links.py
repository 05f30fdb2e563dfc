"""Links held out of a graph, and how well autoencoders of the rest find them.

    python examples/missing_links.py cora.npz --splits 10

A split holds out a tenth of the links for testing and a twentieth for validation, with as many pairs that are not
linked (`iwax.data.split_links`). The printed models are those of Kipf and Welling (2016, arXiv:1611.07308): two graph
convolutions, 32 and 16 units, 200 steps of Adam at 0.01, links weighted by the ratio of absent to present pairs, ranked
by the scores of mean latents. The others ascend bounds on log p(A), of pairs that are known. Area under the ROC curve
and average precision are those of the test pairs; errors are over splits, and paired differences on the same ones.
What was measured is stored in the file of numbers, one split after the other, and a second call goes on from there.
"""

import argparse
import json
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from iwax import bounds, data, evaluation, gradients, likelihoods, nn, posteriors, priors, training
from iwax.model import LatentVariableModel

HIDDEN, LATENT = 32, 16


@dataclass(frozen=True)
class System:
    """A model of a graph, as a combination of parts, and what it ascends."""

    posterior: str  # point or gaussian
    prior: str = "standard_normal"  # or features
    printed: bool = True  # the printed objective, which is no likelihood
    features: bool = True
    k: int = 1
    bound: str = "elbo"
    score: str = "inner_product"
    decay: float = 0.0

    def build(self, split: data.LinkSplit, *, seed: int) -> tuple[LatentVariableModel, gradients.AnyObjective]:
        """The untrained model of the training links, and its objective."""
        graph, keys = split.train, jax.random.split(jax.random.key(seed), 3)
        nodes, heads = len(graph.nodes), 1 if self.posterior == "point" else 2
        network = nn.GraphConvolution(
            graph.links,
            nodes,
            hidden=(HIDDEN,),
            out=heads * LATENT,
            features=jnp.asarray(graph.features) if self.features and graph.features is not None else None,
            heads=heads,
            key=keys[0],
        )
        posterior = posteriors.Point(network) if self.posterior == "point" else posteriors.Gaussian(network)
        model = LatentVariableModel(self._prior(graph, key=keys[1]), self._likelihood(split), posterior)
        if self.posterior == "point":
            return model, gradients.Tempered(gradients.Objective(gradients.pathwise(bounds.elbo), k=1), 0.0)
        if self.bound == "elbo" and self.prior == "standard_normal":
            return model, gradients.closed_form_kl(k=self.k)
        bound = {"elbo": bounds.elbo, "iwae": bounds.iwae}[self.bound]
        return model, gradients.Objective(gradients.pathwise(bound), k=self.k)

    def _prior(self, graph: data.Graph, *, key: jax.Array) -> Any:
        if self.prior == "standard_normal":
            return priors.StandardNormal(len(graph.nodes) * LATENT)
        features = jnp.asarray(graph.features)
        network = nn.MLP(features.shape[1], (HIDDEN,), 2 * LATENT, activation="relu", heads=2, key=key)
        return priors.OfFeatures(network, features, floor=1e-3)

    def _likelihood(self, split: data.LinkSplit) -> likelihoods.Graph:
        graph, nodes = split.train, len(split.train.nodes)
        if self.printed:
            ends = 2 * len(graph.links)
            weight = (nodes**2 - ends) / ends
            return likelihoods.Graph(nn.InnerProduct(), graph.links, nodes, edge_weight=weight, loops=True)
        bias = math.log(graph.density / (1 - graph.density))
        score = {
            "inner_product": lambda: nn.ScaledInnerProduct(bias=bias),
            "degree": lambda: nn.DegreeCorrected(bias),
            "distance": lambda: nn.Distance(bias + 2 * LATENT),
        }[self.score]()
        return likelihoods.Graph(score, graph.links, nodes, unknown=split.held_out)


SYSTEMS: dict[str, System] = {
    "GAE*": System("point", features=False),
    "VGAE*": System("gaussian", features=False),
    "GAE": System("point"),
    "VGAE": System("gaussian"),
    "honest": System("gaussian", printed=False),
    "honest, features": System("gaussian", prior="features", printed=False, decay=1e-3),
    "honest, features, k = 5": System("gaussian", prior="features", printed=False, k=5, bound="iwae", decay=1e-3),
    "honest, features, degrees": System("gaussian", prior="features", printed=False, score="degree", decay=1e-3),
}


def measured(system: System, split: data.LinkSplit, *, seed: int, steps: int) -> dict[str, float]:
    """A model trained on the training links, and how it ranks the test pairs; bounds of log p(A), nats."""
    model, objective = system.build(split, seed=seed)
    x = np.ones((1, len(split.train.links)), np.float32)
    adam = optax.adam(0.01) if not system.decay else optax.adamw(0.01, weight_decay=system.decay)
    begun = time.perf_counter()
    found = training.fit(
        model, objective, x, optimizer=adam, epochs=steps, batch=1, key=jax.random.key(seed), progress=False
    )
    seconds = time.perf_counter() - begun
    z = found.model.infer(jnp.asarray(x[0]), key=jax.random.key(0)).mean
    links, absent = (
        np.asarray(found.model.likelihood.log_odds_of(z, jnp.asarray(pairs)))
        for pairs in (split.test.links, split.test.absent)
    )
    numbers = {
        "auc": evaluation.auroc(links, absent).value,
        "ap": evaluation.average_precision(links, absent),
        "seconds": seconds,
    }
    if not system.printed:
        evidence = evaluation.log_evidence(found.model, x, k=100, chunk=5, key=jax.random.key(1))
        numbers |= {"elbo": float(evidence.elbo[0]), "log_evidence": float(evidence.log_evidence[0])}
        numbers["ess"] = float(evidence.ess[0])
    return numbers


def table(numbers: dict[str, Any]) -> str:
    """Means over splits with their standard errors, in hundredths."""
    lines = [f"{'':28}{'AUC':>16}{'AP':>16}{'bound, nats':>14}{'seconds':>9}"]
    for name, splits in numbers["systems"].items():
        rows = list(splits.values())
        cells = [_mean([100 * row[key] for row in rows]) for key in ("auc", "ap")]
        bound = f"{np.mean([row['log_evidence'] for row in rows]):,.0f}" if "log_evidence" in rows[0] else ""
        seconds = f"{np.median([row['seconds'] for row in rows]):.1f}"
        lines.append(f"{name:28}{cells[0]:>16}{cells[1]:>16}{bound:>14}{seconds:>9}")
    lines += [
        f"{one} - {other}: {_mean([100 * (a[i]['auc'] - b[i]['auc']) for i in a.keys() & b.keys()])} AUC, paired"
        for one, other in (("VGAE", "GAE"), ("VGAE*", "GAE*"))
        if (a := numbers["systems"].get(one)) and (b := numbers["systems"].get(other))
    ]
    return "\n".join(lines)


def _mean(values: list[float]) -> str:
    error = np.std(values, ddof=1) / math.sqrt(len(values)) if len(values) > 1 else float("nan")
    return f"{np.mean(values):.2f} +/- {error:.2f}"


def main() -> None:
    words = argparse.ArgumentParser(description="Links held out of a graph, found by autoencoders of the rest.")
    words.add_argument("graph", type=Path, help="a list of links, or .npz with edges (iwax.data.read_graph)")
    words.add_argument("--systems", nargs="*", choices=SYSTEMS, default=[*SYSTEMS])
    words.add_argument("--splits", type=int, default=10)
    words.add_argument("--steps", type=int, default=200)
    words.add_argument("--numbers", type=Path, default=Path("missing_links.json"))
    asked = words.parse_args()
    graph = data.read_graph(asked.graph)
    numbers: dict[str, Any] = {"command": f"python examples/missing_links.py {asked.graph.name}", "systems": {}}
    numbers |= {"steps": asked.steps, "graph": graph.name}
    if asked.numbers.is_file():
        numbers = json.loads(asked.numbers.read_text(encoding="utf-8"))
        if (numbers["steps"], numbers["graph"]) != (asked.steps, graph.name):
            raise SystemExit(f"{asked.numbers} holds what was measured with other options: name another with --numbers")
    for split in range(asked.splits):
        held = data.split_links(graph, seed=split)
        for name in asked.systems:
            of_splits = numbers["systems"].setdefault(name, {})
            if str(split) not in of_splits:
                of_splits[str(split)] = measured(SYSTEMS[name], held, seed=split, steps=asked.steps)
                asked.numbers.write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")
                sys.stderr.write(f"split {split}, {name}: {of_splits[str(split)]}\n")
    sys.stdout.write(f"{table(numbers)}\n")


if __name__ == "__main__":
    main()
