"""What the noise of stochastic weights costs at evaluation: log p(x) as trained, and with weights held at their means.

    python examples/cost_of_noise.py PLAIN RUN [RUN ...] -o cost_of_noise.json

RUN is a run with stochastic weights, PLAIN one of the same net without. An encoder at its mean weights is another
proposal for the same model, so where it gives more, log p(x) was missed and not lost; with the decoder at its mean too
the model is another one. Every number is given with its paired difference from PLAIN, on the same test rows.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import numpy as np

from iwax import evaluation, weights
from iwax.model import LatentVariableModel
from iwax.runs import Run, open_run
from iwax.runs.comparison import paired_difference

Variants = Iterator[tuple[str, LatentVariableModel]]


def variants(model: LatentVariableModel) -> Variants:
    """The model as it was trained, with its encoder at the mean, and all of it, as far as these differ."""
    yield "as trained", model
    if weights.random_layers(model.posterior):
        model = eqx.tree_at(lambda each: each.posterior, model, weights.at_mean(model.posterior))
        yield "encoder at its mean", model
    if weights.random_layers(model.likelihood):
        yield "all at the mean", weights.at_mean(model)


def measured(trained: Run, k: int, limit: int | None, seed: int) -> dict[str, evaluation.Evidence]:
    """Evidence of all variants of a run, with the same keys."""
    test = trained.dataset().test.values
    rows = trained.to_model_scale(np.asarray(test)[:limit], source=f"the test rows of {trained.config.data.name}")
    key = jax.random.key(seed)
    return {name: evaluation.log_evidence(model, rows, k=k, key=key) for name, model in variants(trained.model)}


def described(found: evaluation.Evidence, plain: evaluation.Evidence) -> dict[str, Any]:
    """The figures of one evaluation, and how far it lies above the plain one."""
    difference, error = paired_difference(found.log_evidence, plain.log_evidence)
    return {
        "log_evidence": found.mean,
        "standard_error": found.standard_error,
        "elbo": found.elbo_mean,
        "ess_median": found.ess_median,
        "above_plain": difference,
        "above_plain_error": error,
    }


def main() -> None:
    """Measure, print, write."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("plain", type=Path, metavar="PLAIN")
    asked.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    asked.add_argument("--k", type=int, default=1000)
    asked.add_argument("--limit", type=int, help="at most this many test rows")
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("-o", "--output", type=Path, default=Path("cost_of_noise.json"))
    given = asked.parse_args()
    plain = measured(open_run(given.plain), given.k, given.limit, given.seed)["as trained"]
    found: dict[str, Any] = {"k": given.k, "rows": len(plain.log_evidence), "seed": given.seed, "runs": {}}
    sys.stdout.write(f"{given.plain.name}: {plain.mean:.2f} +/- {plain.standard_error:.2f} nats\n")
    for run in given.runs:
        found["runs"][run.name] = {}
        for name, evidence in measured(open_run(run), given.k, given.limit, given.seed).items():
            each = found["runs"][run.name][name] = described(evidence, plain)
            sys.stdout.write(f"{run.name}, {name}: {each['log_evidence']:.2f}, above {given.plain.name} by ")
            sys.stdout.write(
                f"{each['above_plain']:.3f} +/- {each['above_plain_error']:.3f}; ELBO {each['elbo']:.2f}\n"
            )
    given.output.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
