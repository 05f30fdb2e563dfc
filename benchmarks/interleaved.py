"""Interleaved timing of training steps: each for a block at a time, round after round, next to one of them."""

import argparse
import sys
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import machine
import optax
from network import binary_images
from step import Timed, calibrated, model

from iwax import gradients, training
from iwax.model import LatentVariableModel

Steps = Callable[[int], Any]  # runs a number of further steps, and waits for them


def parser(what: str, name: str, batch: int) -> argparse.ArgumentParser:
    """The options that these benchmarks share; --save writes results/<name>.json."""
    options = argparse.ArgumentParser(description=what)
    options.add_argument("--rounds", type=int, default=9)
    options.add_argument("--block", type=float, default=0.3, help="seconds that a timed block lasts, about")
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--batch", type=int, default=batch)
    options.add_argument("--only", nargs="+", metavar="WORD", help="those whose name holds one of these words")
    options.add_argument("--save", action="store_true", help=f"write results/{name}.json and the table of README.md")
    return options


def training_steps(
    objective: gradients.AbstractObjective,
    batch: int,
    net: LatentVariableModel | None = None,
    k: int = 1,
    data: jax.Array | None = None,
) -> Steps:
    """Further steps of the real training path, of Burda's net or another, in the pieces that a run of k would take.

    On made-up images, or on these ``data``.
    """
    data = jnp.asarray(binary_images(20 * batch, seed=0)) if data is None else data
    optimizer, rows = optax.adam(1e-3), len(data)
    plan = training.Plan(epochs=1, batch=batch, seed=0, piece=training.rows_per_piece(batch, k))
    control = objective.init()
    net = model(jax.random.key(0)) if net is None else net
    state = training.initial_state(net, optimizer, control=control)
    advance = training.compile_segment(training.updates(objective, optimizer, plan, rows), state)
    order = jnp.arange(rows)
    state = jax.tree.map(lambda leaf: jnp.array(leaf) if isinstance(leaf, jax.Array) else leaf, state)

    def run(steps: int) -> None:
        nonlocal state
        state, finite = advance(state, data, order, int(state.step) + steps)
        if not finite:
            raise FloatingPointError("a loss was not finite")

    return run


def taken(made: Mapping[str, Callable[[], Steps]], reference: str, options: argparse.Namespace) -> dict[str, Any]:
    """The milliseconds of a step of each that ``options.only`` asks for, and its ratio to the reference's.

    A round times a block of steps of each, one after the other; ratios are taken within a round, and their median over
    the rounds is reported.
    """
    steps: dict[str, Timed] = {}
    for name, make in made.items():
        if name == reference or not options.only or any(word in name for word in options.only):
            print(f"compiling {name}", file=sys.stderr)
            steps[name] = timed(make(), options.block)
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(options.rounds):
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
        for name, one in steps.items():
            seconds[name].append(one())
    return {
        "batch": options.batch,
        "milliseconds": {name: machine.summary([1e3 * s for s in each]) for name, each in seconds.items()},
        "ratio": {name: machine.ratios(each, seconds[reference]) for name, each in seconds.items()},
        "rounds": seconds,
    }


def timed(run: Steps, block: float) -> Timed:
    """The time of a step, a block at a time."""
    steps = calibrated(run, block)
    return lambda: machine.seconds(run, steps) / steps
