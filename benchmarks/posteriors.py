"""The time of a training step with every flow posterior, the VampPrior and others, beside the same net without.

    python benchmarks/posteriors.py --save        784-300-300 gated, 40 latents, batch 100, k = 1

A round times a block of steps of each preset, one after the other, through the compiled stretch that every run uses.
Ratios are taken within a round, to `gated-vae`, and their median over the rounds is reported; beside it stands the
ratio of the matrix products that the preset cannot do without.
"""

from functools import partial
from typing import Any

import equinox as eqx
import jax
import machine
import numpy as np
import tables
import turns
from network import PIXELS, binary_images

from iwax import posteriors
from iwax.experiments import build, from_sources
from iwax.experiments.objective import build_objective
from iwax.experiments.parts import Moments
from iwax.model import LatentVariableModel
from iwax.training import Objective

REFERENCE = "gated-vae"
PRESETS = (
    REFERENCE, "full-gaussian", "householder-1", "householder-10", "linear-iaf", "cc-linear-iaf-5", "planar-10",
    "planar-80", "nice-10", "nice-80", "hvi-1", "hvi-8", "iaf-2", "real-nvp-4", "sylvester-4", "vamp", "exemplar",
    "flow-prior", "hvae", "hvae-vamp", "ladder-5",
)  # fmt: skip


def preset(name: str) -> tuple[LatentVariableModel, Objective]:
    """The untrained model of a preset, and its objective with pathwise gradients."""
    config = from_sources(preset=name, flags={"data.name": "mnist-static", "objective.gradient": "pathwise"})
    config = config.model_copy(update={"model": config.model.model_copy(update={"likelihood": "bernoulli"})})
    rows = binary_images(build.needs_examples(config) or 1, seed=1).astype(np.float32)
    start = Moments(np.full(PIXELS, 0.13), np.full(PIXELS, 0.3), (28, 28), rows)
    key = jax.random.key(0)
    return build.build_model(config, start, key=key), build_objective(config.objective, PIXELS, key=key)


def products(model: LatentVariableModel, batch: int) -> float:
    """Multiply-adds of the matrices a datum, forward: each weight once, but where a part asks for its net again.

    A VampPrior encodes its pseudo-inputs; T leapfrog steps take T + 1 gradients of the decoder, each a pass forward and
    one back, and are themselves differentiated.
    """

    def weights(tree: Any) -> float:
        leaves = jax.tree.leaves(eqx.filter(tree, eqx.is_inexact_array))
        return float(sum(leaf.size for leaf in leaves if leaf.ndim >= 2))

    pseudo = getattr(getattr(model.prior, "top", model.prior), "pseudo_inputs", None)
    pseudo = getattr(model.prior, "exemplars", pseudo)
    total = weights(model) - (0 if pseudo is None else pseudo.size)
    if pseudo is not None:
        encoder = getattr(model.posterior, "top", model.posterior)
        total += weights(encoder) * pseudo.shape[0] / batch
    if isinstance(model.posterior, posteriors.Hamiltonian):
        total += 2 * (model.posterior.steps + 1) * weights(model.likelihood)
    return total


def main() -> None:
    """Compile all, take turns, print the table."""
    options = turns.parser(__doc__.splitlines()[0], "posteriors", batch=100).parse_args()
    threads = machine.use_processors(options.threads)
    work: dict[str, float] = {}

    def made(name: str) -> turns.Steps:
        model, objective = preset(name)
        work[name] = products(model, options.batch)
        return turns.training_steps(objective, options.batch, model)

    result = machine.description(threads, ["iwax", "jax", "jaxlib", "equinox", "optax", "numpy"])
    result |= turns.taken({name: partial(made, name) for name in PRESETS}, REFERENCE, options)
    result["products"] = {name: each / work[REFERENCE] for name, each in work.items()}
    print(tables.posteriors(result))
    if options.save:
        machine.save("posteriors", result)
        tables.write()


if __name__ == "__main__":
    main()
