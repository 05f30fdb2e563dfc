"""Bidirectional Monte Carlo against quadrature, on data simulated from a trained model with two latent units.

    iwax train mnist --set model.latent=2 --epochs 5 --set objective.k=5 --output two-latents
    python benchmarks/bracket.py two-latents --save

log p(x) of each simulated row is integrated on a grid, by the trapezoid rule; the chains' lower and upper bounds should
lie on both sides of it. Ends with 1 where their means do not, by more than four standard errors.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import machine
import numpy as np

from iwax import evaluation, runs
from iwax.evaluation.bidirectional import BidirectionalEvidence

RESULTS = Path(__file__).parents[1] / "results" / "bidirectional"
WIDTH = 7.0  # of the grid to each side: a standard normal beyond it weighs 3e-12


def on_grid(model: Any, x: np.ndarray, points: int, chunk: int = 20_000) -> np.ndarray:
    """log p(x) [n] of binary rows, nats, by a grid of points x points latents."""
    nodes = np.linspace(-WIDTH, WIDTH, points)
    log_area = 2 * np.log(nodes[1] - nodes[0])
    grid = np.stack(np.meshgrid(nodes, nodes, indexing="ij"), axis=-1).reshape(-1, 2)

    @eqx.filter_jit
    def log_joint(model: Any, z: Any) -> Any:
        logits = model.likelihood(z, key=jax.random.key(0)).logits  # [chunk, pixels]
        log_prior = -0.5 * jnp.sum(z**2, axis=1) - jnp.log(2 * jnp.pi)
        return jnp.asarray(x) @ logits.T - jax.nn.softplus(logits).sum(axis=1) + log_prior

    total = np.full(len(x), -np.inf)
    for first in range(0, len(grid), chunk):
        index = np.arange(first, first + chunk)
        values = np.asarray(log_joint(model, jnp.asarray(grid[index % len(grid)], x.dtype)), np.float64)
        values[:, index >= len(grid)] = -np.inf
        total = np.logaddexp(total, np.logaddexp.reduce(values, axis=1))
    return total + log_area


def mean_and_error(values: np.ndarray) -> dict[str, float]:
    """The mean over the rows and its standard error."""
    return {"mean": float(values.mean()), "error": float(values.std(ddof=1) / np.sqrt(values.size))}


def summary(both: BidirectionalEvidence, exact: np.ndarray, coarse: np.ndarray) -> dict[str, Any]:
    """The differences that matter, nats; errors are over the rows."""
    return {
        "quadrature": mean_and_error(exact),
        "quadrature_change_with_half_the_points": float(np.abs(exact - coarse).max()),
        "quadrature_minus_lower": mean_and_error(exact - both.lower.log_evidence),
        "upper_minus_quadrature": mean_and_error(both.upper.log_evidence - exact),
        "gap": mean_and_error(both.gap),
        "acceptance": {"forwards": both.lower.acceptance_mean, "backwards": both.upper.acceptance_mean},
        "ess_median": {"forwards": both.lower.ess_median, "backwards": both.upper.ess_median},
        "warnings": both.warnings(),
    }


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("run", help="a run folder of a model with two latent units and binary data")
    parser.add_argument("--rows", type=int, default=100)
    parser.add_argument("--points", type=int, default=1201, help="of the grid, each way")
    parser.add_argument("--chains", type=int, default=16)
    parser.add_argument("--temperatures", type=int, default=1000)
    parser.add_argument("--leapfrog", type=int, default=10)
    parser.add_argument("--start", choices=["prior", "posterior"], default="prior")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--save", action="store_true", help="write results/bidirectional/<data>-2d.json")
    return parser.parse_args()


def main() -> None:
    """Anneal both ways, integrate, compare."""
    options = parsed()
    threads = machine.use_processors(options.threads)
    trained = runs.open_run(options.run)
    plan = {name: getattr(options, name) for name in ("chains", "temperatures", "leapfrog", "start")}
    begun = time.perf_counter()
    both = evaluation.bidirectional_evidence(trained.model, options.rows, key=jax.random.key(options.seed), **plan)
    seconds = time.perf_counter() - begun
    exact, coarse = (on_grid(trained.model, both.x, points) for points in (options.points, options.points // 2 + 1))
    found = summary(both, exact, coarse)
    result = machine.description(threads, ["iwax", "jax", "jaxlib", "numpy"])
    result["command"] = result["command"].replace(options.run, "RUN")
    config = trained.config
    result["run"] = {
        "dataset": trained.about.name,
        "checkpoint": trained.checkpoint.name,
        "config": json.loads(config.model_dump_json(include={"model", "objective", "training", "seed"})),
    }
    result |= {"rows": options.rows, **plan, "seed": options.seed, "seconds": seconds, **found}
    print(json.dumps(found, indent=1))
    if options.save:
        RESULTS.mkdir(parents=True, exist_ok=True)
        path = RESULTS / f"{trained.about.name}-2d.json"
        path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    sides = (found["quadrature_minus_lower"], found["upper_minus_quadrature"])
    sys.exit(int(any(side["mean"] < -4 * side["error"] for side in sides)))


if __name__ == "__main__":
    main()
