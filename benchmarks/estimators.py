"""The time of a training step with every bound and every gradient estimator, beside pathwise IWAE at the same k.

    python benchmarks/estimators.py --save        batch 20, k = 50

A round times a block of steps of each, one after the other, through the compiled stretch that every run uses. Ratios
are taken within a round, to pathwise IWAE, and their median over the rounds is reported.
"""

import argparse
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import machine
import optax
import tables
from network import PIXELS, binary_images
from step import Timed, calibrated, model

from iwax import bounds, control_variates, gradients, nn, training
from iwax.model import LatentVariableModel

K = 50
BOUNDS = {
    "elbo": bounds.elbo,
    "iwae": bounds.iwae,
    "miwae(5)": bounds.miwae(5),
    "ciwae(0.05)": bounds.ciwae(0.05),
    "renyi(0.5)": bounds.renyi(0.5),
    "jackknife(1)": bounds.jackknife(1),
    "cubo(2)": bounds.cubo(2.0),
    "thermodynamic(5)": bounds.thermodynamic(5),
}
ESTIMATORS: dict[str, Callable[[bounds.Bound], gradients.Estimator]] = {
    "pathwise": gradients.pathwise,
    "sticking_the_landing": gradients.sticking_the_landing,
    "doubly_reparameterized": gradients.doubly_reparameterized,
    "score_function": lambda bound: gradients.score_function(bound, control_variates.leave_one_out),
}
REFERENCE = "pathwise iwae"


def objectives(k: int) -> dict[str, training.Objective]:
    """Every pair, then what stands by itself, and what is exempt because it does more."""
    ascend = partial(partial, gradients.surrogate, k=k)
    pathwise, doubly = gradients.pathwise, gradients.doubly_reparameterized
    found = {
        f"{name} {of}": ascend(estimator=make(bound))
        for of, bound in BOUNDS.items()
        for name, make in ESTIMATORS.items()
    }
    piwae = gradients.paired(model=pathwise(bounds.iwae), posterior=pathwise(bounds.miwae(5)))
    moving = gradients.score_function(bounds.iwae, control_variates.moving_average())
    learned = control_variates.Learned(nn.MLP(PIXELS, (100,), 1, key=jax.random.key(1)))
    found |= {
        "pathwise vr_max": ascend(estimator=pathwise(bounds.renyi(-float("inf")))),
        "covariance thermodynamic(5)": ascend(estimator=gradients.covariance(bounds.thermodynamic(5))),
        "wake": ascend(estimator=gradients.wake()),
        "doubly_reparameterized_wake": ascend(estimator=gradients.doubly_reparameterized_wake()),
        "pathwise iwae for p, miwae(5) for q": ascend(estimator=piwae),
        "score_function iwae, moving_average": ascend(estimator=moving),
        "pathwise iwae, backward 5": ascend(estimator=pathwise(bounds.iwae), backward=5),
        "pathwise iwae, backward 1": ascend(estimator=pathwise(bounds.iwae), backward=1),
        "doubly_reparameterized iwae, backward 5": ascend(estimator=doubly(bounds.iwae), backward=5),
        "pathwise iwae, chunk 10": ascend(estimator=pathwise(bounds.iwae), chunk=10),
        "score_function iwae, learned": ascend(estimator=gradients.score_function(bounds.iwae, learned)),
        "pathwise jackknife(2)": ascend(estimator=pathwise(bounds.jackknife(2))),
        "pathwise sumo(5)": ascend(estimator=pathwise(bounds.sumo(5))),
    }
    return found


def stretch_of(
    objective: training.Objective, batch: int, net: LatentVariableModel | None = None
) -> Callable[[int], Any]:
    """Runs so many further steps of the real training path, of Burda's net or another, and waits for them."""
    optimizer, rows = optax.adam(1e-3), 20 * batch
    plan = training.Plan(epochs=1, batch=batch, seed=0)
    control = training.initial_control(objective)
    net = model(jax.random.key(0)) if net is None else net
    state = training.initial_state(net, optimizer, control=control)
    advance = training.compile_stretch(training.updates(objective, optimizer, plan, rows), state)
    images, order = jnp.asarray(binary_images(rows, seed=0)), jnp.arange(rows)
    state = jax.tree.map(lambda leaf: jnp.array(leaf) if isinstance(leaf, jax.Array) else leaf, state)

    def run(steps: int) -> None:
        nonlocal state
        state, finite = advance(state, images, order, int(state.step) + steps)
        if not finite:
            raise FloatingPointError("a loss was not finite")

    return run


def timed(run: Callable[[int], Any], block: float) -> Timed:
    """The time of a step, a block at a time."""
    steps = calibrated(run, block)
    return lambda: machine.seconds(run, steps) / steps


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--block", type=float, default=0.3, help="seconds that a timed block lasts, about")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=20)
    parser.add_argument("--k", type=int, default=K)
    parser.add_argument("--only", nargs="+", metavar="WORD", help="those whose name holds one of these words")
    parser.add_argument("--save", action="store_true", help="write results/estimators.json and the table of README.md")
    return parser.parse_args()


def main() -> None:
    """Compile all, take turns, print the table."""
    options = parsed()
    threads = machine.use_processors(options.threads)
    result = machine.description(threads, ["iwax", "jax", "jaxlib", "equinox", "optax", "numpy"])
    result |= {"batch": options.batch, "k": options.k}
    chosen = {
        name: objective
        for name, objective in objectives(options.k).items()
        if name == REFERENCE or not options.only or any(word in name for word in options.only)
    }
    steps: dict[str, Timed] = {}
    for name, objective in chosen.items():
        print(f"compiling {name}", file=sys.stderr)
        steps[name] = timed(stretch_of(objective, options.batch), options.block)
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(options.rounds):
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
        for name, one in steps.items():
            seconds[name].append(one())
    result["milliseconds"] = {name: machine.summary([1e3 * s for s in each]) for name, each in seconds.items()}
    result["ratio"] = {name: machine.ratios(each, seconds[REFERENCE]) for name, each in seconds.items()}
    result["rounds"] = seconds
    print(tables.estimators(result))
    if options.save:
        machine.save("estimators", result)
        tables.write()


if __name__ == "__main__":
    main()
