"""The time of a training step, relative to what it cannot do without and to two peers.

    python benchmarks/step.py --save        six cells: batch 20 and 100 by k = 1, 5 and 50

A round times, one after the other: an epoch of `iwax.training.train` (permutation, compiled segment, record) in
single precision and, where the device has units for bfloat16, in mixed precision, the step's own matrix products, an
Adam update, the random numbers, and a block of steps of each peer. Ratios are taken within a round, and their median
over the rounds is reported.
"""

import argparse
import math
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from queue import Queue
from threading import Thread
from typing import Any, Literal, TypeAlias

import ceilings
import jax
import machine
import optax
import peers
import tables
from network import DECODER, ENCODER, HIDDEN, LATENT, PIXELS, binary_images, step_flops

from iwax import bounds, gradients, likelihoods, posteriors, priors, training
from iwax.bfloat16 import has_units
from iwax.model import LatentVariableModel
from iwax.nn import MLP

CELLS = tuple((batch, k) for batch in (20, 100) for k in (1, 5, 50))
WARM_UP = 3  # epochs: compilation, and stretches growing to the length of an epoch
Timed = Callable[[], float]  # seconds a step
Precision: TypeAlias = Literal["full", "mixed"]


class Course:
    """The real training path, an epoch at a time: called, it trains for one more and returns the seconds of a step.

    It runs in a thread of its own, which waits between epochs, so that several courses can take turns.
    """

    def __init__(self, batch: int, k: int, steps: int, precision: Precision, epochs: int) -> None:
        self.steps, self.epochs, self.since = steps, WARM_UP + epochs, 0.0
        self.asked: Queue[None] = Queue()
        self.answers: Queue[float | BaseException] = Queue()
        Thread(target=self.train, args=(batch, k, precision), daemon=True).start()
        for _ in range(WARM_UP):
            self()

    def __call__(self) -> float:
        """Train for an epoch; raises what the training raised."""
        self.asked.put(None)
        answer = self.answers.get()
        if isinstance(answer, BaseException):
            raise answer
        return answer / self.steps

    def train(self, batch: int, k: int, precision: Precision) -> None:
        """`iwax.training.train` on an epoch of ``steps`` steps, with this as its observer."""
        try:
            optimizer = optax.adam(1e-3)
            objective = gradients.Objective(gradients.pathwise(bounds.iwae), k=k)
            plan = training.Plan(
                epochs=self.epochs,
                batch=batch,
                seed=0,
                piece=training.rows_per_piece(batch, k),
                segment_seconds=600.0,  # its clock counts the other measurements too, which must not shorten segments
                precision=precision,
            )
            state = training.initial_state(model(jax.random.key(0)), optimizer)
            images = binary_images(batch * self.steps, seed=0)
            self.wait()
            training.train(state, objective, images, optimizer=optimizer, plan=plan, observer=self)
        except BaseException as error:
            self.answers.put(error)

    def wait(self) -> None:
        """Wait until an epoch is asked for, and start its clock."""
        self.asked.get()
        self.since = time.perf_counter()

    def segment(self, state: Any, progress: Any) -> bool:
        """Never ask to stop."""
        return False

    def epoch(self, state: Any, row: Mapping[str, int | float]) -> None:
        """The end of an epoch: its time, and a pause until the next is asked for."""
        self.answers.put(time.perf_counter() - self.since)
        if row["epoch"] < self.epochs:
            self.wait()

    def improved(self, state: Any) -> None:
        """There are no validation data."""


def model(key: jax.Array, pixels: int = PIXELS) -> LatentVariableModel:
    """Burda's one-layer network, for his pixels or another number of them."""
    of_likelihood, of_posterior = jax.random.split(key)
    return LatentVariableModel(
        prior=priors.StandardNormal(LATENT),
        likelihood=likelihoods.Bernoulli(MLP(LATENT, HIDDEN, pixels, key=of_likelihood)),
        posterior=posteriors.Gaussian(MLP(pixels, HIDDEN, 2 * LATENT, key=of_posterior, heads=2)),
    )


def calibrated(run: ceilings.Run, block: float) -> int:
    """How many steps of a compiled loop last about a block of seconds."""
    run(1)  # compiles
    steps = 1
    while (elapsed := machine.seconds(run, steps)) < block / 4:
        steps *= 2
    return max(1, round(steps * block / elapsed))


def timed_loop(run: ceilings.Run, block: float) -> Timed:
    """The time of a step of a compiled loop, a block at a time."""
    steps = calibrated(run, block)
    return lambda: machine.seconds(run, steps) / steps


def timed_peer(peer: peers.Peer, batch: int, k: int, block: float) -> Timed:
    """The time of a peer's step, a block at a time."""
    seconds = peer.seconds_a_step(batch=batch, k=k, steps=3)
    seconds = peer.seconds_a_step(batch=batch, k=k, steps=max(1, round(block / 4 / seconds)))  # now warm
    steps = max(1, round(block / seconds))
    return lambda: peer.seconds_a_step(batch=batch, k=k, steps=steps)


def measured(batch: int, k: int, workers: Mapping[str, peers.Peer], options: argparse.Namespace) -> dict[str, Any]:
    """One cell: seconds a step of everything in every round, and their ratios."""
    products = ceilings.training_products(batch, k)
    steps = calibrated(products, options.block)
    every: dict[str, Timed] = {
        "iwax": Course(batch, k, steps, "full", options.rounds),
        **({"mixed": Course(batch, k, steps, "mixed", options.rounds)} if has_units() else {}),
        "products": timed_loop(products, options.block),
        "adam": timed_loop(ceilings.adam_update(), options.block / 2),
        "random_numbers": timed_loop(ceilings.random_numbers(batch, k), options.block / 2),
        **{name: timed_peer(peer, batch, k, options.block) for name, peer in workers.items()},
    }
    seconds: dict[str, list[float]] = {name: [] for name in every}
    for _ in range(options.rounds):
        for name, timed in every.items():
            seconds[name].append(timed())
    parts = zip(seconds["products"], seconds["adam"], seconds["random_numbers"], strict=True)
    ratios = {
        "products": machine.ratios(seconds["products"], seconds["iwax"]),
        "products_adam_random_numbers": machine.ratios([sum(part) for part in parts], seconds["iwax"]),
        **{name: machine.ratios(seconds[name], seconds["iwax"]) for name in workers},
    }
    if "mixed" in seconds:
        ratios["mixed"] = machine.ratios(seconds["iwax"], seconds["mixed"])
        ratios |= {f"{name}_mixed": machine.ratios(seconds[name], seconds["mixed"]) for name in workers}
    return {
        "batch": batch,
        "k": k,
        "steps_an_epoch": steps,
        "milliseconds": {name: machine.summary([1e3 * s for s in each]) for name, each in seconds.items()},
        "ratios": ratios,
        "products_gflop_per_second": step_flops(batch, k) / machine.summary(seconds["products"])["median"] / 1e9,
        "rounds": seconds,
    }


def geometric_mean(values: list[float]) -> float:
    """exp of the mean logarithm."""
    return math.exp(sum(map(math.log, values)) / len(values))


def cell_named(name: str) -> tuple[int, int]:
    """'20x5' -> (20, 5)."""
    batch, _, k = name.partition("x")
    return int(batch), int(k)


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--block", type=float, default=0.5, help="seconds that a timed block lasts, about")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cells", type=cell_named, nargs="+", default=CELLS, metavar="BATCHxK")
    parser.add_argument("--peers", nargs="*", choices=peers.NAMES, default=list(peers.NAMES))
    parser.add_argument("--save", action="store_true", help="write results/step.json and the table of README.md")
    return parser.parse_args()


def main() -> None:
    """Measure the cells asked for, print the table, and save it where that is asked for."""
    options = parsed()
    threads = machine.use_processors(options.threads)
    result = machine.description(
        threads, ["iwax", "jax", "jaxlib", "equinox", "optax", "numpy"], jax.devices()[0].device_kind
    )
    result["network"] = {"encoder": ENCODER, "decoder": DECODER}
    result["cells"], result["over_cells"] = [], {}
    with ExitStack() as stack:
        workers = {name: stack.enter_context(peers.Peer(name, threads)) for name in options.peers}
        if workers:
            result["versions"] |= peers.versions()
        for batch, k in options.cells:
            print(f"batch {batch}, k = {k}", file=sys.stderr)
            result["cells"].append(measured(batch, k, workers, options))
    for name in result["cells"][0]["ratios"]:
        every = [cell["ratios"][name]["median"] for cell in result["cells"]]
        result["over_cells"][name] = {"geometric_mean": geometric_mean(every), "least": min(every)}
    print(tables.step(result))
    if options.save:
        machine.save("step", result)
        tables.write()


if __name__ == "__main__":
    main()
