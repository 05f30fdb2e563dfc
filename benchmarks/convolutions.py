"""The time of a training step of convolutional networks, relative to their own products and to eager PyTorch.

    python benchmarks/convolutions.py --save    a plain convolutional IWAE, and a VAE with a PixelCNN decoder

A round times, one after the other: a block of steps through the compiled segment that every run uses, the products of
all layers forward and backward in a loop of their own (of a convolution those of its windows laid out as a matrix,
which is taken as given), and a block of steps of the same net in eager PyTorch. Ratios are taken within a round.
"""

import argparse
import sys
from contextlib import ExitStack
from typing import Any, NamedTuple

import ceilings
import interleaved
import jax
import jax.numpy as jnp
import machine
import peers
import tables
from presets import preset
from step import timed_loop, timed_peer


class Case(NamedTuple):
    """A network by its settings, and the products (rows, inputs, outputs) of its layers for a batch and k draws."""

    batch: int
    k: int
    sets: tuple[str, ...]
    layers: tuple[tuple[int, int, int], ...]


def _plain(batch: int, k: int) -> tuple[tuple[int, int, int], ...]:
    dense = ((1568, 200), (200, 200), (200, 100)), ((50, 200), (200, 200), (200, 1568))
    down = ((196 * batch, 9, 16), (49 * batch, 9 * 16, 32), *((batch, *pair) for pair in dense[0]))
    draws = batch * k
    # a transposed convolution multiplies the pixels that it spreads, not those that it makes
    up = ((49 * draws, 32, 9 * 16), (196 * draws, 16, 9))
    return (*down, *((draws, *pair) for pair in dense[1]), *up)


def _pixelcnn(batch: int, k: int) -> tuple[tuple[int, int, int], ...]:
    encoder, maps = ((784, 200), (200, 200), (200, 100)), ((50, 200), (200, 200), (200, 784))
    pixels, seen = 784 * batch * k, 5  # places of a 3 x 3 kernel that come before, the pixel's own among them
    convolutions = ((pixels, seen - 1, 64), (pixels, 9, 64), *[(pixels, seen * 64, 64)] * 7, (pixels, 64, 1))
    return (*((batch, *pair) for pair in encoder), *((batch * k, *pair) for pair in maps), *convolutions)


CASES = {
    "conv": Case(100, 10, ("model.network=conv",), _plain(100, 10)),
    "pixelcnn": Case(20, 1, ("model.likelihood=pixelcnn",), _pixelcnn(20, 1)),
}


def products(layers: tuple[tuple[int, int, int], ...]) -> ceilings.Run:
    """Every layer's product forward, and the two of its backward pass, on numbers that are there."""

    def body(inputs: Any, weights: Any, _: Any) -> Any:
        outputs = [x @ weight for x, weight in zip(inputs, weights, strict=True)]
        back = [y @ weight.T for y, weight in zip(outputs, weights, strict=True)]
        return [(x.T @ y, jnp.sum(b[:1])) for x, y, b in zip(inputs, outputs, back, strict=True)], back

    inputs = [ceilings.normals(each[:2], number) for number, each in enumerate(layers)]
    weights = [ceilings.normals(each[1:], 100 + number) for number, each in enumerate(layers)]
    shapes = jax.eval_shape(body, inputs, weights, None)
    return ceilings.looped(body, inputs, weights, jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), shapes))


def steps_of(case: Case) -> interleaved.Steps:
    """Further steps of the real training path."""
    sets = ("model.latent=50", "model.hidden=[200,200]", f"objective.k={case.k}", *case.sets)
    model, objective, k = preset("iwae-1-k5" if case.k > 1 else "vae-1", *sets)
    return interleaved.training_steps(objective, case.batch, model, k)


def measured(name: str, case: Case, threads: int, options: argparse.Namespace) -> dict[str, Any]:
    """Seconds a step of everything in every round, and their ratios."""
    print(f"compiling {name}", file=sys.stderr)
    with ExitStack() as stack:
        timed = {
            "iwax": interleaved.timed(steps_of(case), options.block),
            "products": timed_loop(products(case.layers), options.block),
        }
        if options.peers:
            peer = stack.enter_context(peers.Peer(name, threads))
            timed["eager"] = timed_peer(peer, case.batch, case.k, options.block)
        rounds: dict[str, list[float]] = {each: [] for each in timed}
        for _ in range(options.rounds):
            for each, one in timed.items():
                rounds[each].append(one())
    return {
        "batch": case.batch,
        "k": case.k,
        "milliseconds": {each: machine.summary([1e3 * s for s in seconds]) for each, seconds in rounds.items()},
        "ratios": {each: machine.ratios(seconds, rounds["iwax"]) for each, seconds in rounds.items() if each != "iwax"},
        "rounds": rounds,
    }


def main() -> None:
    """Measure, print the table, and save it where that is asked for."""
    parser = interleaved.parser((__doc__ or "").partition("\n")[0], "convolutions", batch=0)
    parser.add_argument("--no-peers", dest="peers", action="store_false", help="iwax and its products alone")
    options = parser.parse_args()
    threads = machine.use_processors(options.threads)
    result = machine.description(threads, ["iwax", "jax", "jaxlib", "equinox", "optax", "numpy"])
    result["versions"] |= peers.versions("torch") if options.peers else {}
    chosen = {name: case for name, case in CASES.items() if not options.only or name in options.only}
    result["networks"] = {name: measured(name, case, threads, options) for name, case in chosen.items()}
    print(tables.convolutions(result))
    if options.save:
        machine.save("convolutions", result)
        tables.write()


if __name__ == "__main__":
    main()
