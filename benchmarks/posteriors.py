"""The time of a training step with every flow posterior, the VampPrior and others, relative to the same net without.

    python benchmarks/posteriors.py --save        784-300-300 gated, 40 latents, batch 100, k = 1

A round times a block of steps of each preset, one after the other, through the compiled segment that every run uses.
Ratios are taken within a round, to `gated-vae`, and their median over the rounds is reported; next to it is the
ratio of the matrix products that the preset cannot do without. A VampPrior's step stands, besides, against the sum
of the plain net's and of the bare products of as many more encoder rows, forward and back, as it has pseudo-inputs.
"""

from functools import partial

import ceilings
import interleaved
import machine
import tables
from network import PIXELS
from presets import preset, weights

from iwax import posteriors
from iwax.model import LatentVariableModel

REFERENCE = "gated-vae"
PSEUDO_INPUTS = 500  # of the preset vamp
ROWS = f"products of {PSEUDO_INPUTS} encoder rows"
ENCODER = (PIXELS, 300, 300, 80)
PRESETS = (
    REFERENCE, "full-gaussian", "householder-1", "householder-10", "linear-iaf", "cc-linear-iaf-5", "planar-10",
    "planar-80", "nice-10", "nice-80", "hvi-1", "hvi-8", "iaf-2", "real-nvp-4", "sylvester-4", "vamp", "exemplar",
    "flow-prior", "hvae", "hvae-vamp", "ladder-5",
)  # fmt: skip


def products(model: LatentVariableModel, batch: int) -> float:
    """Multiply-adds of the matrices per data point, forward: each weight once, but where a part asks for its net again.

    A VampPrior encodes its pseudo-inputs; T leapfrog steps take T + 1 gradients of the decoder, each a pass forward and
    one back, and are themselves differentiated.
    """

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
    """Compile all, time them interleaved, print the table."""
    options = interleaved.parser((__doc__ or "").partition("\n")[0], "posteriors", batch=100).parse_args()
    threads = machine.use_processors(options.threads)
    work: dict[str, float] = {}

    def made(name: str) -> interleaved.Steps:
        model, objective, _ = preset(name)
        work[name] = products(model, options.batch)
        return interleaved.training_steps(objective, options.batch, model)

    result = machine.description(threads, ["iwax", "jax", "jaxlib", "equinox", "optax", "numpy"])
    steps = {name: partial(made, name) for name in PRESETS}
    result |= interleaved.taken(
        steps | {ROWS: partial(ceilings.gated_products, PSEUDO_INPUTS, ENCODER)}, REFERENCE, options
    )
    result["products"] = {name: each / work[REFERENCE] for name, each in work.items()}
    rounds = result["rounds"]
    if {"vamp", ROWS} <= rounds.keys():
        floor = [plain + rows for plain, rows in zip(rounds[REFERENCE], rounds[ROWS], strict=True)]
        result["vamp"] = machine.ratios(rounds["vamp"], floor)
    print(tables.posteriors(result))
    if options.save:
        machine.save("posteriors", result)
        tables.write()


if __name__ == "__main__":
    main()
