"""How far the random weights of a trained model spread: densities of draws, means and standard deviations.

    python examples/stochastic_weights.py RUN [RUN ...] -o weights.png

RUN is a run with stochastic weights, such as `iwax train mnist-static --preset iwaeu` makes. A line of the picture is
the encoder or the decoder of a run; printed are quantiles of the standard deviations, all equal to `sigma`
at the start, and the share of weights whose |mean| is below its standard deviation: those that could be left out.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np

from iwax import bnn, weights
from iwax.report.figures import weights as report
from iwax.runs import open_run

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def described(network: Any, *, key: Any) -> dict[str, Any]:
    """Histograms and quantiles of a network's random weights."""
    layers = weights.random_layers(network)
    sigmas = np.concatenate([np.ravel(sigma) for layer in layers for _, sigma in layer.normals()])
    return {
        **bnn.histogram(network, key=key),
        "weights_in_all": int(sigmas.size),
        "quantiles": {str(share): float(np.quantile(sigmas, share)) for share in QUANTILES},
        "below_one": float(np.mean(weights.signal_to_noise(network) < 1)),
    }


def main() -> None:
    """Measure, print, draw."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    asked.add_argument("-o", "--output", type=Path, default=Path("weights.png"), help="the picture (weights.png)")
    asked.add_argument("--seed", type=int, default=0)
    given = asked.parse_args()
    found: dict[str, dict[str, Any]] = {}
    for run in given.runs:
        trained = open_run(run)
        for part, network in (("encoder", trained.model.posterior), ("decoder", trained.model.likelihood)):
            if weights.random_layers(network):
                name = part if len(given.runs) == 1 else f"{run.name}, {part}"
                found[name] = described(network, key=jax.random.key(given.seed))
    if not found:
        raise SystemExit(
            f"{given.runs[0]}: a run with stochastic weights was needed (--set model.stochastic_weights=both)"
        )
    for name, each in found.items():
        spread = "  ".join(f"{float(share):.0%} {sigma:.4f}" for share, sigma in each["quantiles"].items())
        sys.stdout.write(f"{name}: {each['weights_in_all']:,} weights; standard deviations {spread}; ")
        sys.stdout.write(f"|mean| below its own: {each['below_one']:.0%}\n")
    report.histograms(found).write(given.output)
    given.output.with_suffix(".json").write_text(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
