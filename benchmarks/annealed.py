"""The time of annealed importance sampling, relative to the decoder's own products.

    python benchmarks/annealed.py --save

Burda's one-layer network on made-up binary images. A leapfrog step costs one pass forward and one back to the latents
for every chain of every image, and nothing else is asked of the decoder; the ceiling is those products alone, for as
many rows as a block of images has chains. The time of the warm-up that tunes the steps is part of an evaluation.
"""

import argparse

import ceilings
import jax
import machine
import tables
from network import DECODER, binary_images
from step import model

from iwax import evaluation
from iwax.evaluation.annealed import rows_at_once

PLAN = ("chains", "temperatures", "leapfrog")


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--chains", type=int, default=16)
    parser.add_argument("--temperatures", type=int, default=1000)
    parser.add_argument("--leapfrog", type=int, default=10)
    parser.add_argument("--batch", type=int, help="images a block; as iwax chooses without")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--save", action="store_true", help="write results/annealed.json and the table of README.md")
    return parser.parse_args()


def measured(options: argparse.Namespace, batch: int) -> dict[str, list[float]]:
    """Seconds of every round: of an evaluation of all images, and of its decoder's products alone."""
    plan = {name: getattr(options, name) for name in PLAN}
    trained, images = model(jax.random.key(0)), binary_images(options.images, seed=0)
    products = ceilings.latent_gradient_products(batch * options.chains)
    wanted = options.temperatures * options.leapfrog
    steps = round(wanted * options.images / batch)

    def evaluate(rows: int) -> None:
        evaluation.annealed_evidence(trained, images[:rows], key=jax.random.key(1), batch=batch, **plan)

    seconds: dict[str, list[float]] = {"evaluation": [], "products": []}
    evaluate(batch)  # compiles
    products(1)
    for _ in range(options.rounds):
        seconds["evaluation"].append(machine.seconds(evaluate, options.images))
        seconds["products"].append(machine.seconds(products, steps) * wanted * options.images / (steps * batch))
    return seconds


def main() -> None:
    """Measure, print the table, and save it where that is asked for."""
    options = parsed()
    threads = machine.use_processors(options.threads)
    result = machine.description(threads, ["iwax", "jax", "jaxlib", "numpy"])
    batch = options.batch or rows_at_once(options.images, options.chains)
    seconds = measured(options, batch)
    result |= {
        "decoder": DECODER,
        **{name: getattr(options, name) for name in ("images", *PLAN)},
        "images_a_block": batch,
        "images_per_minute": {
            name: machine.summary([60 * options.images / each for each in values]) for name, values in seconds.items()
        },
        "ratio": machine.ratios(seconds["products"], seconds["evaluation"]),
        "rounds": seconds,
    }
    print(tables.annealed(result))
    if options.save:
        machine.save("annealed", result)
        tables.write()


if __name__ == "__main__":
    main()
