"""The time of a training step with stochastic weights, or with memory, relative to the same net without.

    python benchmarks/networks.py --save        784-400 and back at k = 25; 784-500-500 and back at k = 1; batch 100

A round times a block of steps of each preset of a family, one after the other, through the compiled segment that
every run uses. Ratios are taken within a round, to the family's first, and their median over the rounds is reported;
next to it is the ratio of the matrix products: a stochastic layer takes two for one, of means and of variances.
"""

from functools import partial
from typing import Any

import interleaved
import jax
import machine
import tables
from presets import preset, weights

from iwax import nn
from iwax.model import LatentVariableModel

# memory's local reconstruction is another objective, not a part of the net: its price is not asked here
FAMILIES: dict[str, dict[str, list[str]]] = {
    "stochastic weights": {"iwae-400": [], "iwaeu-rec": [], "iwaeu-dec": [], "iwaeu": []},
    "memory": {"vae-500": [], "vae-530": [], "mem-vae": ["objective.local_reconstruction=null"]},
}


def products(model: LatentVariableModel, k: int) -> float:
    """Multiply-adds of the matrices per data point, forward: the decoder's and a stochastic encoder's k times.

    A deterministic encoder reads a data point once for all its samples. A stochastic one has its own noise for each
    sample; the products of its first layer, whose input is the data point, are still taken once.
    """
    leaves = jax.tree.leaves(model.posterior, is_leaf=lambda each: isinstance(each, nn.StochasticLinear))
    stochastic = [each for each in leaves if isinstance(each, nn.StochasticLinear)]
    total = weights(model.posterior)
    once = weights(stochastic[0]) if stochastic else total
    return k * weights(model.likelihood) + once + k * (total - once)


def family(name: str, options: Any) -> dict[str, Any]:
    """The steps of the presets of a family, timed interleaved."""
    made = {each: preset(each, *sets) for each, sets in FAMILIES[name].items()}
    reference, k = next((each, k) for each, (_, _, k) in made.items())
    steps = {
        each: partial(interleaved.training_steps, objective, options.batch, model, k)
        for each, (model, objective, k) in made.items()
    }
    work = {each: products(model, k) for each, (model, _, k) in made.items()}
    result = interleaved.taken(steps, reference, options)
    return result | {"k": k, "products": {each: value / work[reference] for each, value in work.items()}}


def main() -> None:
    """Compile all, time them interleaved, print the table."""
    options = interleaved.parser((__doc__ or "").partition("\n")[0], "networks", batch=100).parse_args()
    threads = machine.use_processors(options.threads)
    result = machine.description(threads, ["iwax", "jax", "jaxlib", "equinox", "optax", "numpy"])
    result["families"] = {name: family(name, options) for name in FAMILIES}
    print(tables.networks(result))
    if options.save:
        machine.save("networks", result)
        tables.write()


if __name__ == "__main__":
    main()
