"""The time of an evaluation of log p(x), relative to the decoder's own products.

    python benchmarks/evaluation.py --save

Burda's one-layer network on made-up binary images. The products are taken in pieces of as many rows as is fastest.
"""

import argparse

import ceilings
import jax
import machine
import tables
from network import DECODER, binary_images
from step import calibrated, model

from iwax import evaluation

PIECES = (500, 1000, 2500, 5000)  # rows of latents multiplied at once


def fastest_piece(block: float) -> tuple[int, ceilings.Run]:
    """The number of rows at which the decoder's products take least time per row, and those products."""
    runs = {rows: ceilings.decoder_products(rows) for rows in PIECES}
    steps = {rows: calibrated(run, block) for rows, run in runs.items()}
    rows = max(runs, key=lambda rows: rows * steps[rows])
    return rows, runs[rows]


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--images", type=int, default=40)
    parser.add_argument("--k", type=int, default=5000)
    parser.add_argument("--block", type=float, default=0.25, help="seconds in which the fastest piece is searched for")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--save", action="store_true", help="write results/evaluation.json and the table of README.md")
    return parser.parse_args()


def main() -> None:
    """Measure, print the table, and save it where that is asked for."""
    options = parsed()
    threads = machine.use_processors(options.threads)
    result = machine.description(threads, ["iwax", "jax", "jaxlib", "numpy"], jax.devices()[0].device_kind)
    trained, images = model(jax.random.key(0)), binary_images(options.images, seed=0)
    rows, products = fastest_piece(options.block)
    steps = round(options.images * options.k / rows)

    def evaluate() -> None:
        evaluation.log_evidence(trained, images, k=options.k, key=jax.random.key(1))

    evaluate()  # compiles
    seconds = {"evaluation": [], "products": []}
    for _ in range(options.rounds):
        seconds["evaluation"].append(machine.seconds(evaluate) / options.images)
        elapsed = machine.seconds(products, steps)
        seconds["products"].append(elapsed * options.k / (steps * rows))
    result |= {
        "decoder": DECODER,
        "images": options.images,
        "k": options.k,
        "rows_a_piece": rows,
        "milliseconds": {name: machine.summary([1e3 * s for s in each]) for name, each in seconds.items()},
        "ratio": machine.ratios(seconds["products"], seconds["evaluation"]),
        "rounds": seconds,
    }
    print(tables.evaluation(result))
    if options.save:
        machine.save("evaluation", result)
        tables.write()


if __name__ == "__main__":
    main()
