"""The time of a training step of a variational graph autoencoder, relative to its own products, and its memory.

    python benchmarks/graphs.py --save

Made-up graphs of the sizes of Cora and Citeseer, with features, and of Pubmed, without: 32 hidden units, 16 latents for
each node, all pairs of nodes in the likelihood. The products are those of the features with the first weights, forward
and back, and of all pairs of latents, each pair once, forward and back, in tiles as the step takes them. Every graph is
measured in a process of its own, whose peak of resident memory the system keeps.
"""

import argparse
import json
import subprocess
import sys
from typing import Any

import ceilings
import interleaved
import jax
import jax.numpy as jnp
import machine
import numpy as np
import tables

from iwax import gradients, likelihoods, nn, posteriors, priors
from iwax.distributions.all_pairs import TILE
from iwax.model import LatentVariableModel

SIZES = ((2_708, 5_278, 1_433), (3_327, 4_552, 3_703), (19_717, 44_324, 0))  # nodes, links, features
HIDDEN, LATENT = 32, 16


def made_up(nodes: int, links: int, features: int) -> tuple[np.ndarray, jax.Array | None]:
    """Links drawn at random, and features of which a few in a hundred are 1."""
    random = np.random.default_rng(0)
    drawn = np.sort(random.integers(0, nodes, (2 * links, 2)), axis=1)
    pairs = np.unique(drawn[drawn[:, 0] < drawn[:, 1]], axis=0)[:links]
    known = None if not features else jnp.asarray(random.random((nodes, features)) < 0.02, jnp.float32)
    return pairs.astype(np.int32), known


def vgae(pairs: np.ndarray, nodes: int, features: jax.Array | None) -> LatentVariableModel:
    """The untrained model."""
    network = nn.GraphConvolution(
        pairs, nodes, hidden=(HIDDEN,), out=2 * LATENT, features=features, heads=2, key=jax.random.key(0)
    )
    return LatentVariableModel(
        prior=priors.StandardNormal(nodes * LATENT),
        likelihood=likelihoods.Graph(nn.InnerProduct(), pairs, nodes),
        posterior=posteriors.Gaussian(network),
    )


def products(nodes: int, features: jax.Array | None) -> ceilings.Run:
    """Features times weights, and back; and of every tile of pairs the scores, and back to both factors."""
    tile = min(TILE, nodes)
    blocks = -(-nodes // tile)
    places = jnp.asarray(np.stack(np.triu_indices(blocks), axis=1))
    z = ceilings.normals((blocks, tile, LATENT), 1)

    def once(inputs: Any, known: Any, _: Any) -> Any:
        weight, z = inputs

        def of_tile(total: jax.Array, place: jax.Array) -> tuple[jax.Array, None]:
            rows, columns = z[place[0]], z[place[1]]
            scores = rows @ columns.T
            return total.at[place[0]].add(scores @ columns).at[place[1]].add(scores.T @ rows), None

        total, _ = jax.lax.scan(of_tile, jnp.zeros_like(z), places)
        if known is None:
            return total, weight
        hidden = known @ weight
        return total, known.T @ hidden

    weight = ceilings.normals((1 if features is None else features.shape[1], HIDDEN), 2)
    return ceilings.looped(once, (weight, z), features, (jnp.zeros_like(z), jnp.zeros_like(weight)))


def measured(nodes: int, links: int, features: int, options: argparse.Namespace) -> dict[str, Any]:
    """The step and the products of one graph, a block of each in turn."""
    machine.use_processors(options.threads)
    pairs, known = made_up(nodes, links, features)
    data = jnp.ones((1, len(pairs)))
    objective = gradients.closed_form_kl(k=1)
    steps = {
        "step": interleaved.timed(
            interleaved.training_steps(objective, 1, vgae(pairs, nodes, known), data=data), options.block
        )
    }
    peak = machine.resident_peak()
    steps["products"] = interleaved.timed(products(nodes, known), options.block)
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(options.rounds):
        for name, one in steps.items():
            seconds[name].append(one())
    return {
        "nodes": nodes,
        "links": len(pairs),
        "features": features,
        "milliseconds": {name: machine.summary([1e3 * s for s in each]) for name, each in seconds.items()},
        "ratio": machine.ratios(seconds["step"], seconds["products"]),
        "peak_gb": peak / 1e9,
    }


def main() -> None:
    """Measure every graph in a process of its own, print the table, and save it where that is asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--block", type=float, default=0.5, help="seconds that a timed block lasts, about")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--graph", type=int, help="measure this one alone, and print its numbers")
    parser.add_argument("--save", action="store_true", help="write results/graphs.json and the table of README.md")
    options = parser.parse_args()
    if options.graph is not None:
        print(json.dumps(measured(*SIZES[int(options.graph)], options)))
        return
    result = machine.description(options.threads, ["iwax", "jax", "jaxlib", "numpy"])
    result["graphs"] = []
    for number in range(len(SIZES)):
        asked = [f"--{name}={getattr(options, name)}" for name in ("rounds", "block", "threads")]
        command = [sys.executable, __file__, "--graph", str(number), *asked]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        result["graphs"].append(json.loads(done.stdout))
    print(tables.graphs(result))
    if options.save:
        machine.save("graphs", result)
        tables.write()


if __name__ == "__main__":
    main()
